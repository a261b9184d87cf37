import { Transform, type TransformCallback } from 'node:stream';
import { compressionOf, MAGIC_BYTES } from '../compression/compressions.js';
import { LadingError } from '../model/errors.js';
import { ALL_LIMITS, exceedsRatio, type Limits } from '../model/limits.js';
import { check } from '../model/rules.js';
import { noBytes, TAKING_ANYTHING } from './byte-stage.js';

/** `head`: the magic number has not fully come. `plain`: bytes pass unchanged. `ending`: the input has ended. */
type Phase =
  | { readonly kind: 'head'; readonly bytes: Buffer }
  | { readonly kind: 'plain' }
  | { readonly kind: 'packed' | 'ending'; readonly unpack: Transform };

/**
 * Unpacks gzip, zstd, xz and bzip2, detected by their magic numbers, and passes everything else unchanged. Limits the
 * ratio of output to input. Holds the first 10 bytes, and what the decompressor holds.
 * Errors: ERR_COMPRESSED_DATA, ERR_ARCHIVE_TRUNCATED, ERR_COMPRESSION_UNSUPPORTED, ERR_LIMIT_RATIO.
 */
export class Decompress extends Transform {
  readonly #limits: Limits;
  #phase: Phase = { kind: 'head', bytes: Buffer.alloc(0) };
  #bytesIn = 0;
  #bytesOut = 0;

  constructor(limits: Limits) {
    super(TAKING_ANYTHING);
    check({ limits: ALL_LIMITS }, { limits });
    this.#limits = limits;
  }

  override _transform(chunk: unknown, _encoding: string, callback: TransformCallback): void {
    if (chunk instanceof Uint8Array)
      this.#take(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength), callback);
    else callback(noBytes(chunk));
  }

  #take(chunk: Buffer, callback: TransformCallback): void {
    this.#bytesIn += chunk.length;
    if (this.#phase.kind !== 'head') return this.#pass(chunk, callback);
    const bytes = Buffer.concat([this.#phase.bytes, chunk]);
    if (bytes.length >= MAGIC_BYTES) return this.#begin(bytes, callback);
    this.#phase = { kind: 'head', bytes };
    callback();
  }

  override _flush(callback: TransformCallback): void {
    if (this.#phase.kind !== 'head') return this.#finish(callback);
    this.#begin(this.#phase.bytes, (error, chunk) => this.#flushed(error, chunk, callback));
  }

  /** An input shorter than a magic number is passed on like any other. */
  #flushed(error: Error | null | undefined, chunk: unknown, callback: TransformCallback): void {
    if (chunk !== undefined) this.push(chunk);
    if (error) callback(error);
    else this.#finish(callback);
  }

  override _read(size: number): void {
    this.#unpack?.resume();
    super._read(size);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#unpack?.destroy();
    super._destroy(error, callback);
  }

  get #unpack(): Transform | undefined {
    return 'unpack' in this.#phase ? this.#phase.unpack : undefined;
  }

  #begin(head: Buffer, callback: TransformCallback): void {
    const unpack = compressionOf(head)?.open(this.#limits);
    this.#phase = unpack === undefined ? { kind: 'plain' } : { kind: 'packed', unpack };
    unpack?.on('data', (chunk: Buffer) => this.#emit(unpack, chunk));
    unpack?.on('error', (error: Error) => this.destroy(asArchiveError(error)));
    this.#pass(head, callback);
  }

  #pass(chunk: Buffer, callback: TransformCallback): void {
    if (this.#unpack === undefined) callback(null, chunk);
    else this.#unpack.write(chunk, (error) => callback(error && asArchiveError(error)));
  }

  #finish(callback: TransformCallback): void {
    const unpack = this.#unpack;
    if (unpack === undefined) return callback();
    this.#phase = { kind: 'ending', unpack };
    unpack.once('end', () => callback());
    unpack.end();
    unpack.resume();
  }

  #emit(unpack: Transform, chunk: Buffer): void {
    this.#bytesOut += chunk.length;
    if (exceedsRatio(this.#bytesIn, this.#bytesOut, this.#limits)) {
      const message = `the archive unpacks to more than ${this.#limits.maxRatio} times its size`;
      this.destroy(
        new LadingError('ERR_LIMIT_RATIO', message, { details: { in: this.#bytesIn, out: this.#bytesOut } }),
      );
    } else if (!this.push(chunk)) {
      unpack.pause();
    }
  }
}

/** The messages of decompressors lack their subject. */
function asArchiveError(cause: Error): Error {
  if (!(cause instanceof LadingError)) return cause;
  const { code, message, details } = cause;
  const rest = code === 'ERR_COMPRESSION_UNSUPPORTED' ? ' < FILE | lading load' : '';
  return new LadingError(code, `the compressed archive ${message}${rest}`, { cause: cause.cause, details });
}
