import { endsEarly } from './unpack-errors.js';

/** The bits of bzip2 data, the highest of each byte first. Holds what was fed and not yet read. */
export class Bzip2Bits {
  #bytes: Uint8Array = new Uint8Array();
  #at = 0;
  /** Bits that were taken from the bytes; the lowest `#count` of them are not read yet. */
  #window = 0;
  #count = 0;

  feed(chunk: Uint8Array): void {
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), chunk]);
    this.#at = 0;
  }

  /** Whole bytes that can be read without more input. */
  get bytesLeft(): number {
    return this.#bytes.length - this.#at + (this.#count >> 3);
  }

  /** The next bits, at most 24, as a number. Throws ERR_ARCHIVE_TRUNCATED. */
  read(bits: number): number {
    while (this.#count < bits) {
      if (this.#at >= this.#bytes.length) throw endsEarly();
      this.#window = (this.#window << 8) | (this.#bytes[this.#at] ?? 0);
      this.#at += 1;
      this.#count += 8;
    }
    this.#count -= bits;
    return (this.#window >>> this.#count) & ((1 << bits) - 1);
  }

  /** The next 32 bits. */
  readWord(): number {
    return ((this.read(16) << 16) | this.read(16)) >>> 0;
  }

  /** Passes over the rest of a byte. */
  align(): void {
    this.#count -= this.#count & 7;
  }
}
