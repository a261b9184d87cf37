import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { parseIndexBytes } from '../../../content/parse-document.js';
import { readIfThere } from '../../../files/if-there.js';
import { isNotFound } from '../../../files/storage-error.js';
import { LadingError } from '../../../model/errors.js';
import { recordsOf, type ImageRecord } from '../../../model/image-list.js';
import { STORED_LIMITS } from '../../../model/limits.js';
import type { LayoutPaths } from '../place/layout-paths.js';
import { isSealed } from './sealed-list.js';

const GENERATION = /^([1-9][0-9]*)\.json$/;

/** One generation of the list of images, and its bytes. */
export interface Generation {
  readonly number: number;
  readonly bytes: Buffer;
}

/**
 * The list of images on disk: `refs/<N>.json`, each generation a whole list. The newest one counts; `index.json` is its
 * public copy. Only reads, with blocking calls: in a busy server a thread would answer much later. RefsPublisher
 * writes.
 */
export class RefsLog {
  readonly #paths: LayoutPaths;
  readonly #mayBeMissing: boolean;
  /** The generation that was read last. A generation never changes. */
  #parsed: { readonly number: number; readonly records: readonly ImageRecord[] } | undefined;

  /** `mayBeMissing`: a store that does not exist has no images, and is not an error. */
  constructor(paths: LayoutPaths, { mayBeMissing = false }: { readonly mayBeMissing?: boolean } = {}) {
    this.#paths = paths;
    this.#mayBeMissing = mayBeMissing;
  }

  /** The images of the newest generation. */
  async read(): Promise<readonly ImageRecord[]> {
    const numbers = await this.#numbersIfThere();
    if (numbers === undefined || this.#isBeingMade(numbers)) return [];
    if (this.#parsed !== undefined && this.#parsed.number === numbers.at(-1)) return this.#parsed.records;
    const { number, bytes } = await this.newest();
    this.#parsed = { number, records: await parseGeneration(bytes) };
    return this.#parsed.records;
  }

  /** The newest generation. Throws ERR_STORE_TAMPERED if there is none. */
  async newest(): Promise<Generation> {
    for (;;) {
      const number = (await this.numbers()).at(-1);
      if (number === undefined) {
        throw new LadingError('ERR_STORE_TAMPERED', `${this.#paths.refs} has no list of images`);
      }
      const bytes = readIfThere(this.fileOf(number));
      // Otherwise it was dropped meanwhile, since many newer ones were published.
      if (bytes !== undefined) return { number, bytes };
    }
  }

  /** The bytes of `index.json`, which must be those of a generation, however old. Throws ERR_STORE_TAMPERED. */
  async readIndex(): Promise<Buffer | undefined> {
    let index = readIfThere(this.#paths.index);
    for (let before: Buffer | undefined; index !== undefined && !before?.equals(index);) {
      if (await this.#isOurs(index)) return index;
      before = index;
      // Its generation may have been dropped meanwhile. Then `index.json` has changed too, so read it again.
      index = readIfThere(this.#paths.index);
    }
    if (index === undefined) return undefined;
    const message =
      `${this.#paths.index} was changed by another program; ` +
      `put ${this.fileOf((await this.newest()).number)} back in its place, ` +
      'or load the changed layout into another store with `lading load -i DIR`';
    throw new LadingError('ERR_STORE_TAMPERED', message);
  }

  /** The numbers of the kept generations, oldest first. */
  async numbers(): Promise<readonly number[]> {
    const names = readdirSync(this.#paths.refs);
    return names.flatMap((name) => Number(GENERATION.exec(name)?.[1] ?? []) || []).sort((a, b) => a - b);
  }

  async #numbersIfThere(): Promise<readonly number[] | undefined> {
    try {
      return await this.numbers();
    } catch (error) {
      if (this.#mayBeMissing && isNotFound(error)) return undefined;
      throw error;
    }
  }

  /** Whether another process is making the store, or was stopped there: `index.json` comes after the first generation. */
  #isBeingMade(numbers: readonly number[]): boolean {
    return this.#mayBeMissing && numbers.length === 0 && !existsSync(this.#paths.index);
  }

  fileOf(generation: number): string {
    return path.join(this.#paths.refs, `${generation}.json`);
  }

  /**
   * Whether the bytes are a list that we wrote. A process that was stopped for long may write an `index.json` older
   * than all kept generations; its seal shows that it is ours. Old stores have lists without a seal, which must equal a
   * generation.
   */
  async #isOurs(index: Buffer): Promise<boolean> {
    if (isSealed(index)) return true;
    for (const generation of (await this.numbers()).toReversed()) {
      if (readIfThere(this.fileOf(generation))?.equals(index)) return true;
    }
    return false;
  }
}

/** The images of a generation's bytes. */
export async function parseGeneration(bytes: Buffer): Promise<readonly ImageRecord[]> {
  return recordsOf(await parseIndexBytes(bytes, 'the list of images', STORED_LIMITS));
}
