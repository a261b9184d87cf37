import { setImmediate } from 'node:timers/promises';

/** Steps of work before other requests get their turn: some milliseconds, at about ten nanoseconds each. */
const STEPS_PER_TURN = 500_000;

/** Counts the steps of one request's work, so that no request keeps the others waiting. */
export class Pace {
  readonly #rest: () => Promise<unknown>;
  #steps = 0;

  /** `rest` lets the event loop do other work; tests pass their own. */
  constructor(rest: () => Promise<unknown> = async () => await setImmediate()) {
    this.#rest = rest;
  }

  /** Call it before that many steps of work. Waits for the next turn if this one is over. */
  async take(steps: number): Promise<void> {
    if (this.#steps + steps > STEPS_PER_TURN && this.#steps > 0) {
      this.#steps = 0;
      await this.#rest();
    }
    this.#steps += steps;
  }
}
