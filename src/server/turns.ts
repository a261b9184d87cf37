import { withReads, type Store } from '../index.js';

/** Bytes that all transfers together may move before other requests get their turn: some 5 ms of work. */
const BYTES_PER_TURN = 2 * 1024 * 1024;

/** Bytes that one transfer may move when it is its turn: one chunk of a blob, or four of an upload. */
const QUANTUM_BYTES = 256 * 1024;

/**
 * Shares the event loop among the transfers, first come, first served: a hundred of them do not keep other requests
 * waiting, and none overtakes another. Holds one callback for each waiting transfer.
 */
export class Turns {
  #left = BYTES_PER_TURN;
  #waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  #isRefilling = false;

  /** Waits until this many more bytes may be moved. */
  async take(bytes: number): Promise<void> {
    this.#refillSoon();
    if (this.#left > 0) this.#left -= bytes;
    else await new Promise<void>((go) => this.#waiting.push({ bytes, go }));
  }

  /** Waits for the next turn of a transfer. Returns the bytes that it may move then. */
  async quantum(): Promise<number> {
    await this.take(QUANTUM_BYTES);
    return QUANTUM_BYTES;
  }

  /** The chunks in their turn. A turn is counted in bytes, so that many small chunks get as much as few large ones. */
  async *deal(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let credit = 0;
    for await (const chunk of chunks) {
      while (credit <= 0) credit += await this.quantum();
      credit -= chunk.length;
      yield chunk;
    }
  }

  /** The store, with the bytes of its blobs in their turn. */
  dealReads(store: Store): Store {
    return withReads(store, (chunks) => this.deal(chunks));
  }

  /** Refills once in each turn of the event loop, after the requests that came meanwhile. */
  #refillSoon(): void {
    if (this.#isRefilling) return;
    this.#isRefilling = true;
    setImmediate(() => {
      this.#isRefilling = false;
      this.#left = BYTES_PER_TURN;
      const next = this.#waiting.splice(0, this.#countOfNext());
      if (next.length > 0) this.#refillSoon();
      for (const { go } of next) go();
    });
  }

  /** Returns how many waiting transfers fit into this turn, and takes their bytes off it. */
  #countOfNext(): number {
    const last = this.#waiting.findIndex(({ bytes }) => {
      this.#left -= bytes;
      return this.#left <= 0;
    });
    return last === -1 ? this.#waiting.length : last + 1;
  }
}
