import { writeSync } from 'node:fs';
import type { Kernel } from '../files/kernel.js';
import { whenReady, type Waiting } from '../files/own-pipe.js';

/** Bytes that are gathered before they are written. */
const BUFFER_BYTES = 1024 * 1024;

/** Bytes that one splice moves at most. */
const SPLICE_BYTES = 1024 * 1024;

/**
 * A non-blocking pipe that an archive is written to. Gathers bytes up to 1 MiB, and keeps those back after which a cut
 * archive could look whole. Looks whether it was stopped while it waits for room. Holds its buffer.
 */
export class PipeOutput {
  readonly #pipe: number;
  readonly #kernel: Kernel;
  readonly #waiting: Waiting;
  readonly #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #used = 0;
  /** Bytes of the buffer that may go: they end inside an entry. */
  #free = 0;

  constructor(pipe: number, kernel: Kernel, isStopped: () => boolean) {
    this.#pipe = pipe;
    this.#kernel = kernel;
    this.#waiting = { wait: (ms) => kernel.waitForRoom(pipe, ms), isStopped, doing: 'writing the archive' };
  }

  /** Room for the next bytes of the archive, of which the first `free` may go once they are filled in. */
  take(bytes: number, free: number): Buffer {
    if (this.#used + bytes > this.#buffer.length) this.flush();
    if (this.#used + bytes > this.#buffer.length) throw new Error(`no room for ${bytes} bytes`);
    const taken = this.#buffer.subarray(this.#used, this.#used + bytes);
    if (free > 0) this.#free = this.#used + free;
    this.#used += bytes;
    return taken;
  }

  /** Writes the bytes that may go. */
  flush(): void {
    this.write(this.#buffer.subarray(0, this.#free));
    this.#buffer.copyWithin(0, this.#free, this.#used);
    this.#used -= this.#free;
    this.#free = 0;
  }

  /** Writes bytes at once. The buffer must have been flushed whole. */
  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      at += this.#whenRoom(() => writeSync(this.#pipe, bytes, at));
    }
  }

  /** Moves the first bytes of a file into the pipe. Returns how many: fewer if the file ends or cannot be spliced. */
  splice(file: number, bytes: number): number {
    let moved = 0;
    while (moved < bytes) {
      const last = this.#spliceSome(file, moved, Math.min(SPLICE_BYTES, bytes - moved));
      if (last === 0) break;
      moved += last;
    }
    return moved;
  }

  #spliceSome(file: number, start: number, bytes: number): number {
    try {
      return this.#whenRoom(() => this.#kernel.spliceToPipe(file, start, this.#pipe, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EINVAL') return 0;
      throw error;
    }
  }

  #whenRoom(call: () => number): number {
    return whenReady(call, this.#waiting);
  }
}
