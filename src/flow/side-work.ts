import { setMaxListeners } from 'node:events';

/**
 * Work that goes on beside whoever started it, at most `max` pieces at a time. Of several failures the one that was started
 * first is told, whichever came first, so that the same input fails in the same way. Holds what each piece holds.
 */
export class SideWork<Result> {
  readonly #max: number;
  readonly #active = new Set<Promise<void>>();
  readonly #failures: { readonly order: number; readonly error: unknown }[] = [];
  readonly #givenUp = new AbortController();
  #results: Result[] = [];
  #started = 0;
  /** Lets whoever waits for room look again. */
  #onRoom: (() => void) | undefined;

  constructor(max: number) {
    this.#max = max;
    // Each piece listens to it: as many as there are is no leak.
    setMaxListeners(0, this.#givenUp.signal);
  }

  /**
   * Starts a piece as soon as there is room, and gives what others came to meanwhile. Throws their first failure. One caller
   * at a time.
   */
  async start(work: (signal: AbortSignal) => Promise<Result>): Promise<Result[]> {
    // Not a race of all that goes on, which would leave a listener with each of them each time.
    while (this.#active.size >= this.#max) await new Promise<void>((resolve) => (this.#onRoom = resolve));
    const results = await this.#take();
    this.#run((this.#started += 1), work);
    return results;
  }

  /** Waits for everything, and gives what it came to. Throws the first failure. */
  async finish(): Promise<Result[]> {
    await this.settled();
    return await this.#take();
  }

  /** Waits until nothing is going on. */
  async settled(): Promise<void> {
    while (this.#active.size > 0) await Promise.all(this.#active);
  }

  /** Tells everything to end early. */
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
      // One that was started before may still fail.
      await this.settled();
      throw this.#failures.reduce((first, other) => (other.order < first.order ? other : first)).error;
    }
    const results = this.#results;
    this.#results = [];
    return results;
  }
}
