import type { SeededRandom } from '../fixtures/seeded.js';

/** Numbers that readers often get wrong. */
const NUMBERS = '0 1 -1 7 8 64 100 255 256 511 512 513 4096 65535 65536 1048576 2147483648 4294967296'.split(' ');
const HUGE_NUMBERS = '8589934592 9007199254740991 9007199254740992 18446744073709551616 1e3 1e400 0.5 00 077 +1'.split(
  ' ',
);

/** Changes bytes at random: the same random source makes the same changes. */
export class Mutator {
  readonly #random: SeededRandom;
  readonly #dictionary: readonly Buffer[];

  /** `dictionary` has words of the format. */
  constructor(random: SeededRandom, dictionary: readonly string[]) {
    this.#random = random;
    this.#dictionary = dictionary.map((text) => Buffer.from(text, 'latin1'));
  }

  /** The bytes with one to eight changes; spans are copied from `other`. */
  mutate(bytes: Buffer, other: Buffer = bytes): Buffer {
    let changed: Buffer = Buffer.from(bytes);
    for (let left = 1 + this.#random.int(this.#random.int(8) + 1); left > 0; left -= 1) {
      changed = this.#change(changed, other);
    }
    return changed;
  }

  #change(bytes: Buffer, other: Buffer): Buffer {
    const changes: readonly (() => Buffer)[] = [
      () => this.#flipBit(bytes),
      () => this.#setByte(bytes),
      () => bytes.subarray(0, this.#random.int(bytes.length + 1)),
      () => this.#replace(bytes, 0, this.#noise()),
      () => this.#replace(bytes, this.#random.int(32), Buffer.alloc(0)),
      () => this.#replace(bytes, 0, this.#span(bytes)),
      () => this.#replace(bytes, this.#random.int(64), this.#span(other)),
      () => this.#overwrite(bytes, this.#span(other)),
      () => this.#changeNumber(bytes),
      () => this.#replace(bytes, 0, this.#token()),
      () => this.#overwrite(bytes, this.#token()),
      () => this.#swapToken(bytes),
    ];
    return Buffer.from(this.#random.pick(changes)());
  }

  #flipBit(bytes: Buffer): Buffer {
    const at = this.#random.int(bytes.length + 1);
    if (at < bytes.length) bytes[at] = (bytes[at] ?? 0) ^ (1 << this.#random.int(8));
    return bytes;
  }

  #setByte(bytes: Buffer): Buffer {
    const at = this.#random.int(bytes.length + 1);
    if (at < bytes.length)
      bytes[at] = this.#random.pick([0, 0x20, 0x2f, 0x30, 0x7f, 0x80, 0xff, this.#random.int(256)]);
    return bytes;
  }

  /** Replaces `removed` bytes by the new ones. */
  #replace(bytes: Buffer, removed: number, put: Buffer): Buffer {
    const at = this.#random.int(bytes.length + 1);
    return Buffer.concat([bytes.subarray(0, at), put, bytes.subarray(at + removed)]);
  }

  #overwrite(bytes: Buffer, put: Buffer): Buffer {
    put.copy(bytes, this.#random.int(bytes.length + 1));
    return bytes;
  }

  #span(bytes: Buffer): Buffer {
    const from = this.#random.int(bytes.length + 1);
    // In tar archives, whole blocks find more than other spans.
    const [start, size] =
      this.#random.int(2) === 0 ? [from, this.#random.int(64)] : [from & ~511, 512 << this.#random.int(3)];
    return Buffer.from(bytes.subarray(start, start + size));
  }

  #noise(): Buffer {
    return Buffer.from(Array.from({ length: 1 + this.#random.int(16) }, () => this.#random.int(256)));
  }

  #token(): Buffer {
    return this.#dictionary.length === 0 ? this.#noise() : this.#random.pick(this.#dictionary);
  }

  /** Replaces a number that is written as digits in the bytes. */
  #changeNumber(bytes: Buffer): Buffer {
    const found = [...bytes.toString('latin1').matchAll(/\d+/g)];
    if (found.length === 0) return bytes;
    const { index, 0: digits } = this.#random.pick(found);
    const near = String(Number(digits.slice(0, 15)) + this.#random.int(3) - 1);
    const number = this.#random.pick([
      near,
      digits.slice(1),
      `${digits}0`,
      this.#random.pick(NUMBERS),
      this.#random.pick(HUGE_NUMBERS),
    ]);
    // A number in a field of fixed length keeps its length, so that the bytes after it do not move.
    const text = this.#random.int(2) === 0 ? number : number.padStart(digits.length, '0').slice(-digits.length);
    return Buffer.concat([bytes.subarray(0, index), Buffer.from(text), bytes.subarray(index + digits.length)]);
  }

  /** Replaces a word of the dictionary in the bytes by another one. */
  #swapToken(bytes: Buffer): Buffer {
    const found = this.#dictionary.filter((token) => token.length > 0 && bytes.includes(token));
    if (found.length === 0) return bytes;
    const old = this.#random.pick(found);
    const at = bytes.indexOf(old, this.#random.int(bytes.length));
    const start = at === -1 ? bytes.indexOf(old) : at;
    return Buffer.concat([bytes.subarray(0, start), this.#token(), bytes.subarray(start + old.length)]);
  }
}
