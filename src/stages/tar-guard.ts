import { Transform, type TransformCallback } from 'node:stream';
import { badEntry, checkEntryName, checkLink } from '../model/entry-name.js';
import { LadingError } from '../model/errors.js';
import { DEFAULT_LIMITS, type Limits } from '../model/limits.js';
import {
  badHeader,
  decodeName,
  parsePaxRecords,
  parsePaxSize,
  parseTarHeader,
  TAR_BLOCK,
  type TarHeader,
} from '../model/tar-header.js';

/** What PAX records and GNU long names say of the entry that follows them. */
interface Override {
  readonly name?: string;
  readonly linkname?: string;
  readonly size?: number;
  readonly hasPax?: true;
}

/**
 * Judges every tar header before the reader behind it sees a byte: checksum, numbers, type, size, name, links, and that two
 * zero blocks and nothing but zeros end the archive, so that an archive which was cut never ends well. Bytes pass
 * unchanged up to that end. Holds one header block, and the PAX or long-name data of one entry (at most 1 MiB).
 * Errors: ERR_TAR_HEADER, ERR_TAR_ENTRY, ERR_ARCHIVE_TRUNCATED, ERR_ARCHIVE_FORMAT, ERR_LIMIT_ENTRIES, ERR_LIMIT_BYTES.
 */
export class TarGuard extends Transform {
  readonly #limits: Limits;
  /** Bytes of the current body, then of its padding, that are still to come. */
  #bodyLeft = 0;
  #paddingLeft = 0;
  /** A header block, or the body of a PAX or long-name entry, as it is collected; its kind, undefined for a header. */
  #collected: Buffer[] = [];
  #collectLeft = TAR_BLOCK;
  #collecting: 'x' | 'g' | 'L' | 'K' | undefined;
  #override: Override = {};
  #overrideBytes = 0;
  #headerBytes = 0;
  #zeroBlocks = 0;
  #trailing = 0;
  #entries = 0;
  #bytes = 0;

  constructor(limits: Limits = DEFAULT_LIMITS) {
    super();
    this.#limits = limits;
  }

