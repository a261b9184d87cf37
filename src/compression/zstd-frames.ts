import { endsEarly, goesOn, isDamaged, isUnsupported, needsMemory } from './unpack-errors.js';

const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a50;
/** The low four bits of a skippable frame's magic number vary. */
const SKIPPABLE_MASK = 0xfffffff0;

/** What comes next, and how many bytes of it. Only bytes of `skip` and `body` are not looked at. */
interface Part {
  readonly kind: 'magic' | 'skip-size' | 'skip' | 'descriptor' | 'header' | 'block' | 'body' | 'checksum';
  readonly bytes: number;
}

const MAGIC: Part = { kind: 'magic', bytes: 4 };

/** Bytes of the dictionary id and of the content size, by their flags in the frame header descriptor. */
const DICTIONARY_BYTES = [0, 1, 2, 4];
const CONTENT_BYTES = [0, 2, 4, 8];

/**
 * Finds the frames of zstd data (RFC 8878), without unpacking them: libraries differ in what they do between two
 * frames. Passes the frames of data on, leaves skippable frames out, and refuses everything else. Holds 14 bytes.
 * Throws ERR_COMPRESSED_DATA, ERR_ARCHIVE_TRUNCATED, ERR_COMPRESSION_UNSUPPORTED.
 */
export class ZstdFrames {
  readonly #maxWindowBytes: number;
  #part: Part = MAGIC;
  /** What has come of a part that must be read as a whole. */
  #read = Buffer.alloc(0);
  #left = MAGIC.bytes;
  #frames = 0;
  #hasChecksum = false;
  #isLastBlock = false;
  #descriptor = 0;

  constructor(maxWindowBytes: number) {
    this.#maxWindowBytes = maxWindowBytes;
  }

