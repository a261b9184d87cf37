/** Requests at once to an origin that has not complained. */
const FULL = 8;

/** After so many good answers one more request goes at once. */
const GOOD_ANSWERS = 20;

interface Pace {
  limit: number;
  running: number;
  good: number;
  readonly waiting: (() => void)[];
}

/**
 * How many requests go to an origin at once: half as many after each answer that says there are too many, then slowly
 * more again. Holds a record for each origin, and one for each request that waits.
 */
export class OriginPace {
  readonly #paces = new Map<string, Pace>();

  /** Waits for a turn, does the work, and gives the turn on. The work must not need another turn itself. */
  async turn<T>(origin: string, work: () => Promise<T>): Promise<T> {
    const pace = this.#paceOf(origin);
    if (pace.running >= pace.limit) await new Promise<void>((resolve) => pace.waiting.push(resolve));
    else pace.running += 1;
    try {
      return await work();
    } finally {
      this.#end(pace);
    }
  }

  /** The origin says that there are too many requests. */
  slower(origin: string): void {
    const pace = this.#paceOf(origin);
    pace.limit = Math.max(1, Math.floor(pace.limit / 2));
    pace.good = 0;
  }

  /** The origin has answered as it should. */
  noteGood(origin: string): void {
    const pace = this.#paceOf(origin);
    pace.good += 1;
    if (pace.good < GOOD_ANSWERS || pace.limit === FULL) return;
    pace.limit += 1;
    pace.good = 0;
  }

  /** Whoever waits takes over the turn; above the limit it ends. */
  #end(pace: Pace): void {
    pace.running -= 1;
    while (pace.running < pace.limit && pace.waiting.length > 0) {
      pace.running += 1;
      pace.waiting.shift()?.();
    }
  }

  #paceOf(origin: string): Pace {
    const pace = this.#paces.get(origin) ?? { limit: FULL, running: 0, good: 0, waiting: [] };
    this.#paces.set(origin, pace);
    return pace;
  }
}
