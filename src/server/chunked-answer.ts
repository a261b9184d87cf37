import type { ServerResponse } from 'node:http';
import type { Reply } from './context.js';

/**
 * An answer that is written chunk by chunk, each when the connection has taken the one before: then its memory may be
 * used again. Begins with the first chunk. Holds nothing.
 */
export class ChunkedAnswer {
  readonly #reply: Reply;
  readonly #raw: ServerResponse;
  readonly #closed: Promise<void>;
  #fail = (_error: Error): void => {};

  /** `onClosed` is called when the answer has ended, whole or broken, or at once if the client has gone already. */
  constructor(reply: Reply, onClosed: () => void) {
    this.#reply = reply;
    this.#raw = reply.raw;
    this.#closed = onceClosed(this.#raw).then(() => {
      onClosed();
      this.#fail(new Error('the connection was closed'));
    });
  }

  get isBegun(): boolean {
    return this.#raw.headersSent;
  }

  /** Throws if the connection is closed before it has taken the chunk. */
  async write(chunk: Buffer): Promise<void> {
    if (!this.isBegun) this.#begin();
    await new Promise<void>((resolve, reject) => {
      this.#fail = reject;
      this.#raw.write(chunk, (error) => (error ? reject(error) : resolve()));
    });
  }

  /** Ends it, and waits until the connection has taken all. Returns false if it was closed before. */
  async end(): Promise<boolean> {
    this.#raw.end();
    await this.#closed;
    return this.#raw.writableFinished;
  }

  /** Breaks the connection, so that the client does not take what it has for the whole. */
  async break(): Promise<void> {
    this.#raw.destroy();
    await this.#closed;
  }

  #begin(): void {
    this.#reply.hijack();
    for (const [name, value] of Object.entries(this.#reply.getHeaders())) {
      if (value !== undefined) this.#raw.setHeader(name, value);
    }
    this.#raw.writeHead(this.#reply.statusCode);
  }
}

/** Fulfilled when the answer has ended, or at once if the client has gone already. */
export async function onceClosed(raw: ServerResponse): Promise<void> {
  if (raw.destroyed || raw.req.socket.destroyed) return;
  await new Promise<void>((resolve) => raw.once('close', resolve));
}
