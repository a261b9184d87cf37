import type { FastifyReply, FastifyRequest } from 'fastify';
import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { DescribeOptions, Platform, Store } from '../index.js';
import type { Answers } from './answers.js';
import type { Audit } from './audit.js';
import type { EventLog } from './event-log.js';
import type { Metrics } from './metrics.js';
import type { Transfers } from './transfers.js';
import type { Turns } from './turns.js';

/** What every route of a server shares. */
export interface ServerContext {
  readonly store: Store;
  readonly events: EventLog;
  readonly metrics: Metrics;
  readonly transfers: Transfers;
  readonly turns: Turns;
  readonly answers: Answers;
  readonly audit: Audit;
  /** Told of what nobody foresaw: clients learn only that it is an internal error. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly hostPlatform: Platform;
  /** What images were found to be, from request to request. */
  readonly cache: NonNullable<DescribeOptions['cache']>;
  /** How long an upload may be still, in milliseconds. */
  readonly idleMs: number;
  /** Whether `prune` may take everything that no container uses, which here is everything. */
  readonly allowPruneAll: boolean;
  /** Host names that requests over TCP may be for, beside addresses and `localhost`. */
  readonly ownNames: ReadonlySet<string>;
  /** Aborted when the server takes no new work, and lets what is on its way end. */
  readonly stopping: AbortSignal;
  /** Aborted when transfers are not waited for any longer. */
  readonly halt: AbortSignal;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The minor number of the Engine API version that is spoken, 24 to 52. */
    minor: number;
    /** Who sent it, as the audit tells it. */
    client: string;
  }
}

/** The path parameter of routes that are about one image. */
export interface Named {
  readonly Params: { readonly name: string };
}

export type Reply = FastifyReply;
export type Request = FastifyRequest;

/**
 * Who sent a request: `unix`, or an address, with the name in the client's certificate where it has one. To be asked while the connection stands: one that is gone has no certificate.
 */
export function clientOf({ socket }: IncomingMessage): string {
  const address = socket.remoteAddress;
  if (address === undefined || address === '') return 'unix';
  const subject = isEncrypted(socket) ? socket.getPeerCertificate()?.subject : undefined;
  const name = subject?.CN;
  return name === undefined ? address : `${address} ${String(name)}`;
}

function isEncrypted(socket: object): socket is TLSSocket {
  return 'encrypted' in socket && socket.encrypted === true;
}
