import { writeSync } from 'node:fs';
import { TAR_BLOCK } from '../model/tar-header.js';
import type { Kernel } from '../files/kernel.js';
import { whenReady, type Waiting } from '../files/own-pipe.js';

/** Bytes that are gathered before they are written. */
const BUFFER_BYTES = 1024 * 1024;

/** Bytes that one splice moves at most. */
const SPLICE_BYTES = 1024 * 1024;

/** Where in a block a write may be cut: behind its first byte. All entries begin and end at the border of a block. */
const CUT_AT = 1;

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
  /** Bytes that are in the pipe. */
  #sent = 0;
  /** Bytes of the buffer that may go: they end inside an entry. */
  #free = 0;
  readonly #onSent: (bytes: number) => void;

  /** `onSent` is told how many bytes are in the pipe, whenever more are. */
  constructor(pipe: number, kernel: Kernel, isStopped: () => boolean, onSent: (bytes: number) => void) {
    this.#pipe = pipe;
    this.#kernel = kernel;
    this.#onSent = onSent;
    this.#waiting = { wait: (ms) => kernel.waitForRoom(pipe, ms), isStopped, doing: 'writing the archive' };
  }

  /** Bytes that the pipe holds at most. */
  get capacity(): number {
    return this.#kernel.pipeSize(this.#pipe);
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

  /**
   * Writes bytes at once. The buffer must have been flushed whole. A pipe takes less than 4 KiB whole or not at all, and
   * of more bytes it takes any number of blocks. So whenever this ends early, the archive ends behind the first byte of a
   * block: in a header or in a body.
   */
  write(bytes: Uint8Array): void {
    const first = (TAR_BLOCK + CUT_AT - (this.#sent % TAR_BLOCK)) % TAR_BLOCK;
    const end = bytes.length - ((bytes.length - first) % TAR_BLOCK);
    for (const part of [bytes.subarray(0, first), bytes.subarray(first, end), bytes.subarray(Math.max(first, end))]) {
      this.#writeAll(part);
    }
  }

  #writeAll(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const written = this.#whenRoom(() => writeSync(this.#pipe, bytes, at));
      at += written;
      this.#count(written);
    }
  }

  /** Moves the first bytes of a file into the pipe. Returns how many: fewer if the file ends or cannot be spliced. */
  splice(file: number, bytes: number): number {
    let moved = 0;
    while (moved < bytes) {
      const last = this.#spliceSome(file, moved, Math.min(SPLICE_BYTES, bytes - moved));
      if (last === 0) break;
      moved += last;
      this.#count(last);
    }
    return moved;
  }

  #count(bytes: number): void {
    this.#sent += bytes;
    this.#onSent(this.#sent);
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
