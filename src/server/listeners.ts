import { chmod, lstat, rm } from 'node:fs/promises';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import { connect } from 'node:net';
import { LadingError } from '../index.js';
import { STATUS } from './statuses.js';

/** Where a server listens. */
export type ListenAddress =
  /** A unix socket; `mode` are its permissions, 0600 unless given. */
  | { readonly kind: 'unix'; readonly path: string; readonly mode?: number }
  /** TCP with TLS and client certificates; without `tls` on the machine's own addresses only, and only by `insecure`. */
  | {
      readonly kind: 'tcp';
      readonly host: string;
      readonly port: number;
      readonly tls?: TlsFiles;
      readonly insecure?: boolean;
    }
  /** A listening socket that somebody else opened: systemd, for example. TCP has the rules of `tcp`. */
  | { readonly kind: 'fd'; readonly fd: number; readonly isTcp: boolean; readonly tls?: TlsFiles };

/** PEM texts: the server's certificate and key, and the authority whose certificates clients must have. */
export interface TlsFiles {
  readonly ca: string | Buffer;
  readonly cert: string | Buffer;
  readonly key: string | Buffer;
}

/** How long the headers of a request may take to come, in milliseconds. */
export interface ListenerOptions {
  readonly headersMs: number;
  /** Sets the process's mask of new files and gives the old one, so that a socket is never open to others. */
  readonly umask?: (mask: number) => number;
}

/** A socket that listens. */
export interface Listener {
  readonly server: http.Server | https.Server;
  /** As a client would be told: `unix:///run/lading.sock`, `tcp://127.0.0.1:2376`. */
  readonly url: string;
}

/** Starts to listen. Throws ERR_OPTION_INVALID for an address that cannot be used, ERR_STORAGE_IO for one that is taken. */
export async function listen(
  address: ListenAddress,
  handler: RequestListener,
  options: ListenerOptions,
): Promise<Listener> {
  const server = createServer(address, handler, options);
  server.on('clientError', answerClientError);
  if (address.kind === 'unix') return await listenUnix(server, address, options);
  const where = address.kind === 'fd' ? { fd: address.fd } : { host: address.host, port: address.port };
  await started(server, where, nameOf(address));
  return { server, url: urlOf(server, address.kind === 'fd' ? undefined : address.host) };
}

function createServer(
  address: ListenAddress,
  handler: RequestListener,
  { headersMs }: ListenerOptions,
): http.Server | https.Server {
  const limits = {
    headersTimeout: headersMs,
    // A steady upload may take any time; Upload sees to those that are still.
    requestTimeout: 0,
    // How often Node looks for connections that are too late with their headers.
    connectionsCheckingInterval: Math.min(1000, headersMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
  };
  const isTcp = address.kind === 'tcp' || (address.kind === 'fd' && address.isTcp);
  if (!isTcp) return http.createServer(limits, handler);
  if (address.tls !== undefined) {
    const trust = { requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' } as const;
    return https.createServer({ ...limits, ...address.tls, ...trust, handshakeTimeout: headersMs }, handler);
  }
  if (address.kind === 'tcp' && address.insecure === true && isLoopback(address.host)) {
    return http.createServer(limits, handler);
  }
  const message = `${nameOf(address)}: TCP needs --tlsverify with --tlscacert, --tlscert and --tlskey; --insecure-no-tls goes on 127.0.0.1 and [::1] only`;
  throw new LadingError('ERR_OPTION_INVALID', message);
}

/** How long an idle connection is kept for the next request, in milliseconds; longer than clients keep theirs unused. */
const KEEP_ALIVE_MS = 120_000;

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** sockaddr_un has 108 bytes, one of them for the end (unix(7)). */
const MAX_UNIX_PATH_BYTES = 107;

async function listenUnix(
  server: http.Server,
  { path, mode = 0o600 }: Extract<ListenAddress, { kind: 'unix' }>,
  { umask }: ListenerOptions,
): Promise<Listener> {
  const bytes = Buffer.byteLength(path);
  if (bytes > MAX_UNIX_PATH_BYTES) {
    const message = `a unix socket's path has at most ${MAX_UNIX_PATH_BYTES} bytes, ${JSON.stringify(path)} has ${bytes}; give a shorter one with --host unix://PATH`;
    throw new LadingError('ERR_OPTION_INVALID', message);
  }
  await removeStaleSocket(path);
  // The socket is made within listen(), before anything else runs: nobody connects before it has its permissions.
  const mask = umask?.(0o177);
  const listening = started(server, { path }, path);
  if (mask !== undefined) umask?.(mask);
  await listening;
  await chmod(path, mode);
  return { server, url: `unix://${path}` };
}

/** A socket that nobody listens on is left over from a server that was killed; one that somebody listens on is refused. */
async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found === undefined) return;
  if (!found.isSocket()) throw taken(path, 'is there already, and is no socket');
  if (await isAlive(path)) throw taken(path, 'is in use by another server');
  await rm(path, { force: true });
}

async function isAlive(path: string): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  });
}

async function started(
  server: http.Server,
  where: { readonly path: string } | { readonly fd: number } | { readonly host: string; readonly port: number },
  name: string,
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(taken(name, error.code ?? error.message, error)));
    server.listen(where, resolve);
  });
}

function taken(name: string, why: string, cause?: unknown): LadingError {
  return new LadingError('ERR_STORAGE_IO', `cannot listen on ${name}: ${why}`, { cause });
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

/** What is no HTTP, or too slow or too long for it, gets a short answer and the end of its connection. */
function answerClientError(error: NodeJS.ErrnoException, socket: import('node:stream').Duplex): void {
  if (!socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
  const status = CLIENT_ERRORS[error.code ?? ''] ?? STATUS.badRequest;
  const body = JSON.stringify({ message: http.STATUS_CODES[status] ?? '' });
  socket.end(
    `HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
}

const CLIENT_ERRORS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: STATUS.requestTimeout,
  HPE_HEADER_OVERFLOW: STATUS.headersTooLarge,
};
