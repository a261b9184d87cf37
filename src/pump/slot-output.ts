import { notWritten } from './entry-writer.js';
import { GatheredOutput } from './gathered-output.js';
import type { Slots } from './slots.js';

/** Slots that an archive is written to. Waits for the next one to be free, and looks meanwhile whether it was stopped. */
export class SlotOutput extends GatheredOutput {
  readonly #slots: Slots;
  readonly #onFilled: (bytes: number) => void;
  #filled = 0;

  /** `onFilled` is told how many bytes are in the next slot. */
  constructor(slots: Slots, onFilled: (bytes: number) => void) {
    super(slots.at(0));
    this.#slots = slots;
    this.#onFilled = onFilled;
  }

  /** Throws ERR_ABORTED if it was stopped. */
  protected override send(_buffer: Buffer, bytes: number): Buffer {
    if (this.#slots.isStopped) throw notWritten();
    this.#onFilled(bytes);
    this.#filled += 1;
    if (!this.#slots.waitFor(this.#filled)) throw notWritten();
    return this.#slots.at(this.#filled);
  }
}
