import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import { LadingError } from '../index.js';
import {
  BYTES,
  fields,
  FLAG,
  oneOf,
  optional,
  optionsOf,
  PATH,
  TEXT,
  textOr,
  wholeNumber,
  type Rule,
} from '../model/rules.js';
import { Connections } from './connections.js';
import { started } from './started.js';
import { listenUnix } from './unix-socket.js';

/** Where a server listens. */
export type ListenAddress =
  /** A unix socket; `mode` is its permissions, 0600 unless given. */
  | { readonly kind: 'unix'; readonly path: string; readonly mode?: number }
  /** TCP with TLS and client certificates. Without `tls` it needs `insecure` and a loopback address. */
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls?: TlsFiles;
      readonly insecure?: boolean;
    }
  /** A listening socket that another process opened, such as systemd. A TCP socket needs `tls`. */
  | { readonly kind: 'fd'; readonly fd: number; readonly isTcp: boolean; readonly tls?: TlsFiles };

const PEM = textOr(BYTES);
const TLS = optionsOf<TlsFiles>({ ca: PEM, cert: PEM, key: PEM }, ['ca', 'cert', 'key']);
const PORT = wholeNumber(65_535);
const KINDS: Readonly<Record<string, Rule>> = {
  unix: fields({ path: PATH, mode: optional(wholeNumber(0o777)) }),
  tcp: fields({ host: TEXT, port: PORT, tls: optional(TLS), insecure: optional(FLAG) }),
  fd: fields({ fd: wholeNumber(2 ** 31 - 1), isTcp: FLAG, tls: optional(TLS) }),
};
const KIND = fields({ kind: oneOf(...Object.keys(KINDS)) }, 'where to listen: an object with a kind');

/** An address as an argument. */
export const ADDRESS: Rule = (value, name) => {
  KIND(value, name);
  KINDS[(value as ListenAddress).kind]?.(value, name);
};

