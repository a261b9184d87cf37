import { crc32 } from 'node:zlib';

/* The end of a stream by "The .xz File Format" 1.2.1: streams and the padding between them are whole words. */

const WORD_BYTES = 4;
const HEADER_MAGIC = Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]);
const FOOTER_BYTES = 12;
/** A footer, and what is too short for the header of another stream, which has as many bytes. */
const KEPT_WORDS = (2 * FOOTER_BYTES) / WORD_BYTES;

/**
 * The last words of xz data, without those that are zero. The decoder tells of bytes behind the last stream, if they
 * are too few for a header, with the same result as of data that was cut; this tells the two apart. Holds 27 bytes.
 */
export class XzTail {
  #kept: Buffer = Buffer.alloc(0);

  add(bytes: Buffer): void {
    const all = Buffer.concat([this.#kept, bytes]);
    const kept = [all.subarray(all.length - (all.length % WORD_BYTES))];
    for (let at = all.length - (all.length % WORD_BYTES); at > 0 && kept.length <= KEPT_WORDS; at -= WORD_BYTES) {
      const word = all.subarray(at - WORD_BYTES, at);
      if (word.readUInt32LE() !== 0) kept.unshift(word);
    }
    this.#kept = Buffer.concat(kept);
  }

  /** Whether the last stream ends here, and what follows begins no other. */
  hasMore(): boolean {
    for (let at = this.#kept.length - FOOTER_BYTES; at >= 0; at -= 1) {
      const rest = this.#kept.subarray(at + FOOTER_BYTES);
      if (isFooter(this.#kept.subarray(at, at + FOOTER_BYTES))) return rest.length > 0 && !beginsStream(rest);
    }
    return false;
  }
}

/** A footer: the CRC32 of the size of the index and the flags, both of them, and "YZ". */
function isFooter(bytes: Buffer): boolean {
  return bytes.toString('latin1', 10) === 'YZ' && crc32(bytes.subarray(4, 10)) === bytes.readUInt32LE();
}

function beginsStream(bytes: Buffer): boolean {
  const head = bytes.subarray(0, HEADER_MAGIC.length);
  return HEADER_MAGIC.subarray(0, head.length).equals(head);
}
