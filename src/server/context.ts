import type { IncomingMessage } from 'node:http';
import type { TLSSocket } from 'node:tls';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { DescribeOptions, LoadOptions, Platform, Store } from '../index.js';
import type { Answers } from './answers.js';
import type { Audit } from './audit.js';
import type { EventLog } from './event-log.js';
import type { Metrics } from './metrics.js';
import type { RegistryAccess } from './registry-options.js';
import type { Transfers } from './transfers.js';
import type { Turns } from './turns.js';
import type { UnreadEvents } from './unread-events.js';

/** What all routes of a server share. */
export interface ServerContext {
  readonly store: Store;
  readonly events: EventLog;
  readonly metrics: Metrics;
  readonly transfers: Transfers;
  readonly turns: Turns;
  readonly answers: Answers;
  readonly unreadEvents: UnreadEvents;
  readonly audit: Audit;
  /** Called with unexpected errors; clients see only `internal error`. */
  readonly onError: (error: unknown) => void;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly hostPlatform: Platform;
  /** Descriptions of images, kept from request to request. */
  readonly cache: NonNullable<DescribeOptions['cache']>;
  /** How long an upload may bring no byte, in milliseconds. */
  readonly idleMs: number;
  /** Whether `prune -a` may remove every image that no container uses: here these are all images. */
  readonly allowPruneAll: boolean;
  /** Whether the pages of `/ui` are served over TCP, too. */
  readonly uiOnTcp: boolean;
  /** Host names that a request over TCP may name, beside addresses and `localhost`. */
  readonly ownNames: ReadonlySet<string>;
  /** What images must meet before a load, a pull or a tag gives them a name. */
  readonly trust: Pick<LoadOptions, 'policy' | 'beforeCommit'>;
  /** How registries are reached; undefined if this server speaks to none. */
  readonly registries: RegistryAccess | undefined;
  /** Aborted when the server takes no new work; running transfers may still end. */
  readonly stopping: AbortSignal;
  /** Aborted when the server no longer waits for transfers. */
  readonly halt: AbortSignal;
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The minor number of the request's Engine API version, 24 to 55. */
    minor: number;
    /** Who sent it, as the audit records it. */
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
 * Who sent a request: `unix`, or an address followed by the name in the client's certificate, if it has one. Call it
 * while the connection is open: a closed one has no certificate.
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
