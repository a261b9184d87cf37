import { closeSync } from 'node:fs';
import type { OpenableFile } from './read-file.js';

/** `size` bytes of a file, from `start` on. */
export interface FilePart {
  readonly file: SharedFile;
  readonly start: number;
  readonly size: number;
}

/** `size` bytes that come once, and that can be written to an open file without passing through this process. */
export interface PouredPart {
  readonly size: number;
  /** Writes all bytes to the file, and returns how many. Throws if the input ends early, and ERR_ABORTED. */
  readonly pour: (target: number) => Promise<number>;
  /** Lets `pour` end with ERR_ABORTED. */
  readonly stop: () => void;
  /** How many bytes have passed so far. */
  readonly passed: () => number;
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
