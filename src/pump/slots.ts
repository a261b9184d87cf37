import { STOP_CHECK_MS } from '../files/own-pipe.js';

/** Slots of a ring: one is on its way to the reader while the next ones are filled. */
const SLOTS = 4;

/** Bytes of a slot: what one transfer of a server may move in its turn. */
const SLOT_BYTES = 256 * 1024;

const STOPPED = 0;
const FREED = 1;
const HEAD_BYTES = 8;

/** A ring of slots in memory that a thread fills and this process empties, in the same order. Holds 1 MiB. */
export class Slots {
  readonly shared: SharedArrayBuffer;
  readonly #numbers: Int32Array;

  constructor(shared = new SharedArrayBuffer(HEAD_BYTES + SLOTS * SLOT_BYTES)) {
    this.shared = shared;
    this.#numbers = new Int32Array(shared, 0, 2);
  }

  /** The memory of the slot that has this number, counted from the start. */
  at(number: number): Buffer {
    return Buffer.from(this.shared, HEAD_BYTES + (number % SLOTS) * SLOT_BYTES, SLOT_BYTES);
  }

  /** Says that the oldest slot in use may be filled again. */
  free(): void {
    Atomics.add(this.#numbers, FREED, 1);
    Atomics.notify(this.#numbers, FREED);
  }

  /** Waits until the slot is free, and returns true; or false if the thread was told to end. Blocks the thread. */
  waitFor(number: number): boolean {
    for (;;) {
      if (this.isStopped) return false;
      const freed = Atomics.load(this.#numbers, FREED);
      if (number - freed < SLOTS) return true;
      Atomics.wait(this.#numbers, FREED, freed, STOP_CHECK_MS);
    }
  }

  /** Tells the thread to end early. */
  stop(): void {
    Atomics.store(this.#numbers, STOPPED, 1);
    Atomics.notify(this.#numbers, FREED);
  }

  get isStopped(): boolean {
    return Atomics.load(this.#numbers, STOPPED) !== 0;
  }
}
