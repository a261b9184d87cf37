import fs from 'fs-extra';
import { linkDurable, replaceDurable } from '../../../files/durable-file.js';
import { otherTurn } from '../../../flow/in-turns.js';
import type { ImageListChange } from '../../store.js';
import type { LayoutPaths } from '../place/layout-paths.js';
import { parseGeneration, RefsLog } from './refs-log.js';
import { sealedList } from './sealed-list.js';

/** The number of generations that are kept for slow readers. */
const KEPT_GENERATIONS = 32;

/**
 * Writes the list of images: links a finished file under the next number. Of two writers only one gets the number, and
 * the other sees that. `temporary` returns names for new files in the ingest folder.
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

  /** Publishes the changed list. If another process was first, applies the change again to its list. */
  async publish(change: ImageListChange): Promise<void> {
    for (;;) {
      const { number, bytes } = await this.#log.newest();
      await this.#log.readIndex();
      const changed = change(await parseGeneration(bytes));
      // The list may have thousands of names: other work of the process gets its turn between two long steps.
      await otherTurn();
      const next = sealedList(changed);
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

  /** Updates `index.json` to the newest generation. Throws ERR_STORE_TAMPERED for an `index.json` that is not ours. */
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
