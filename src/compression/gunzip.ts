import { createGunzip } from 'node:zlib';
import { Stage } from '../flow/stage.js';
import { endsEarly, goesOn, isDamaged } from './unpack-errors.js';
import { PIECE_BYTES, ZlibDriver } from './zlib-driver.js';

/**
 * Unpacks gzip: all members, and zeros behind the last, which gzip(1) passes over too. Holds what zlib holds (under 1
 * MiB).
 */
export class Gunzip extends Stage<Buffer, Buffer> {
  readonly #zlib = createGunzip({ chunkSize: PIECE_BYTES });
  readonly #driver = new ZlibDriver(this.#zlib);
  #bytesIn = 0;

  constructor() {
    super({ objectMode: false });
  }

  protected override async *each(chunk: Buffer): AsyncGenerator<Buffer> {
    const wasOver = this.#isOver();
    this.#bytesIn += chunk.length;
    if (!wasOver) yield* this.#unpacked(this.#driver.pass(chunk));
    if (this.#isOver() && !isZero(chunk.subarray(Math.max(0, chunk.length - this.#bytesLeft())))) throw goesOn();
  }

  protected override async *atEnd(): AsyncGenerator<Buffer> {
    if (!this.#isOver()) yield* this.#unpacked(this.#driver.end());
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#driver.destroy();
    super._destroy(error, callback);
  }

  /** zlib reads one member after another, and leaves what begins with a zero behind one. */
  #bytesLeft(): number {
    return this.#bytesIn - this.#zlib.bytesWritten;
  }

  #isOver(): boolean {
    return this.#bytesLeft() > 0;
  }

  async *#unpacked(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* pieces;
    } catch (error) {
      throw asUnpackError(error as Error);
    }
  }
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}

function asUnpackError(cause: Error & { readonly code?: string }): Error {
  return cause.code === 'Z_BUF_ERROR' ? endsEarly(cause) : isDamaged(cause.message, cause);
}
