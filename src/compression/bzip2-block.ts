import type { Bzip2Bits } from './bzip2-bits.js';
import { readTables, type Bzip2Tables } from './bzip2-tables.js';
import { isDamaged, isUnsupported } from './unpack-errors.js';

/** Symbols that are coded by one table. */
const GROUP_SYMBOLS = 50;

/** Bytes that are enough for one group of symbols, whose codes have 20 bits at most. */
export const GROUP_BYTES = 128;

/** Equal bytes after which a byte tells how many more follow. */
const RUN_BYTES = 4;

/** No block has more bytes than this, so a longer run is a lie. */
const MAX_RUN_BIT = 1 << 20;

/**
 * One block of bzip2 data: its symbols are read group by group, then its bytes are written in pieces. Holds four bytes
 * for each byte of the block, in memory that the blocks of a stream share.
 */
export class Bzip2Block {
  readonly #bits: Bzip2Bits;
  readonly #tables: Bzip2Tables;
  readonly #start: number;
  /** For each byte its value, and after the transform the place of the next byte in the upper 24 bits. */
  readonly #bytes: Uint32Array;
  readonly #counts = new Uint32Array(256);
  /** The bytes by how recently they were used. */
  readonly #recent: Uint8Array;
  #size = 0;
  #isLinked = false;
  #groups = 0;
  #run = 0;
  #runBit = 1;

  /** Reads the head of the block. */
  constructor(bits: Bzip2Bits, bytes: Uint32Array) {
    if (bits.read(1) === 1) throw isUnsupported('is of bzip2 before 0.9.5', 'bzip2', 'bzip2 -d');
    this.#bits = bits;
    this.#bytes = bytes;
    this.#start = bits.read(24);
    this.#tables = readTables(bits);
    this.#recent = this.#tables.alphabet.slice();
  }

  /** Reads one group of symbols. Returns false at the end of the block. */
  readGroup(): boolean {
    const { selectors, tables, alphabet } = this.#tables;
    const table = tables[selectors[this.#groups] ?? -1];
    if (table === undefined) throw isDamaged('a bzip2 block has too many symbols');
    this.#groups += 1;
    for (let at = 0; at < GROUP_SYMBOLS; at += 1) {
      const symbol = table.read(this.#bits);
      if (symbol <= 1) this.#lengthen(symbol);
      else if (symbol <= alphabet.length) this.#add(symbol - 1);
      else return this.#endRun();
    }
    return true;
  }

  /** The bytes of the block, in pieces of this size. May be called again. */
  *unpack(pieceBytes: number): Generator<Buffer> {
    if (!this.#isLinked) this.#linkBytes();
    this.#isLinked = true;
    let piece = Buffer.allocUnsafe(pieceBytes);
    let size = 0;
    let next = (this.#bytes[this.#start] ?? 0) >>> 8;
    let last = -1;
    let equal = 0;
    for (let at = 0; at < this.#size; at += 1) {
      const entry = this.#bytes[next] ?? 0;
      const byte = entry & 0xff;
      next = entry >>> 8;
      const isCount = equal === RUN_BYTES;
      const copies = isCount ? byte : 1;
      equal = isCount ? 0 : byte === last ? equal + 1 : 1;
      if (!isCount) last = byte;
      for (let left = copies; left > 0; left -= 1) {
        piece[size] = last;
        size += 1;
        if (size < pieceBytes) continue;
        yield piece;
        piece = Buffer.allocUnsafe(pieceBytes);
        size = 0;
      }
    }
    yield piece.subarray(0, size);
  }

  /** A run's length is coded in digits of 1 and 2, the lowest first. */
  #lengthen(symbol: number): void {
    if (this.#runBit > MAX_RUN_BIT) throw isDamaged('a run of a bzip2 block is too long');
    this.#run += this.#runBit << symbol;
    this.#runBit <<= 1;
  }

  /** Adds the byte at this place of the list, after the run before it. */
  #add(place: number): void {
    this.#endRun();
    const byte = this.#recent[place] ?? 0;
    this.#recent.copyWithin(1, 0, place);
    this.#recent[0] = byte;
    this.#append(byte, 1);
  }

  #endRun(): false {
    if (this.#run > 0) this.#append(this.#recent[0] ?? 0, this.#run);
    this.#run = 0;
    this.#runBit = 1;
    return false;
  }

  #append(byte: number, count: number): void {
    if (this.#size + count > this.#bytes.length) throw isDamaged('a bzip2 block is too long');
    this.#bytes.fill(byte, this.#size, this.#size + count);
    this.#size += count;
    this.#counts[byte] = (this.#counts[byte] ?? 0) + count;
  }

  /** Undoes the Burrows-Wheeler transform: gives each byte the place of the one that follows it. */
  #linkBytes(): void {
    if (this.#start >= this.#size) throw isDamaged('a bzip2 block starts outside of itself');
    let place = 0;
    const places = this.#counts.map((count) => {
      place += count;
      return place - count;
    });
    for (let at = 0; at < this.#size; at += 1) {
      const byte = (this.#bytes[at] ?? 0) & 0xff;
      const target = places[byte] ?? 0;
      this.#bytes[target] = (this.#bytes[target] ?? 0) | (at << 8);
      places[byte] = target + 1;
    }
  }
}
