import type { Metrics, TransferKind } from './metrics.js';
import { EngineError, RETRY_LATER, STATUS } from './statuses.js';

/**
 * If more archives than this are on their way, the next ones get no threads, each of which takes 10 MiB. A save has one
 * thread, a load up to one for each core.
 */
export const MAX_THREADED = { save: 4, load: 2 } as const;

/** One archive on its way. */
export interface Transfer {
  /** Ends it; only the first call counts. `code` is `OK` or that of the error. Returns its duration in milliseconds. */
  end(result: { readonly code: string; readonly bytes: number }): number;
}

/** Counts the archives on their way, and refuses those beyond the limit. */
export class Transfers {
  readonly #max: number;
  readonly #metrics: Metrics;
  readonly #now: () => number;
  readonly #idle = new Set<() => void>();
  #active = 0;

  /** `now` in milliseconds. */
  constructor(max: number, metrics: Metrics, now: () => number) {
    this.#max = max;
    this.#metrics = metrics;
    this.#now = now;
  }

  get active(): number {
    return this.#active;
  }

  /** Starts a transfer. Throws an EngineError (503 with Retry-After) if there are too many already. */
  start(kind: TransferKind): Transfer {
    if (this.#active >= this.#max) {
      this.#metrics.refused.inc({ kind });
      const message = `${this.#max} archives are on their way already; try again later`;
      throw new EngineError(STATUS.unavailable, message, RETRY_LATER);
    }
    this.#active += 1;
    this.#metrics.active.inc({ kind });
    return this.#transfer(kind, this.#now());
  }

  /** Waits until no archive is on its way. */
  async settled(): Promise<void> {
    if (this.#active === 0) return;
    await new Promise<void>((resolve) => this.#idle.add(resolve));
  }

  #transfer(kind: TransferKind, startedMs: number): Transfer {
    let duration: number | undefined;
    return {
      end: ({ code, bytes }) => {
        if (duration !== undefined) return duration;
        duration = this.#now() - startedMs;
        this.#metrics.active.dec({ kind });
        this.#metrics.transfers.inc({ kind, code });
        this.#metrics.bytes.inc({ kind }, bytes);
        this.#metrics.duration.observe({ kind }, duration / 1000);
        this.#leave();
        return duration;
      },
    };
  }

  #leave(): void {
    this.#active -= 1;
    if (this.#active > 0) return;
    this.#idle.forEach((resolve) => resolve());
    this.#idle.clear();
  }
}
