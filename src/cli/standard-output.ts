import { write } from 'node:fs';
import { Writable } from 'node:stream';

const STDOUT = 1;

/** How long to wait before a full pipe that another process made non-blocking is tried again, in milliseconds. */
const RETRY_MS = 2;

/**
 * Stdout as a plain file descriptor, written in large blocking calls on a thread. `process.stdout` would make a pipe
 * non-blocking and wait for it 64 KiB at a time, which takes twice as long (docs/performance.md). Holds one chunk.
 */
export class StandardOutput extends Writable {
  constructor() {
    super({ highWaterMark: 1024 * 1024 });
  }

  override _write(chunk: Buffer, _encoding: string, callback: (error?: Error | null) => void): void {
    write(STDOUT, chunk, (error, written) => {
      if (error !== null && error.code !== 'EAGAIN') callback(error);
      else if (error !== null) setTimeout(() => this._write(chunk, _encoding, callback), RETRY_MS);
      else if (written < chunk.length) this._write(chunk.subarray(written), _encoding, callback);
      else callback();
    });
  }
}
