import pLimit, { type LimitFunction } from 'p-limit';
import type { Digest } from '../model/digest.js';

/**
 * What copies that run at the same time share: one limit of blobs, and each blob that several of them need travels once.
 * Holds one record for each blob.
 */
export class SharedWork {
  /** Lets so many blobs go at once. */
  readonly limit: LimitFunction;
  readonly #running = new Map<string, Promise<unknown>>();
  readonly #done = new Set<string>();

  constructor(blobJobs: number) {
    this.limit = pLimit(blobJobs);
  }

  /**
   * Does the work, unless the blob was brought to the same place or is on its way: then waits for that, and asks `find`
   * whether it came to where it is needed too. Whoever is on its way holds a turn of the limit, so that waiting always ends.
   */
  async once<T>(place: string, digest: Digest, { find, work }: OnceOptions<T>): Promise<T> {
    const key = `${place} ${digest}`;
    for (let other = this.#running.get(key); other !== undefined; other = this.#running.get(key)) await other;
    const running = this.#done.has(key) ? find().then(async (found) => found ?? (await work())) : work();
    this.#running.set(
      key,
      running.catch(() => {}),
    );
    try {
      const outcome = await running;
      this.#done.add(key);
      return outcome;
    } finally {
      this.#running.delete(key);
    }
  }
}

/** How a blob is found, and how it is brought. */
interface OnceOptions<T> {
  readonly find: () => Promise<T | undefined>;
  readonly work: () => Promise<T>;
}