  override _transform(chunk: Buffer, _encoding: string, callback: TransformCallback): void {
    const trailedBefore = this.#trailing;
    try {
      this.#judge(chunk);
    } catch (error) {
      callback(error as Error);
      return;
    }
    // Zeros behind the end need not fill a block, which the reader behind this guard would take for a cut.
    const passed = chunk.length - (this.#trailing - trailedBefore);
    if (passed === 0) callback();
    else callback(null, chunk.subarray(0, passed));
  }

  override _flush(callback: TransformCallback): void {
    if (this.#zeroBlocks === 2) callback();
    else callback(this.#cutShort());
  }

  #cutShort(): LadingError {
    if (this.#bytes === 0) return new LadingError('ERR_ARCHIVE_FORMAT', 'the input is empty');
    const message = `the archive ends after ${this.#bytes} bytes without its end mark; it was cut, fetch it again`;
    return new LadingError('ERR_ARCHIVE_TRUNCATED', message, { details: { bytes: this.#bytes } });
  }

  #judge(chunk: Buffer): void {
    this.#bytes += chunk.length;
    if (this.#bytes > this.#limits.maxArchiveBytes) {
      throw new LadingError('ERR_LIMIT_BYTES', `the archive has more than ${this.#limits.maxArchiveBytes} bytes`);
    }
    for (let at = 0; at < chunk.length;) at += this.#step(chunk.subarray(at));
  }

  /** Judges the start of some bytes and tells how many of them that were. */
  #step(bytes: Buffer): number {
    if (this.#zeroBlocks === 2) return this.#judgeTrailing(bytes);
    if (this.#bodyLeft > 0) return this.#skipBody(bytes);
    if (this.#paddingLeft > 0) return this.#skipPadding(bytes);
    const part = bytes.subarray(0, this.#collectLeft);
    this.#collected.push(part);
    this.#collectLeft -= part.length;
    if (this.#collectLeft === 0) this.#judgeCollected();
    return part.length;
  }

  #skipBody(bytes: Buffer): number {
    const skipped = Math.min(this.#bodyLeft, bytes.length);
    this.#bodyLeft -= skipped;
    return skipped;
  }

  #skipPadding(bytes: Buffer): number {
    const skipped = Math.min(this.#paddingLeft, bytes.length);
    this.#paddingLeft -= skipped;
    return skipped;
  }

  #judgeTrailing(bytes: Buffer): number {
    this.#trailing += bytes.length;
    if (this.#trailing > this.#limits.maxTrailingBytes) {
      throw new LadingError(
        'ERR_LIMIT_BYTES',
        `more than ${this.#limits.maxTrailingBytes} bytes follow the archive's end`,
      );
    }
    if (!isZero(bytes)) throw new LadingError('ERR_ARCHIVE_FORMAT', 'something follows the end of the archive');
    return bytes.length;
  }

  #judgeCollected(): void {
    const [first] = this.#collected;
    const bytes = first !== undefined && this.#collected.length === 1 ? first : Buffer.concat(this.#collected);
    const kind = this.#collecting;
    this.#collected = [];
    this.#collecting = undefined;
    this.#collectLeft = TAR_BLOCK;
    if (kind !== undefined) this.#judgeOverride(kind, bytes);
    else if (isZero(bytes)) this.#judgeZeros();
    else this.#judgeHeader(bytes);
  }

  #judgeZeros(): void {
    if (Object.keys(this.#override).length > 0) throw badHeader('an extension that no entry follows');
    this.#zeroBlocks += 1;
  }

  #judgeHeader(block: Buffer): void {
    if (this.#zeroBlocks > 0) throw badHeader('it follows a zero block');
    if (this.#entries === 0 && block.toString('latin1', 257, 262) !== 'ustar') {
      throw new LadingError('ERR_ARCHIVE_FORMAT', 'the input is not a tar archive');
    }
    const header = parseTarHeader(block);
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) {
      throw new LadingError('ERR_LIMIT_ENTRIES', `the archive has more than ${this.#limits.maxEntries} entries`);
    }
    if (header.type === 'x' || header.type === 'g' || header.type === 'L' || header.type === 'K') {
      this.#collect(header.type, header.size);
    } else {
      this.#judgeEntry(header);
    }
  }

  #collect(kind: 'x' | 'g' | 'L' | 'K', size: number): void {
    const { maxEntryHeaderBytes, maxHeaderBytes } = this.#limits;
    this.#overrideBytes += size;
    this.#headerBytes += size;
    if (this.#overrideBytes > maxEntryHeaderBytes) {
      throw new LadingError('ERR_LIMIT_BYTES', `an entry has more than ${maxEntryHeaderBytes} bytes of headers`);
    }
    if (this.#headerBytes > maxHeaderBytes) {
      throw new LadingError('ERR_LIMIT_BYTES', `the archive has more than ${maxHeaderBytes} bytes of extended headers`);
    }
    if (size === 0) throw badHeader('its extension is empty');
    this.#collecting = kind;
    this.#collectLeft = size;
  }

  #judgeOverride(kind: 'x' | 'g' | 'L' | 'K', body: Buffer): void {
    this.#paddingLeft = paddingOf(body.length);
    if (kind === 'L') this.#overrideOnce({ name: longName(body) });
    if (kind === 'K') this.#overrideOnce({ linkname: longName(body) });
    if (kind === 'x') this.#applyPax(parsePaxRecords(body, this.#limits.maxPaxRecords));
    if (kind === 'g') refuseGlobal(parsePaxRecords(body, this.#limits.maxPaxRecords));
  }

  #applyPax(records: ReadonlyMap<string, string>): void {
    const [name, linkname, size] = ['path', 'linkpath', 'size'].map((key) => records.get(key));
    this.#overrideOnce({
      hasPax: true,
      ...(name !== undefined && { name }),
      ...(linkname !== undefined && { linkname }),
      ...(size !== undefined && { size: parsePaxSize(size) }),
    });
  }

  /** Of two extensions for one thing, readers choose differently: the one behind this guard must not see another entry. */
  #overrideOnce(override: Override): void {
    if (Object.keys(override).some((key) => key in this.#override)) {
      throw badHeader('two extensions of one entry say the same thing');
    }
    this.#override = { ...this.#override, ...override };
  }

  #judgeEntry(header: TarHeader): void {
    const { name, linkname, size } = { ...header, ...this.#override };
    checkEntryName(name, this.#limits.maxNameBytes);
    // A file whose name ends with a slash is a directory to older readers, and to the one behind this guard.
    const isFile = header.type === '0' && !name.endsWith('/') && !header.name.endsWith('/');
    if (!isFile && size !== 0) throw badEntry(name, 'is no file but has a size');
    if (header.type === '1') checkLink(name, 'link', linkname);
    if (header.type === '2') checkLink(name, 'symlink', linkname);
    this.#override = {};
    this.#overrideBytes = 0;
    this.#bodyLeft = size;
    this.#paddingLeft = paddingOf(size);
  }
}

/** Global records would rename or resize every later entry; image tools write none, `git archive` only a comment. */
function refuseGlobal(records: ReadonlyMap<string, string>): void {
  for (const key of ['path', 'linkpath', 'size']) {
    if (records.has(key)) throw badHeader(`a global PAX record sets the ${key} of every entry`);
  }
}

function longName(body: Buffer): string {
  const end = body.indexOf(0);
  return decodeName(end === -1 ? body : body.subarray(0, end));
}

function paddingOf(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

const ZEROS = Buffer.alloc(64 * 1024);

function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (!part.equals(ZEROS.subarray(0, part.length))) return false;
  }
  return true;
}
