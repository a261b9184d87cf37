import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import https from 'node:https';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { cutWhenStalled } from './answers.js';
import { STATUS } from './statuses.js';
import { discardRest } from './upload.js';

/** How a server treats its connections. */
export interface ConnectionOptions {
  readonly isTcp: boolean;
  /** How long the rest of an upload is read after its answer, in milliseconds. */
  readonly lingerMs: number;
  /** How long a peer may read nothing while bytes wait for it, in milliseconds. */
  readonly stalledMs: number;
  /** Most connections at once; further ones are closed as they arrive. */
  readonly maxConnections: number;
}

/**
 * The connections of one server, from the first byte of a handshake on, and the rules that all requests obey. Holds one
 * entry for each connection.
 */
export class Connections {
  readonly #server: http.Server | https.Server;
  readonly #options: ConnectionOptions;
  readonly #sockets = new Set<Socket>();
  readonly #answers = new WeakMap<Duplex, ServerResponse>();

  constructor(server: http.Server | https.Server, handler: RequestListener, options: ConnectionOptions) {
    this.#server = server;
    this.#options = options;
    server.maxConnections = options.maxConnections;
    server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    // Over TLS only the decrypted connection knows what waits to be read.
    const opened = server instanceof https.Server ? 'secureConnection' : 'connection';
    server.on(opened, (socket: Socket) => cutWhenStalled(socket, options.stalledMs));
    server.on('request', (request, response) => {
      const serve = (): void => this.#serve(request, response, handler);
      // A pipelined request waits until its answer may be sent, and takes no resources before.
      if (response.socket === null) response.once('socket', serve);
      else serve();
    });
    server.on('clientError', (error: NodeJS.ErrnoException, socket) => this.#refuse(error, socket));
  }

  /** Takes no more connections, ends those without a request, and waits until all have ended. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeIdleConnections();
    });
  }

  /** Breaks every connection, also one that is still in its handshake. */
  destroy(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #serve(request: IncomingMessage, response: ServerResponse, handler: RequestListener): void {
    const { socket } = request;
    // A TCP peer that has gone has no address either, and would pass for a trusted client on a unix socket.
    if (this.#options.isTcp && socket.remoteAddress === undefined) return void socket.destroy();
    this.#answers.set(socket, response);
    response.once('finish', () => discardRest(request, this.#options.lingerMs));
    handler(request, response);
  }

  /** Refuses bytes that are not HTTP and headers that are too slow or too long, and closes the connection. */
  #refuse(error: NodeJS.ErrnoException, socket: Duplex): void {
    const isShaking = socket instanceof TLSSocket && !socket.authorized;
    const isAnswered = this.#answers.get(socket)?.headersSent === true;
    if (isShaking || isAnswered || !socket.writable || error.code === 'ECONNRESET') return void socket.destroy();
    socket.end(refusal(CLIENT_ERRORS[error.code ?? ''] ?? STATUS.badRequest), () => socket.destroy());
  }
}

function refusal(status: number): string {
  const reason = http.STATUS_CODES[status] ?? '';
  const body = JSON.stringify({ message: reason });
  return `HTTP/1.1 ${status} ${reason}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
}

const CLIENT_ERRORS: Readonly<Record<string, number>> = {
  ERR_HTTP_REQUEST_TIMEOUT: STATUS.requestTimeout,
  HPE_HEADER_OVERFLOW: STATUS.headersTooLarge,
};
