import { withReads, type Store } from '../index.js';

/** Bytes that all transfers together may move before other requests get their turn: some 5 ms of work. */
const BYTES_PER_TURN = 2 * 1024 * 1024;

/** Bytes that one transfer may move when it is its turn: one chunk of a blob, or four of an upload. */
const QUANTUM_BYTES = 256 * 1024;

/**
 * Deals out the turns of the event loop among the transfers, first come, first served, so that a hundred of them do not keep
 * other requests waiting, and none of them overtakes another. Holds one callback for each transfer that waits.
 */
export class Turns {
  #left = BYTES_PER_TURN;
  #waiting: { readonly bytes: number; readonly go: () => void }[] = [];
  #isRefilling = false;

  /** Waits until so many more bytes may be moved. */
  async take(bytes: number): Promise<void> {
    this.#refillSoon();
    if (this.#left > 0) this.#left -= bytes;
    else await new Promise<void>((go) => this.#waiting.push({ bytes, go }));
  }

  /** Waits for the next turn of a transfer, and gives the bytes that it may move in it. What comes before its first chunk takes as long. */
  async quantum(): Promise<number> {
    await this.take(QUANTUM_BYTES);
    return QUANTUM_BYTES;
  }

  /** The chunks in their turn: as many as have a quantum of bytes together, so that small chunks are worth as much as large ones. */
  async *deal(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let credit = 0;
    for await (const chunk of chunks) {
      while (credit <= 0) credit += await this.quantum();
      credit -= chunk.length;
      yield chunk;
    }
  }

  /** The store, except that the bytes of its blobs come in their turn. */
  dealReads(store: Store): Store {
    return withReads(store, (chunks) => this.deal(chunks));
  }

  /** Once in each turn of the event loop, behind the requests that came meanwhile. */
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

  /** How many of those that wait this turn has room for, and takes the room. */
  #countOfNext(): number {
    const last = this.#waiting.findIndex(({ bytes }) => {
      this.#left -= bytes;
      return this.#left <= 0;
    });
    return last === -1 ? this.#waiting.length : last + 1;
  }
}
