import { setMaxListeners } from 'node:events';

/**
 * Pieces of work that run beside their caller, at most `max` at a time. If several fail, throws the error of the piece
 * that was started first, so that the same input always fails in the same way. Holds what each piece holds.
 */
export class SideWork<Result> {
  readonly #max: number;
  readonly #active = new Set<Promise<void>>();
  readonly #failures: { readonly order: number; readonly error: unknown }[] = [];
  readonly #givenUp = new AbortController();
  #results: Result[] = [];
  #started = 0;
  /** Wakes the caller that waits for room. */
  #onRoom: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
    // One listener for each running piece is intended; silence Node's leak warning.
    setMaxListeners(0, this.#givenUp.signal);
  }

  /**
   * Starts a piece as soon as there is room, and returns the results since the last call. Throws the first failure.
   * Only one caller at a time.
   */
  async start(work: (signal: AbortSignal) => Promise<Result>): Promise<Result[]> {
    // Not Promise.race over all pieces: each call would leave a listener on each of them.
    while (this.#active.size >= this.#max) await new Promise<void>((resolve) => (this.#onRoom = resolve));
    const results = await this.#take();
    this.#run((this.#started += 1), work);
    return results;
  }

  /** Waits for all pieces, and returns the results since the last call. Throws the first failure. */
  async finish(): Promise<Result[]> {
    await this.settled();
    return await this.#take();
  }

  /** Waits until no piece is running. */
  async settled(): Promise<void> {
    while (this.#active.size > 0) await Promise.all(this.#active);
  }

  /** Asks all pieces to end early. */
  giveUp(): void {
    this.#givenUp.abort();
  }

  #run(order: number, work: (signal: AbortSignal) => Promise<Result>): void {
    const running = work(this.#givenUp.signal).then(
      (result) => void this.#results.push(result),
      (error: unknown) => void this.#failures.push({ order, error }),
    );
    this.#active.add(running);
    void running.then(() => {
      this.#active.delete(running);
      this.#onRoom?.();
    });
  }

  async #take(): Promise<Result[]> {
    if (this.#failures.length > 0) {
      // A piece that was started earlier may still fail.
      await this.settled();
      throw this.#failures.reduce((first, other) => (other.order < first.order ? other : first)).error;
    }
    const results = this.#results;
    this.#results = [];
    return results;
  }
}
