import { Transform, type TransformCallback } from 'node:stream';
import { LadingError } from '../model/errors.js';
import { DEFAULT_LIMITS, exceedsRatio, type Limits } from '../model/limits.js';
import { compressionOf, MAGIC_BYTES } from '../layers/compressions.js';

const CHUNK_BYTES = 256 * 1024;

/**
 * Unpacks gzip and zstd, detected by their magic numbers, and passes everything else unchanged. Limits the ratio of
 * output to input. Holds the first 6 bytes, and what zlib holds (under 1 MiB).
 * Errors: ERR_COMPRESSED_DATA, ERR_ARCHIVE_TRUNCATED, ERR_COMPRESSION_UNSUPPORTED, ERR_LIMIT_RATIO.
 */
export class Decompress extends Transform {
  readonly #limits: Limits;
  #head: Buffer | undefined = Buffer.alloc(0);
  #inner: Transform | undefined;
  #isAtEnd = false;
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    super();
    this.#limits = limits;
  }

  override _transform(chunk: Buffer, _encoding: string, callback: TransformCallback): void {
    this.#bytesIn += chunk.length;
    if (this.#head === undefined) {
      this.#pass(chunk, callback);
      return;
    }
    this.#head = Buffer.concat([this.#head, chunk]);
    if (this.#head.length < MAGIC_BYTES) callback();
    else this.#begin(callback);
  }

  override _flush(callback: TransformCallback): void {
    if (this.#head === undefined) this.#finish(callback);
    else this.#begin((error, chunk) => this.#flushed(error, chunk, callback));
  }

  /** An input shorter than a magic number is passed on like any other. */
  #flushed(error: Error | null | undefined, chunk: unknown, callback: TransformCallback): void {
    if (chunk !== undefined) this.push(chunk);
    if (error) callback(error);
    else this.#finish(callback);
  }

  override _read(size: number): void {
    this.#inner?.resume();
    super._read(size);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#inner?.destroy();
    super._destroy(error, callback);
  }

  #begin(callback: TransformCallback): void {
    const head = this.#head ?? Buffer.alloc(0);
    this.#head = undefined;
    try {
      this.#inner = compressionOf(head)?.open(CHUNK_BYTES);
    } catch (error) {
      callback(error as Error);
      return;
    }
    this.#inner?.on('data', (chunk: Buffer) => this.#emit(chunk));
    this.#inner?.on('error', (error: Error) => this.destroy(asDataError(error)));
    this.#inner?.on('end', () => this.#checkEnd());
    this.#pass(head, callback);
  }

  #pass(chunk: Buffer, callback: TransformCallback): void {
    if (this.#inner === undefined) callback(null, chunk);
    else this.#inner.write(chunk, (error) => callback(error && asDataError(error)));
  }

  #finish(callback: TransformCallback): void {
    if (this.#inner === undefined) {
      callback();
      return;
    }
    this.#isAtEnd = true;
    this.#inner.once('end', () => callback());
    this.#inner.end();
    this.#inner.resume();
  }

  /** zlib ends early at zeros after the last member, and never calls back for the write that contained them. */
  #checkEnd(): void {
    if (this.#isAtEnd) return;
    this.destroy(new LadingError('ERR_COMPRESSED_DATA', 'data follows the end of the compressed archive'));
  }

  #emit(chunk: Buffer): void {
    this.#bytesOut += chunk.length;
    if (exceedsRatio(this.#bytesIn, this.#bytesOut, this.#limits)) {
      const message = `the archive unpacks to more than ${this.#limits.maxRatio} times its size`;
      this.destroy(
        new LadingError('ERR_LIMIT_RATIO', message, { details: { in: this.#bytesIn, out: this.#bytesOut } }),
      );
    } else if (!this.push(chunk)) {
      this.#inner?.pause();
    }
  }
}

function asDataError(cause: Error & { code?: string }): LadingError {
  if (cause.code === 'Z_BUF_ERROR' || cause.message.includes('unexpected end')) {
    return new LadingError(
      'ERR_ARCHIVE_TRUNCATED',
      'the compressed archive ends too early; it was cut, fetch it again',
      { cause },
    );
  }
  return new LadingError('ERR_COMPRESSED_DATA', `the compressed archive is damaged: ${cause.message}`, { cause });
}
