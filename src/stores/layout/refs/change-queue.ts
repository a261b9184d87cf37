import type { ImageListChange } from '../../store.js';

/** Publishes one change of the list of images. */
export type PublishChange = (change: ImageListChange) => Promise<void>;

interface Waiting {
  readonly change: ImageListChange;
  readonly publish: PublishChange;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * The changes of one process to a store's list of images. Changes that wait at the same time become one generation:
 * otherwise many loads that end together would race for the next number, and all but one would start again.
 */
export class ChangeQueue {
  #waiting: Waiting[] = [];
  #isBusy = false;

  /**
   * Applies changes in the order of the calls, with the `publish` of the first that waits. Throws what `change` or
   * `publish` throws.
   */
  async add(change: ImageListChange, publish: PublishChange): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#waiting.push({ change, publish, resolve, reject });
      if (!this.#isBusy) void this.#drain();
    });
  }

  async #drain(): Promise<void> {
    this.#isBusy = true;
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      await publishGroup(group);
    }
    this.#isBusy = false;
  }
}

/** Publishes changes together. A change that throws does not fail the others. */
async function publishGroup(group: readonly Waiting[]): Promise<void> {
  const failed = new Map<Waiting, unknown>();
  const applyAll: ImageListChange = (records) => {
    failed.clear();
    return group.reduce((list, waiting) => {
      try {
        return waiting.change(list);
      } catch (error) {
        failed.set(waiting, error);
        return list;
      }
    }, records);
  };
  try {
    await group[0]?.publish(applyAll);
    for (const waiting of group) {
      if (failed.has(waiting)) waiting.reject(failed.get(waiting));
      else waiting.resolve();
    }
  } catch (error) {
    for (const { reject } of group) reject(error);
  }
}