/** PEM texts: the server's certificate and key, and the authority that signs the certificates of clients. */
export interface TlsFiles {
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** The rules for every connection; times in milliseconds. */
export interface ListenerOptions {
  /** How long the headers of a request may take to arrive. */
  readonly headersMs: number;
  /** How long the rest of an upload is read after its answer. */
  readonly lingerMs: number;
  /** How long a peer may read nothing while bytes wait for it. */
  readonly stalledMs: number;
  /** Most connections at once; further ones are closed as they arrive. */
  readonly maxConnections: number;
  /** Called with errors of the socket after it listens. */
  readonly onError: (error: unknown) => void;
  /** Sets the process's file mask and returns the old one, so that a new socket is never open to other users. */
  readonly umask?: (mask: number) => number;
}

/** A socket that listens. */
export interface Listener {
  /** The URL that clients use: `unix:///run/lading.sock`, `tcp://127.0.0.1:2376`. */
  readonly url: string;
  /** Takes no more connections, ends those without a request, and waits until all have ended. */
  readonly close: () => Promise<void>;
  /** Breaks all connections. */
  readonly destroy: () => void;
}

/** Starts to listen. Throws ERR_OPTION_INVALID for an unusable address, ERR_STORAGE_IO for one that is taken. */
export async function listen(
  address: ListenAddress,
  handler: RequestListener,
  options: ListenerOptions,
): Promise<Listener> {
  const isTcp = address.kind === 'tcp' || (address.kind === 'fd' && address.isTcp);
  const server = isTcp ? createTcpServer(address, options) : http.createServer(limitsOf(options));
  const connections = new Connections(server, handler, { ...options, isTcp });
  const { url, remove } = await listenOn(server, address, options).catch((error: unknown) => {
    // It may already listen, on a name that nobody knows yet.
    server.close();
    throw error;
  });
  server.on('error', options.onError);
  return {
    url,
    close: async () => {
      // While it still listens, no other server takes the file.
      remove();
      await connections.close();
    },
    destroy: () => connections.destroy(),
  };
}

/** The limits that Node itself enforces. */
function limitsOf({ headersMs }: ListenerOptions): http.ServerOptions {
  return {
    maxHeaderSize: MAX_HEADER_BYTES,
    headersTimeout: headersMs,
    // A steady upload may take any time; `Upload` ends one that brings no byte.
    requestTimeout: 0,
    // How often Node looks for requests whose headers are late.
    connectionsCheckingInterval: Math.min(1000, headersMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Lets the system find peers whose machine is gone.
    keepAlive: true,
    keepAliveInitialDelay: PROBE_AFTER_MS,
  };
}

function createTcpServer(
  address: Extract<ListenAddress, { kind: 'tcp' | 'fd' }>,
  options: ListenerOptions,
): http.Server | https.Server {
  const limits = limitsOf(options);
  if (address.tls !== undefined) {
    const trust = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;
    return createTlsServer({ ...limits, ...address.tls, ...trust, handshakeTimeout: options.headersMs });
  }
  if (address.kind === 'tcp' && address.insecure === true && isLoopback(address.host)) return http.createServer(limits);
  const message = `${nameOf(address)}: TCP needs --tlsverify with --tlscacert, --tlscert and --tlskey; --insecure-no-tls works on 127.0.0.1 and [::1] only`;
  throw new LadingError('ERR_OPTION_INVALID', message);
}

function createTlsServer(options: https.ServerOptions): https.Server {
  try {
    return https.createServer(options);
  } catch (error) {
    const message = `the certificates or the key cannot be used: ${(error as Error).message}`;
    throw new LadingError('ERR_OPTION_INVALID', message, { cause: error });
  }
}

/** Where a server listens, and what removes the file of its socket. */
interface Place {
  readonly url: string;
  readonly remove: () => void;
}

async function listenOn(server: http.Server, address: ListenAddress, options: ListenerOptions): Promise<Place> {
  if (address.kind !== 'unix') return { url: await listenOnTcp(server, address), remove: () => {} };
  return { url: `unix://${address.path}`, remove: await listenUnix(server, address, options.umask) };
}

async function listenOnTcp(
  server: http.Server,
  address: Extract<ListenAddress, { kind: 'tcp' | 'fd' }>,
): Promise<string> {
  if (address.kind === 'tcp') {
    await started(server, { host: address.host, port: address.port }, nameOf(address));
    return urlOf(server, address.host);
  }
  await started(server, { fd: address.fd }, nameOf(address));
  if (address.isTcp || !isTcpServer(server)) return urlOf(server, undefined);
  server.close();
  const message = `${nameOf(address)} is a TCP socket, but looks like a unix socket here; start the server without a network namespace of its own (PrivateNetwork=)`;
  throw new LadingError('ERR_OPTION_INVALID', message);
}

function isTcpServer(server: http.Server): boolean {
  return typeof server.address() === 'object' && server.address() !== null;
}

/** Credentials for a registry may have 16 KiB, and stand beside other headers. */
const MAX_HEADER_BYTES = 24 * 1024;

/** How long an idle connection is kept for the next request, in milliseconds. Clients close theirs sooner. */
const KEEP_ALIVE_MS = 120_000;

/** After this silence the system asks a peer whether it is still there, in milliseconds. */
const PROBE_AFTER_MS = 60_000;

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function nameOf(address: ListenAddress): string {
  if (address.kind === 'unix') return address.path;
  return address.kind === 'fd' ? `file descriptor ${address.fd}` : `${address.host}:${address.port}`;
}

function urlOf(server: http.Server, host: string | undefined): string {
  const address = server.address();
  if (address === null || typeof address === 'string') return `unix://${address ?? ''}`;
  const shown = host ?? address.address;
  return `tcp://${shown.includes(':') ? `[${shown}]` : shown}:${address.port}`;
}
