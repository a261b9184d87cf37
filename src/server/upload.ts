import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import type { ServerContext } from './context.js';
import { EngineError, STATUS } from './statuses.js';

/**
 * The body of a request as a stream. It may be slow, but not silent: it fails if no byte arrives for the idle time
 * while the reader waits for one. Its chunks wait for the server's turns. Unlike the request itself it can be destroyed
 * at any time without breaking the connection. Holds 128 KiB and one chunk.
 */
export class Upload extends Readable {
  readonly #request: IncomingMessage;
  readonly #idleMs: number;
  readonly #turns: ServerContext['turns'];
  /** Bytes that may be moved before the next turn. */
  #credit = 0;
  #idle: NodeJS.Timeout | undefined;
  #isWanted = false;
  #bytes = 0;
  #failure: unknown;

  constructor(request: IncomingMessage, { idleMs, turns }: Pick<ServerContext, 'idleMs' | 'turns'>) {
    // A small buffer: while it is full because the loader is busy, the client does not count as idle.
    super({ highWaterMark: 128 * 1024 });
    this.#request = request;
    this.#idleMs = idleMs;
    this.#turns = turns;
    // The client may be gone before the loader listens for errors.
    this.on('error', () => {});
    request.on('readable', this.#take).on('end', this.#end).on('error', this.#fail);
  }

  /** Bytes received so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Why the body could not be read to its end: an EngineError, or an error of the connection. Else undefined. */
  get failure(): unknown {
    return this.#failure;
  }

  override _read(): void {
    if (this.#request.destroyed && !this.#request.readableEnded) return this.#fail(new Error('the client is gone'));
    if (this.#credit > 0) return this.#want();
    void this.#turns.quantum().then((bytes) => {
      this.#credit += bytes;
      if (!this.destroyed) this.#want();
    });
  }

  #want(): void {
    this.#isWanted = true;
    this.#idle = setTimeout(() => {
      const message = `no data arrived for ${this.#idleMs / 1000} s; the upload was cancelled`;
      this.#fail(new EngineError(STATUS.requestTimeout, message));
    }, this.#idleMs);
    this.#take();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    clearTimeout(this.#idle);
    this.#request.off('readable', this.#take).off('end', this.#end).off('error', this.#fail);
    callback(error);
  }

  readonly #take = (): void => {
    if (!this.#isWanted) return;
    // A request without an encoding returns bytes.
    const chunk = this.#request.read() as Buffer | null;
    if (chunk === null) return;
    this.#isWanted = false;
    clearTimeout(this.#idle);
    this.#bytes += chunk.length;
    this.#credit -= chunk.length;
    this.push(chunk);
  };

  readonly #end = (): void => {
    clearTimeout(this.#idle);
    this.push(null);
  };

  readonly #fail = (error: Error): void => {
    this.#failure = error;
    this.destroy(error);
  };
}

/**
 * Reads on after an answer that came before the end of the body, for `lingerMs` at most, then ends the connection.
 * Ending it at once would reset it, and the client might never see the answer.
 */
export function discardRest(request: IncomingMessage, lingerMs: number): void {
  if (request.complete) return;
  request.resume();
  const timer = setTimeout(() => request.socket.destroy(), lingerMs);
  timer.unref();
  request.once('close', () => clearTimeout(timer));
}
