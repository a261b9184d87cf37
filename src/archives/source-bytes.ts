import { Readable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { isUint8Array } from 'node:util/types';
import { readError } from '../files/storage-error.js';
import { LadingError } from '../model/errors.js';
import type { ArchiveSource } from './open-archive.js';

/** How many chunks are taken before other work of the process gets its turn. */
const STEPS_PER_TURN = 64;

/**
 * The bytes of a source that a caller gave, whatever it does. A chunk that is not bytes is an error, and so is whatever
 * it throws, `undefined` too. Destroying this ends the source, also while that brings nothing. From the start no error
 * of a stream is left without a listener, since that would end the process. Holds one chunk, and 64 KiB.
 */
export class SourceBytes extends Readable {
  readonly #source: ArchiveSource;
  #chunks: AsyncIterator<unknown> | undefined;
  #steps = 0;

  constructor(source: ArchiveSource) {
    super();
    this.#source = source;
    if (isStream(source)) source.on('error', () => {});
  }

  override _read(): void {
    this.#next().then(
      (bytes) => this.push(bytes),
      (error: unknown) => this.destroy(readError(error, 'cannot read the archive')),
    );
  }

  /** The next chunk that is not empty; null at the end. */
  async #next(): Promise<Uint8Array | null> {
    this.#chunks ??= this.#source[Symbol.asyncIterator]();
    for (;;) {
      // A source that never waits must not keep everything else of the process waiting.
      if ((this.#steps += 1) % STEPS_PER_TURN === 0) await setImmediate();
      const { done, value } = await this.#chunks.next();
      if (done === true) return null;
      if (!isUint8Array(value)) throw noBytes(value);
      if (value.length > 0 || this.destroyed) return value;
    }
  }

  /** Does not wait for the source: a generator ends only after its next chunk, which may never come. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (isStream(this.#source)) this.#source.destroy();
    else void this.#endSource().catch(() => {});
    callback(error);
  }

  async #endSource(): Promise<void> {
    await this.#chunks?.return?.();
  }
}

function isStream(source: ArchiveSource): source is Readable {
  return 'destroy' in source && 'on' in source;
}

function noBytes(value: unknown): LadingError {
  const what = typeof value === 'string' ? 'text; call no setEncoding' : String(value === null ? value : typeof value);
  const message = `source must give bytes (Buffer or Uint8Array), not ${what}`;
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: 'source' } });
}
