import { once } from 'node:events';
import type { ClientRequest } from 'node:http';
import { asError } from '../model/errors.js';
import type { Watch } from './watch.js';

/** Sends the body of a request, no faster than the other side takes it. Holds what Node's socket holds. */
export class UploadBody {
  readonly #request: ClientRequest;
  readonly #body: AsyncIterable<Uint8Array>;
  readonly #watch: Watch;
  readonly #stopped = new AbortController();
  /** The error of the source. The request was destroyed for it, so the other side never saw a whole body. */
  failure: Error | undefined;

  constructor(request: ClientRequest, body: AsyncIterable<Uint8Array>, watch: Watch) {
    this.#request = request;
    this.#body = body;
    this.#watch = watch;
  }

  /** Sends all of it. Never throws: an error of the source destroys the request. */
  async send(): Promise<void> {
    try {
      for await (const chunk of this.#body) {
        if (this.#isOver()) return;
        if (!this.#request.write(chunk)) await this.#drained();
        this.#watch.progress();
      }
      if (!this.#isOver()) this.#request.end();
    } catch (error) {
      if (this.#isOver()) return;
      this.failure = asError(error);
      this.#request.destroy(this.failure);
    }
  }

  /** Sends no more. The source is released with its next chunk. */
  stop(): void {
    this.#stopped.abort();
  }

  #isOver(): boolean {
    return this.#stopped.signal.aborted || this.#request.destroyed;
  }

  async #drained(): Promise<void> {
    await once(this.#request, 'drain', { signal: this.#stopped.signal });
  }
}

/** Bytes as a body. */
export async function* bodyOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
