/** The time that the rate is a mean of, in milliseconds. */
const WINDOW_MS = 5000;

/** No time left is told before this, in milliseconds: the first bytes say little. */
const FIRST_MS = 1000;

interface Sample {
  readonly at: number;
  readonly bytes: number;
}

/** Bytes per second as the mean of the last five seconds, and the time that is left. Holds the samples of that time. */
export class Rate {
  readonly #startedAt: number;
  #samples: readonly Sample[];

  /** `now` in milliseconds; `bytes` that were there before do not count. */
  constructor(now: number, bytes: number) {
    this.#startedAt = now;
    this.#samples = [{ at: now, bytes }];
  }

  /** Notes how many bytes there are now, and returns the rate. */
  at(now: number, bytes: number): number {
    const recent = this.#samples.filter(({ at }) => at >= now - WINDOW_MS);
    // After a long time without a sample the last one counts.
    this.#samples = [...(recent.length > 0 ? recent : this.#samples.slice(-1)), { at: now, bytes }];
    const first = this.#samples[0] ?? { at: now, bytes };
    const elapsed = now - first.at;
    return elapsed <= 0 ? 0 : Math.max(0, Math.round(((bytes - first.bytes) * 1000) / elapsed));
  }

  /** Milliseconds until `bytes` more have come. Undefined in the first second, and when nothing moved for five. */
  left(now: number, rate: number, bytes: number): number | undefined {
    if (now - this.#startedAt < FIRST_MS || rate <= 0) return undefined;
    return Math.max(0, Math.round((bytes * 1000) / rate));
  }
}
