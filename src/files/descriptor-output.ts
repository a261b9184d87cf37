import { writev } from 'node:fs';
import { Writable } from 'node:stream';
import { withoutBytes } from './without-bytes.js';

/** How long to wait before a full pipe that another process made non-blocking is tried again, in milliseconds. */
const RETRY_MS = 2;

/**
 * A plain file descriptor, such as that of stdout, written in large blocking calls on a thread. `process.stdout` would
 * make a pipe non-blocking and wait for it 64 KiB at a time, which takes twice as long (docs/performance.md). Does not
 * close it: a write may be blocked for ever. Holds one chunk.
 */
export class DescriptorOutput extends Writable {
  readonly #fd: number;

  constructor(fd: number) {
    super({ highWaterMark: 1024 * 1024 });
    this.#fd = fd;
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    this.#writeAll([chunk], callback);
  }

  /** Writes together what arrived during a blocked write: an archive of small blobs has three chunks for each blob. */
  override _writev(chunks: readonly { readonly chunk: Buffer }[], callback: (error?: Error | null) => void): void {
    this.#writeAll(
      chunks.map(({ chunk }) => chunk),
      callback,
    );
  }

  #writeAll(chunks: readonly Buffer[], callback: (error?: Error | null) => void): void {
    // At most 1024 buffers go into one call (IOV_MAX).
    writev(this.#fd, chunks.slice(0, 1024), (error, written) => {
      if (error !== null && error.code !== 'EAGAIN') return callback(error);
      if (error !== null) return void setTimeout(() => this.#writeAll(chunks, callback), RETRY_MS);
      const left = withoutBytes(chunks, written);
      if (left.length === 0) callback();
      else this.#writeAll(left, callback);
    });
  }
}
