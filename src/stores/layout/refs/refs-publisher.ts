import fs from 'fs-extra';
import { linkDurable, replaceDurable } from '../../../files/durable-file.js';
import type { ImageListChange } from '../../store.js';
import { parseGeneration, RefsLog } from './refs-log.js';
import { sealedList } from './sealed-list.js';
import type { LayoutPaths } from '../place/layout-paths.js';

/** How many generations stay, for readers who are slow. */
const KEPT_GENERATIONS = 32;

/**
 * Writes the list of images: a finished file is linked under the next number, so that of two writers one is first and the
 * other sees it. `temporary` gives names for new files in the ingest area.
 */
export class RefsPublisher {
  readonly #paths: LayoutPaths;
  readonly #log: RefsLog;
  readonly #temporary: () => string;

  constructor(paths: LayoutPaths, temporary: () => string) {
    this.#paths = paths;
    this.#log = new RefsLog(paths);
    this.#temporary = temporary;
  }

  /** Publishes the changed list; where somebody else was first, the change is applied again to theirs. */
  async publish(change: ImageListChange): Promise<void> {
    for (;;) {
      const { number, bytes } = await this.#log.newest();
      await this.#log.readIndex();
      const next = sealedList(change(parseGeneration(bytes)));
      if (next.equals(bytes) || (await this.#link(number + 1, next))) break;
    }
    await this.copyToIndex();
    await this.#dropOld();
  }

  /** Writes the first generation of a new store. */
  async initialise(): Promise<void> {
    await this.#link(1, sealedList([]));
    await this.copyToIndex();
  }

  /** Brings `index.json` to the newest generation, where it is not. Refuses an `index.json` that is none of ours. */
  async copyToIndex(): Promise<void> {
    for (;;) {
      const { bytes } = await this.#log.newest();
      if ((await this.#log.readIndex())?.equals(bytes)) return;
      await replaceDurable(this.#paths.index, bytes, 0o644, this.#temporary());
    }
  }

  async #link(generation: number, bytes: Buffer): Promise<boolean> {
    return await linkDurable(this.#log.fileOf(generation), bytes, 0o600, this.#temporary());
  }

  async #dropOld(): Promise<void> {
    const old = (await this.#log.numbers()).slice(0, -KEPT_GENERATIONS);
    for (const generation of old) await fs.remove(this.#log.fileOf(generation));
  }
}
