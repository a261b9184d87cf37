import path from 'node:path';
import fs from 'fs-extra';
import { LadingError } from '../model/errors.js';
import { indexOf, recordsOf, type ImageRecord } from '../model/image-list.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { syncFolder, writeDurable } from './durable-file.js';
import type { ImageListChange } from './ports.js';
import { parseIndexBytes } from './read-document.js';
import { isExisting, isNotFound } from './storage-error.js';
import type { StorePaths } from './store-paths.js';

/** How many generations stay, so that a slow reader or a late copy of one of them is still known as ours. */
const KEPT_GENERATIONS = 8;

const GENERATION = /^([1-9][0-9]*)\.json$/;

/**
 * The list of images on disk: `refs/<N>.json`, each generation a whole list, published by linking a finished file under the
 * next number. The newest is the truth; `index.json` is its public copy.
 */
export class RefsLog {
  readonly #paths: StorePaths;

  constructor(paths: StorePaths) {
    this.#paths = paths;
  }

  /** The images of the newest generation. */
  async read(): Promise<readonly ImageRecord[]> {
    const { bytes } = await this.#newest();
    return recordsOf(parseIndexBytes(bytes, 'the list of images', DEFAULT_LIMITS));
  }

  /**
   * Applies a change to the newest list and publishes the result as the next generation; when somebody else was first, the
   * change is applied again to theirs. `temporary` gives a name for a new file in the ingest area.
   */
  async publish(change: ImageListChange, temporary: () => string): Promise<void> {
    for (;;) {
      const { generation, bytes } = await this.#newest();
      await this.#checkIndex();
      const records = change(recordsOf(parseIndexBytes(bytes, 'the list of images', DEFAULT_LIMITS)));
      const next = Buffer.from(JSON.stringify(indexOf(records)));
      if (next.equals(bytes)) break;
      if (await this.#link(generation + 1, next, temporary())) break;
    }
    await this.copyToIndex(temporary);
    await this.#dropOld();
  }

  /** Writes the first generation of a new store. */
  async initialise(temporary: () => string): Promise<void> {
    const empty = Buffer.from(JSON.stringify(indexOf([])));
    await this.#link(1, empty, temporary());
    await this.copyToIndex(temporary);
  }

  /** Brings `index.json` to the newest generation, where it is not. Refuses an `index.json` that is none of ours. */
  async copyToIndex(temporary: () => string): Promise<void> {
    for (;;) {
      const { bytes } = await this.#newest();
      if ((await this.#checkIndex())?.equals(bytes)) return;
      const file = temporary();
      await writeDurable(file, bytes, 0o644);
      await fs.rename(file, this.#paths.index);
      await syncFolder(this.#paths.root);
    }
  }

  /** The bytes of `index.json`; they must be those of a generation that we know. Throws ERR_STORE_TAMPERED. */
  async #checkIndex(): Promise<Buffer | undefined> {
    const index = await readIfThere(this.#paths.index);
    if (index === undefined || (await this.#isKnown(index))) return index;
    const message =
      `${this.#paths.index} was changed by another program; ` +
      `put ${path.join(this.#paths.refs, `${(await this.#newest()).generation}.json`)} back in its place, ` +
      'or load the changed layout into another store with `lading load -i DIR`';
    throw new LadingError('ERR_STORE_TAMPERED', message);
  }

  async #isKnown(index: Buffer): Promise<boolean> {
    // Newest first: at rest the first comparison is the last.
    for (const generation of (await this.#generations()).toReversed()) {
      if ((await readIfThere(this.#fileOf(generation)))?.equals(index)) return true;
    }
    return false;
  }

  async #newest(): Promise<{ generation: number; bytes: Buffer }> {
    for (;;) {
      const generation = (await this.#generations()).at(-1);
      if (generation === undefined)
        throw new LadingError('ERR_STORE_TAMPERED', `${this.#paths.refs} has no list of images`);
      const bytes = await readIfThere(this.#fileOf(generation));
      // Gone between the two looks: so many newer ones came meanwhile.
      if (bytes !== undefined) return { generation, bytes };
    }
  }

  async #generations(): Promise<readonly number[]> {
    const names = await fs.readdir(this.#paths.refs);
    return names.flatMap((name) => Number(GENERATION.exec(name)?.[1] ?? []) || []).sort((a, b) => a - b);
  }

  #fileOf(generation: number): string {
    return path.join(this.#paths.refs, `${generation}.json`);
  }

  async #link(generation: number, bytes: Buffer, temporary: string): Promise<boolean> {
    await writeDurable(temporary, bytes, 0o600);
    try {
      await fs.link(temporary, this.#fileOf(generation));
      await syncFolder(this.#paths.refs);
      return true;
    } catch (error) {
      if (isExisting(error)) return false;
      throw error;
    } finally {
      await fs.remove(temporary);
    }
  }

  async #dropOld(): Promise<void> {
    const old = (await this.#generations()).slice(0, -KEPT_GENERATIONS);
    for (const generation of old) await fs.remove(this.#fileOf(generation));
  }
}

async function readIfThere(file: string): Promise<Buffer | undefined> {
  try {
    return await fs.readFile(file);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}
