import type { Bzip2Bits } from './bzip2-bits.js';
import { isDamaged } from './unpack-errors.js';

const MAX_CODE_BITS = 20;
const MAX_GROUPS = 6;

/** How the symbols of a block are coded: by which table, for each 50 of them. */
export interface Bzip2Tables {
  /** The bytes that the block has. */
  readonly alphabet: Uint8Array;
  readonly selectors: Uint8Array;
  readonly tables: readonly HuffmanTable[];
}

/** Reads what stands before the symbols of a block. Throws ERR_COMPRESSED_DATA, ERR_ARCHIVE_TRUNCATED. */
export function readTables(bits: Bzip2Bits): Bzip2Tables {
  const alphabet = readAlphabet(bits);
  const groups = bits.read(3);
  const count = bits.read(15);
  if (groups < 2 || groups > MAX_GROUPS || count === 0) throw isDamaged('a bzip2 block has no tables');
  const selectors = readSelectors(bits, groups, count);
  // Two symbols are for runs and one ends the block; no symbol stands for the byte in front.
  const tables = Array.from({ length: groups }, () => new HuffmanTable(readLengths(bits, alphabet.length + 2)));
  return { alphabet, selectors, tables };
}

/** Two levels of bits tell which bytes occur. */
function readAlphabet(bits: Bzip2Bits): Uint8Array {
  const ranges = bits.read(16);
  const bytes: number[] = [];
  for (let range = 0; range < 16; range += 1) {
    if ((ranges & (0x8000 >> range)) === 0) continue;
    const used = bits.read(16);
    for (let at = 0; at < 16; at += 1) if ((used & (0x8000 >> at)) !== 0) bytes.push(range * 16 + at);
  }
  if (bytes.length === 0) throw isDamaged('a bzip2 block has no bytes');
  return Uint8Array.from(bytes);
}

/** Each selector is coded as its place in a list, whose front is the last one used. */
function readSelectors(bits: Bzip2Bits, groups: number, count: number): Uint8Array {
  const recent = Array.from({ length: groups }, (_, at) => at);
  return Uint8Array.from({ length: count }, () => {
    let place = 0;
    while (bits.read(1) === 1) place += 1;
    const [selector] = recent.splice(place, 1);
    if (selector === undefined) throw isDamaged('a bzip2 selector names no table');
    recent.unshift(selector);
    return selector;
  });
}

/** Each length is coded as its difference to the one before. */
function readLengths(bits: Bzip2Bits, symbols: number): Uint8Array {
  let length = bits.read(5);
  return Uint8Array.from({ length: symbols }, () => {
    for (;;) {
      if (length < 1 || length > MAX_CODE_BITS) throw isDamaged('a bzip2 code is too long');
      if (bits.read(1) === 0) return length;
      length += bits.read(1) === 0 ? 1 : -1;
    }
  });
}

/** A canonical Huffman code: codes of one length are numbers that follow one another. */
export class HuffmanTable {
  readonly #minLength: number;
  /** For each length: one more than its last code, and what to add to a code for its place among the symbols. */
  readonly #ends = new Int32Array(MAX_CODE_BITS + 1);
  readonly #offsets = new Int32Array(MAX_CODE_BITS + 1);
  readonly #symbols: Uint16Array;

  constructor(lengths: Uint8Array) {
    this.#minLength = Math.min(...lengths);
    const symbols = Uint16Array.from(lengths.keys());
    this.#symbols = symbols.toSorted((a, b) => (lengths[a] ?? 0) - (lengths[b] ?? 0) || a - b);
    let code = 0;
    let place = 0;
    for (let length = 1; length <= MAX_CODE_BITS; length += 1) {
      const count = lengths.filter((one) => one === length).length;
      this.#offsets[length] = place - code;
      code += count;
      place += count;
      this.#ends[length] = code;
      code <<= 1;
    }
  }

  /** Reads one symbol. Throws ERR_COMPRESSED_DATA for bits that are no code. */
  read(bits: Bzip2Bits): number {
    let code = bits.read(this.#minLength);
    for (let length = this.#minLength; length <= MAX_CODE_BITS; length += 1) {
      if (code < (this.#ends[length] ?? 0)) return this.#symbols[code + (this.#offsets[length] ?? 0)] ?? noCode();
      code = (code << 1) | bits.read(1);
    }
    return noCode();
  }
}

function noCode(): never {
  throw isDamaged('bits of a bzip2 block are no code');
}
