import { writeSync } from 'node:fs';
import { TAR_BLOCK } from '../model/tar-header.js';
import type { Kernel } from '../files/kernel.js';
import { whenReady, type Waiting } from '../files/own-pipe.js';
import { GatheredOutput } from './gathered-output.js';

/** Bytes that are gathered before they are written. */
const BUFFER_BYTES = 1024 * 1024;

/** Bytes that one splice moves at most. */
const SPLICE_BYTES = 1024 * 1024;

/** Where in a block a write may be cut: behind its first byte. All entries begin and end at the border of a block. */
const CUT_AT = 1;

/**
 * A non-blocking pipe that an archive is written to. Gathers bytes up to 1 MiB. Looks whether it was stopped while it
 * waits for room.
 */
export class PipeOutput extends GatheredOutput {
  readonly #pipe: number;
  readonly #kernel: Kernel;
  readonly #waiting: Waiting;
  /** Bytes that are in the pipe. */
  #sent = 0;
  readonly #onSent: (bytes: number) => void;

  /** `onSent` is told how many bytes are in the pipe, whenever more are. */
  constructor(pipe: number, kernel: Kernel, isStopped: () => boolean, onSent: (bytes: number) => void) {
    super(Buffer.allocUnsafeSlow(BUFFER_BYTES));
    this.#pipe = pipe;
    this.#kernel = kernel;
    this.#onSent = onSent;
    this.#waiting = { wait: (ms) => kernel.waitForRoom(pipe, ms), isStopped, doing: 'writing the archive' };
  }

  /** Bytes that the pipe holds at most. */
  get capacity(): number {
    return this.#kernel.pipeSize(this.#pipe);
  }

  /**
   * A pipe takes less than 4 KiB whole or not at all, and of more bytes it takes any number of blocks. So whenever this
   * ends early, the archive ends behind the first byte of a block: in a header or in a body.
   */
  protected override send(buffer: Buffer, length: number): Buffer {
    const bytes = buffer.subarray(0, length);
    const first = (TAR_BLOCK + CUT_AT - (this.#sent % TAR_BLOCK)) % TAR_BLOCK;
    const end = bytes.length - ((bytes.length - first) % TAR_BLOCK);
    for (const part of [bytes.subarray(0, first), bytes.subarray(first, end), bytes.subarray(Math.max(first, end))]) {
      this.#writeAll(part);
    }
    return buffer;
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
