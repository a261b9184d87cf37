import { paddingOf } from '../model/tar-header.js';

/** Bytes of a chunk. */
const CHUNK_BYTES = 256 * 1024;

/** Room for what comes before a chunk is full. */
const ROOM_BYTES = 32 * 1024;

/** Bytes of a header block that show that it goes on. */
const PART_OF_HEADER = 256;

/**
 * Puts headers and bodies together into chunks. No chunk but the last ends between two entries: many readers take a tar
 * that was cut there for a whole one. Holds one chunk.
 */
export class TarChunks {
  #buffer = Buffer.allocUnsafe(CHUNK_BYTES + ROOM_BYTES);
  #bytes = 0;
  /** How many of the held bytes may go, so that the cut is inside a header or a body. */
  #safe = 0;
  #left = 0;
  #padding = 0;

  /** Adds the header blocks of an entry with a body of `size` bytes. The last of the blocks is its own. */
  addHeader(blocks: Buffer, size: number): void {
    this.#push(blocks);
    this.#safe = this.#bytes - PART_OF_HEADER;
    this.#left = size;
    this.#padding = paddingOf(size);
  }

  /** Adds a piece of the body, and the padding behind its last one. */
  addBody(piece: Buffer): void {
    this.#push(piece);
    this.#left -= piece.length;
    this.#safe = this.#left > 0 ? this.#bytes : this.#bytes - 1;
    if (this.#left > 0) return;
    this.#room(this.#padding);
    this.#buffer.fill(0, this.#bytes, this.#bytes + this.#padding);
    this.#bytes += this.#padding;
  }

  /** Whether a chunk should be taken before more is added. */
  get isFull(): boolean {
    return this.#safe >= CHUNK_BYTES;
  }

  /** The bytes that may go. */
  take(): Buffer {
    const [all, safe] = [this.#buffer, this.#safe];
    const kept = all.subarray(safe, this.#bytes);
    this.#buffer = Buffer.allocUnsafe(CHUNK_BYTES + ROOM_BYTES);
    [this.#bytes, this.#safe] = [0, 0];
    this.#push(kept);
    return all.subarray(0, safe);
  }

  /** The last chunk, with the end blocks. */
  end(): Buffer {
    return Buffer.concat([this.#buffer.subarray(0, this.#bytes), Buffer.alloc(1024)]);
  }

  #push(piece: Buffer): void {
    this.#room(piece.length);
    piece.copy(this.#buffer, this.#bytes);
    this.#bytes += piece.length;
  }

  /** Makes room for a large extension or piece. */
  #room(bytes: number): void {
    if (this.#bytes + bytes <= this.#buffer.length) return;
    const larger = Buffer.allocUnsafe(this.#bytes + bytes + CHUNK_BYTES);
    this.#buffer.copy(larger, 0, 0, this.#bytes);
    this.#buffer = larger;
  }
}