  /** The bytes of this chunk that belong to frames of data. No piece has bytes of two frames. */
  *take(chunk: Buffer): Generator<Buffer> {
    let from = this.#isInFrame() ? 0 : -1;
    for (let at = 0; at < chunk.length;) {
      const bytes = chunk.subarray(at, at + this.#left);
      at += bytes.length;
      if (!this.#complete(bytes)) break;
      const wasInFrame = from >= 0;
      this.#next();
      if (!wasInFrame && this.#part.kind === 'descriptor') {
        // The magic number may have begun in an earlier chunk, when nobody knew what it would become.
        if (at < MAGIC.bytes) yield this.#read;
        from = at < MAGIC.bytes ? at : at - MAGIC.bytes;
      } else if (wasInFrame && this.#part === MAGIC) {
        yield chunk.subarray(from, at);
        from = -1;
      }
      this.#read = Buffer.alloc(0);
    }
    if (from >= 0 && from < chunk.length) yield chunk.subarray(from);
  }

  /** Throws if the data does not end between two frames. */
  end(): void {
    if (this.#part !== MAGIC) throw endsEarly();
    if (this.#left < MAGIC.bytes) throw this.#frames > 0 && !beginsFrame(this.#read) ? goesOn() : endsEarly();
  }

  #isInFrame(): boolean {
    return !['magic', 'skip-size', 'skip'].includes(this.#part.kind);
  }

  /** Takes bytes of the current part. Returns whether it is complete. */
  #complete(bytes: Buffer): boolean {
    this.#left -= bytes.length;
    if (this.#part.kind !== 'body' && this.#part.kind !== 'skip') this.#read = Buffer.concat([this.#read, bytes]);
    return this.#left === 0;
  }

  #next(): void {
    // Parts without bytes are passed at once.
    do {
      this.#part = this.#after(this.#part.kind, this.#read);
      this.#left = this.#part.bytes;
    } while (this.#left === 0);
  }

  #after(kind: Part['kind'], read: Buffer): Part {
    if (kind === 'magic') return this.#afterMagic(read.readUInt32LE());
    if (kind === 'skip-size') return { kind: 'skip', bytes: read.readUInt32LE() };
    if (kind === 'descriptor') return this.#afterDescriptor(read.readUInt8());
    if (kind === 'header') return this.#afterHeader(read);
    if (kind === 'block') return this.#afterBlock(read.readUIntLE(0, 3));
    if (kind === 'body' && !this.#isLastBlock) return { kind: 'block', bytes: 3 };
    if (kind === 'body' && this.#hasChecksum) return { kind: 'checksum', bytes: 4 };
    return MAGIC;
  }

  #afterMagic(magic: number): Part {
    if (magic === FRAME_MAGIC) {
      this.#frames += 1;
      return { kind: 'descriptor', bytes: 1 };
    }
    if ((magic & SKIPPABLE_MASK) >>> 0 === SKIPPABLE_MAGIC) return { kind: 'skip-size', bytes: 4 };
    throw this.#frames > 0 ? goesOn() : isDamaged('no frame follows a skippable one');
  }

  #afterDescriptor(descriptor: number): Part {
    if ((descriptor & 0b1000) !== 0) throw isDamaged('a reserved bit of a zstd frame is set');
    this.#descriptor = descriptor;
    this.#hasChecksum = (descriptor & 0b100) !== 0;
    const { window, dictionary, content } = sizesOf(descriptor);
    const bytes = window + dictionary + content;
    return { kind: 'header', bytes };
  }

  #afterHeader(header: Buffer): Part {
    const { window, dictionary } = sizesOf(this.#descriptor);
    if (header.subarray(window, window + dictionary).some((byte) => byte !== 0)) {
      throw isUnsupported('needs a zstd dictionary', 'zstd', 'zstd -d -D DICTIONARY');
    }
    const bytes = window === 1 ? windowBytes(header.readUInt8()) : contentBytes(header.subarray(dictionary));
    if (bytes > BigInt(this.#maxWindowBytes))
      throw needsMemory(decoderOf(bytes), { bytes, maxBytes: this.#maxWindowBytes });
    return { kind: 'block', bytes: 3 };
  }

  /** A block repeats one byte, or has as many bytes as it says. */
  #afterBlock(header: number): Part {
    this.#isLastBlock = (header & 1) === 1;
    const type = (header >> 1) & 3;
    if (type === 3) throw isDamaged('a zstd block has a reserved type');
    return { kind: 'body', bytes: type === 1 ? 1 : header >> 3 };
  }
}

/** Whether these bytes, fewer than a magic number has, may be the start of one. */
function beginsFrame(bytes: Buffer): boolean {
  const [first = 0] = bytes;
  const magic = Buffer.alloc(MAGIC.bytes);
  magic.writeUInt32LE(
    first >> 4 === (SKIPPABLE_MAGIC % 0x100) >> 4 ? SKIPPABLE_MAGIC + (first & 0xf) : FRAME_MAGIC >>> 0,
  );
  return magic.subarray(0, bytes.length).equals(bytes);
}

/** Bytes of the parts of a frame header. A frame in a single segment has no window of its own. */
function sizesOf(descriptor: number): {
  readonly window: number;
  readonly dictionary: number;
  readonly content: number;
} {
  const isSingle = (descriptor & 0b100000) !== 0;
  const flag = descriptor >> 6;
  const content = flag === 0 && isSingle ? 1 : (CONTENT_BYTES[flag] ?? 0);
  return { window: isSingle ? 0 : 1, dictionary: DICTIONARY_BYTES[descriptor & 3] ?? 0, content };
}

function windowBytes(descriptor: number): bigint {
  const base = 1n << BigInt(10 + (descriptor >> 3));
  return base + (base >> 3n) * BigInt(descriptor & 7);
}

function contentBytes(field: Buffer): bigint {
  if (field.length === 8) return field.readBigUInt64LE();
  return BigInt(field.readUIntLE(0, field.length)) + (field.length === 2 ? 256n : 0n);
}

/** The command that unpacks a frame with such a window. */
function decoderOf(bytes: bigint): { readonly compression: string; readonly command: string } {
  const log = Math.min(31, (bytes - 1n).toString(2).length);
  return { compression: 'zstd', command: `zstd -d --long=${log}` };
}
