import { Bzip2Bits } from './bzip2-bits.js';
import { Bzip2Block, GROUP_BYTES } from './bzip2-block.js';
import { goesOn, isDamaged } from './unpack-errors.js';

const MAGIC = [0x42, 0x5a, 0x68];
/** The digits of π before each block, and of its square root before the end, in two halves. */
const BLOCK = [0x314159, 0x265359];
const END = [0x177245, 0x385090];

/** Bytes that are enough for the head of a block: 32 767 selectors of 6 bits, 6 tables of 258 lengths. */
const HEAD_BYTES = 40_000;

/** Groups of symbols that are read at once: about a millisecond. */
const GROUPS_AT_ONCE = 256;

const PIECE_BYTES = 128 * 1024;
/** Enough for a block without long runs, which has 900 kB at most. */
const MAX_HELD_PIECES = 8;

/** What unpacking needs or has: more input, nothing but a pause, or a piece of output. */
type Step = 'input' | Buffer;

const PAUSE = Buffer.alloc(0);

/**
 * Unpacks bzip2 data in small steps: one stream after another. Checks the checksums of blocks and streams. Holds the
 * block that is being unpacked, 3.6 MB at most, 1 MiB of what it unpacks to, and the input for its next step.
 */
export class Bzip2Streams {
  readonly #bits = new Bzip2Bits();
  readonly #steps = this.#streams();
  #hasEnded = false;

  /** What these bytes unpack to, in pieces; an empty piece is only a pause. */
  *take(chunk: Buffer): Generator<Buffer> {
    this.#bits.feed(chunk);
    yield* this.#untilInput();
  }

  /** What is left when all bytes have come. Throws ERR_ARCHIVE_TRUNCATED. */
  *end(): Generator<Buffer> {
    this.#hasEnded = true;
    yield* this.#untilInput();
  }

  *#untilInput(): Generator<Buffer> {
    for (;;) {
      const { done, value } = this.#steps.next();
      if (done === true || value === 'input') return;
      yield value;
    }
  }

  *#streams(): Generator<Step, void> {
    for (let streams = 0; ; streams += 1) {
      yield* this.#need(MAGIC.length + 1);
      if (this.#bits.bytesLeft === 0) return;
      if (MAGIC.some((byte) => this.#bits.read(8) !== byte)) throw streams === 0 ? isDamaged('no bzip2') : goesOn();
      const level = this.#bits.read(8) - 0x30;
      if (level < 1 || level > 9) throw isDamaged('bzip2 has no such level');
      yield* this.#stream(new Uint32Array(level * 100_000));
    }
  }

  *#stream(memory: Uint32Array): Generator<Step, void> {
    for (let all = 0; ;) {
      yield* this.#need(HEAD_BYTES);
      const magic = [this.#bits.read(24), this.#bits.read(24)];
      const expected = this.#bits.readWord();
      if (isSame(magic, END)) {
        if (expected !== all) throw isDamaged('bzip2 has another checksum');
        return this.#bits.align();
      }
      if (!isSame(magic, BLOCK)) throw isDamaged('no bzip2 block follows');
      yield* this.#block(new Bzip2Block(this.#bits, memory), expected);
      all = (((all << 1) | (all >>> 31)) ^ expected) >>> 0;
    }
  }

  *#block(block: Bzip2Block, expected: number): Generator<Step, void> {
    for (let groups = 1; ; groups += 1) {
      yield* this.#need(GROUP_BYTES);
      if (!block.readGroup()) break;
      if (groups % GROUPS_AT_ONCE === 0) yield PAUSE;
    }
    yield* this.#checked(block, expected);
  }

  /**
   * What the block unpacks to, once its checksum is known to be right: else a reader would take damage for its own. A
   * block with long runs is unpacked twice.
   */
  *#checked(block: Bzip2Block, expected: number): Generator<Step, void> {
    let checksum = 0xffffffff;
    let held: Buffer[] | undefined = [];
    for (const piece of block.unpack(PIECE_BYTES)) {
      checksum = crc32(checksum, piece);
      held?.push(piece);
      if (held !== undefined && held.length > MAX_HELD_PIECES) held = undefined;
      yield PAUSE;
    }
    if (~checksum >>> 0 !== expected) throw isDamaged('a bzip2 block has another checksum');
    yield* held ?? block.unpack(PIECE_BYTES);
  }

  *#need(bytes: number): Generator<Step, void> {
    while (this.#bits.bytesLeft < bytes && !this.#hasEnded) yield 'input';
  }
}

function isSame(one: readonly number[], other: readonly number[]): boolean {
  return one[0] === other[0] && one[1] === other[1];
}

/** The table of a CRC that takes the highest bit first. */
const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit += 1) crc = (crc << 1) ^ (crc < 0 ? 0x04c11db7 : 0);
  return crc;
});

function crc32(start: number, bytes: Buffer): number {
  let crc = start;
  for (let at = 0; at < bytes.length; at += 1) {
    crc = (crc << 8) ^ (CRC[(crc >>> 24) ^ (bytes[at] ?? 0)] ?? 0);
  }
  return crc;
}
