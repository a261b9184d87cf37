import { createGunzip } from 'node:zlib';
import { Stage } from '../flow/stage.js';
import { endsEarly, goesOn, isDamaged } from './unpack-errors.js';
import { PIECE_BYTES, ZlibDriver } from './zlib-driver.js';

const TAIL_BYTES = 5;
/** The first byte of a member. */
const MAGIC_BYTE = 0x1f;

/**
 * Unpacks gzip: all members, and zeros behind the last, which gzip(1) passes over too. Holds what zlib holds (under 1
 * MiB).
 */
export class Gunzip extends Stage<Buffer, Buffer> {
  readonly #zlib = createGunzip({ chunkSize: PIECE_BYTES });
  readonly #driver = new ZlibDriver(this.#zlib);
  #bytesIn = 0;
  #bytesOut = 0;
  /** The last bytes of the input: room for the end of a member and one byte behind it. */
  #tail: Buffer = Buffer.alloc(0);

  constructor() {
    super({ objectMode: false });
  }

  protected override async *each(chunk: Buffer): AsyncGenerator<Buffer> {
    const wasOver = this.#isOver();
    this.#bytesIn += chunk.length;
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-TAIL_BYTES)]).subarray(-TAIL_BYTES);
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
      for await (const piece of pieces) {
        this.#bytesOut += piece.length;
        yield piece;
      }
    } catch (error) {
      throw this.#asUnpackError(error as Error);
    }
  }

  #asUnpackError(cause: Error & { readonly code?: string }): Error {
    if (cause.code === 'Z_BUF_ERROR') return this.#hasMore() ? goesOn(cause) : endsEarly(cause);
    // zlib gives its reason in words only. The first member has the magic number, so this is behind its end.
    return cause.message === 'incorrect header check' ? goesOn(cause) : isDamaged(cause.message, cause);
  }

  /**
   * Whether the input is one member and one byte behind it: zlib waits for the second byte of a magic number, as if the
   * input was cut. The end of a member has the size of what it unpacks to (RFC 1952).
   */
  #hasMore(): boolean {
    if (this.#bytesOut === 0 || this.#tail.length < TAIL_BYTES || this.#tail[TAIL_BYTES - 1] === MAGIC_BYTE)
      return false;
    return this.#tail.readUInt32LE(0) === this.#bytesOut % 2 ** 32;
  }
}

function isZero(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0);
}
