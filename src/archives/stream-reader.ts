import type { Readable } from 'node:stream';
import { storageError } from '../files/storage-error.js';
import { writeChunks } from '../files/write-chunks.js';
import { LadingError } from '../model/errors.js';
import type { PieceReader } from './pipe-input.js';

/** Bytes that are gathered for one write. */
const BATCH_BYTES = 1024 * 1024;

/** What says that there may be more to read, or nothing any more. */
const SIGNALS = ['readable', 'end', 'close', 'error'] as const;

const NOTHING = Buffer.alloc(0);

/**
 * A stream that is read forwards like a pipe: its bodies go into their files as they come. Holds a chunk, and 2 MiB while
 * it pours: a batch that is being written and one that is being gathered.
 */
export class StreamReader implements PieceReader {
  readonly #source: Readable;
  #rest: Buffer = NOTHING;
  #moved = 0;
  #isStopped = false;
  #wake = (): void => {};
  readonly #onSignal = (): void => this.#wake();

  constructor(source: Readable) {
    this.#source = source;
    for (const name of SIGNALS) source.on(name, this.#onSignal);
    // Stays: an error that comes when nobody reads any more must not end the process.
    source.on('error', () => {});
  }

  /** Leaves the stream to another reader. */
  release(): void {
    for (const name of SIGNALS) this.#source.off(name, this.#onSignal);
  }

  get moved(): number {
    return this.#moved;
  }

  readonly stop = (): void => {
    this.#isStopped = true;
    this.#wake();
  };

  async read(): Promise<Buffer> {
    return await this.#some(Number.POSITIVE_INFINITY);
  }

  async skip(bytes: number): Promise<number> {
    this.#moved = 0;
    while (this.#moved < bytes) {
      const { length } = await this.#some(bytes - this.#moved);
      if (length === 0) break;
      this.#moved += length;
    }
    return this.#moved;
  }

  async pour(target: number, bytes: number): Promise<number> {
    this.#moved = 0;
    let writing = Promise.resolve();
    try {
      while (this.#moved < bytes) {
        const batch = await this.#gather(bytes - this.#moved);
        if (batch.length === 0) break;
        await writing;
        writing = writeAll(target, batch);
        // Its error is thrown to the next wait for it.
        writing.catch(() => {});
      }
    } finally {
      // Nobody writes to the file once this has ended.
      await writing;
    }
    return this.#moved;
  }

  /** The chunks of the next write, up to so many bytes. */
  async #gather(bytes: number): Promise<readonly Buffer[]> {
    const batch: Buffer[] = [];
    const most = Math.min(bytes, BATCH_BYTES);
    for (let left = most; left > 0;) {
      const chunk = await this.#some(left);
      if (chunk.length === 0) break;
      batch.push(chunk);
      left -= chunk.length;
      this.#moved += chunk.length;
    }
    return batch;
  }

  /** Some of the next bytes; none at the end. */
  async #some(max: number): Promise<Buffer> {
    const chunk = this.#rest.length > 0 ? this.#rest : await this.#next();
    this.#rest = chunk.subarray(max);
    return chunk.subarray(0, max);
  }

  async #next(): Promise<Buffer> {
    for (;;) {
      if (this.#isStopped) throw new LadingError('ERR_ABORTED', 'reading the archive was aborted');
      // Bytes, since the stream has no encoding.
      const chunk = this.#source.read() as Buffer | null;
      if (chunk !== null) return chunk;
      if (this.#source.errored) throw this.#source.errored;
      if (this.#source.readableEnded || this.#source.destroyed) return NOTHING;
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}

async function writeAll(target: number, batch: readonly Buffer[]): Promise<void> {
  try {
    await writeChunks(target, batch);
  } catch (error) {
    throw storageError(error, 'cannot write a blob');
  }
}
