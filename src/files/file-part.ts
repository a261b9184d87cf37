import { closeSync } from 'node:fs';
import type { OpenableFile } from './read-file.js';

/** `size` bytes of a file, from `start` on. */
export interface FilePart {
  readonly file: SharedFile;
  readonly start: number;
  readonly size: number;
}

/**
 * A file that several readers use by position at the same time. Opened for the first reader and closed after the last:
 * after an earlier close, its number could be that of another file.
 */
export class SharedFile implements OpenableFile {
  readonly #open: () => number;
  #fd: number | undefined;
  #readers = 0;

  constructor(open: () => number) {
    this.#open = open;
  }

  readonly acquire = (): number => {
    this.#fd ??= this.#open();
    this.#readers += 1;
    return this.#fd;
  };

  readonly release = (): void => {
    this.#readers -= 1;
    if (this.#readers > 0 || this.#fd === undefined) return;
    closeSync(this.#fd);
    this.#fd = undefined;
  };
}
