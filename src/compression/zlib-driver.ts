import type { Transform } from 'node:stream';

/** Bytes of one unpacked piece. */
export const PIECE_BYTES = 256 * 1024;

/** A decompressor of zlib, fed piece by piece: what one piece unpacks to is read before the next is written. */
export class ZlibDriver {
  readonly #zlib: Transform;
  #error: Error | undefined;
  #hasEnded = false;
  #wake: () => void = () => {};

  constructor(zlib: Transform) {
    this.#zlib = zlib;
    zlib.on('readable', () => this.#wake());
    for (const event of ['end', 'close']) zlib.on(event, () => this.#end());
    zlib.on('error', (error: Error) => this.#fail(error));
  }

  /** What these bytes unpack to. Throws the error of zlib. */
  async *pass(bytes: Buffer): AsyncGenerator<Buffer> {
    let isTaken = false;
    this.#zlib.write(bytes, () => {
      isTaken = true;
      this.#wake();
    });
    yield* this.#output(() => isTaken);
  }

  /** What is left when all bytes have come. */
  async *end(): AsyncGenerator<Buffer> {
    this.#zlib.end();
    yield* this.#output(() => false);
  }

  destroy(): void {
    this.#zlib.destroy();
  }

  async *#output(isDone: () => boolean): AsyncGenerator<Buffer> {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      const piece = this.#zlib.read() as Buffer | null;
      if (this.#error !== undefined) throw this.#error;
      if (piece !== null) yield piece;
      else if (this.#hasEnded || isDone()) return;
      else await woken;
    }
  }

  #end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  #fail(error: Error): void {
    this.#error = error;
    this.#wake();
  }
}
