import type { IncomingMessage, ServerResponse } from 'node:http';
import { EngineError, STATUS } from './statuses.js';

/** How long the rest of a refused upload is read and thrown away, so that its sender can read why, in milliseconds. */
const LINGER_MS = 5_000;

/**
 * The body of a request as it comes, never gathered. It may be slow, but not still: no byte for the idle time while somebody
 * waits for one is an error. Unlike the request itself it can be given up without breaking the connection. Holds one chunk.
 */
export class Upload implements AsyncIterable<Buffer> {
  readonly #request: IncomingMessage;
  readonly #idleMs: number;
  #bytes = 0;
  #error: unknown;

  constructor(request: IncomingMessage, idleMs: number) {
    this.#request = request;
    this.#idleMs = idleMs;
  }

  /** Bytes received so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Why the body could not be read to its end, if it could not: an EngineError, or that the client is gone. */
  get error(): unknown {
    return this.#error;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const chunks = this.#request.iterator({ destroyOnReturn: false });
    try {
      for (;;) {
        const next = await this.#withinIdleTime(chunks.next());
        if (next.done === true) return;
        const chunk = next.value as Buffer;
        this.#bytes += chunk.length;
        yield chunk;
      }
    } catch (error) {
      this.#error = error;
      throw error;
    }
  }

  async #withinIdleTime<T>(next: Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const idle = new Promise<never>((_resolve, reject) => {
      const message = `nothing came for ${this.#idleMs / 1000} s; the upload was given up`;
      timer = setTimeout(() => reject(new EngineError(STATUS.requestTimeout, message)), this.#idleMs);
    });
    try {
      return await Promise.race([next, idle]);
    } finally {
      clearTimeout(timer);
    }
  }
}

/**
 * After an answer that came before the end of the body: reads on for a while, then ends the connection. To end it at once
 * would reset it, and the client might never see the answer.
 */
export function discardRest(request: IncomingMessage, response: ServerResponse): void {
  if (request.complete) return;
  response.once('finish', () => {
    request.resume();
    const timer = setTimeout(() => request.socket.destroy(), LINGER_MS);
    request.once('close', () => clearTimeout(timer));
  });
}
