import { badEntry, checkEntryName, checkLink } from './entry-name.js';
import { LadingError } from './errors.js';
import { DEFAULT_LIMITS, type Limits } from './limits.js';
import {
  badHeader,
  isZero,
  longName,
  paddingOf,
  parsePaxRecords,
  parsePaxSize,
  refuseGlobal,
  parseTarHeader,
  TAR_BLOCK,
  type TarHeader,
} from './tar-header.js';

/** An entry whose headers passed all checks. */
export interface JudgedEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  readonly linkname: string;
  /** Where its body starts in the archive, and how long it is, in bytes. */
  readonly start: number;
  readonly size: number;
}

/** Fields of the next entry, set by PAX records and GNU long names before it. */
interface Override {
  readonly name?: string;
  readonly linkname?: string;
  readonly size?: number;
  readonly hasPax?: true;
}

/**
 * Checks a tar archive header by header: checksum, numbers, type, size, name, links. Two zero blocks must end the
 * archive, with only zeros after them, so that a cut archive is always refused. Bodies may be skipped. Holds one header
 * block, and the PAX or long-name data of one entry (at most 1 MiB).
 * Errors: ERR_TAR_HEADER, ERR_TAR_ENTRY, ERR_ARCHIVE_TRUNCATED, ERR_ARCHIVE_FORMAT, ERR_LIMIT_ENTRIES, ERR_LIMIT_BYTES.
 */
export class TarJudge {
  readonly #limits: Limits;
  readonly #onEntry: (entry: JudgedEntry) => void;
  /** Bytes of the current body, and of its padding, that have not come yet. */
  #bodyLeft = 0;
  #paddingLeft = 0;
  /** Bytes so far of a header block, or of the body of an extension; `#collecting` is undefined for a header. */
  #collected: Buffer[] = [];
  #collectLeft = TAR_BLOCK;
  #collecting: 'x' | 'g' | 'L' | 'K' | undefined;
  #override: Override = {};
  #overrideBytes = 0;
  #headerBytes = 0;
  #zeroBlocks = 0;
  #trailing = 0;
  #entries = 0;
  #position = 0;

  /** `onEntry` is called for every entry as soon as its headers passed all checks. */
  constructor(limits: Limits = DEFAULT_LIMITS, onEntry: (entry: JudgedEntry) => void = () => {}) {
    this.#limits = limits;
    this.#onEntry = onEntry;
  }

  /** Bytes of the archive that were checked or skipped so far. */
  get position(): number {
    return this.#position;
  }

  /** Zero bytes after the end of the archive so far. */
  get trailing(): number {
    return this.#trailing;
  }

  /** Bytes that may be skipped now: the rest of a body and its padding. */
  get skippable(): number {
    return this.#bodyLeft + this.#paddingLeft;
  }

  /** Skips bytes, at most `skippable`. */
  skip(bytes: number): void {
    const body = Math.min(bytes, this.#bodyLeft);
    this.#bodyLeft -= body;
    this.#paddingLeft -= bytes - body;
    this.#advance(bytes);
  }

  /** Checks the next bytes. */
  judge(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const passed = this.#step(chunk.subarray(at));
      this.#advance(passed);
      at += passed;
    }
  }

  /** Checks that the archive ends here. */
  end(): void {
    if (this.#zeroBlocks < 2) throw this.#cutShort();
  }

  #cutShort(): LadingError {
    if (this.#position === 0) return new LadingError('ERR_ARCHIVE_FORMAT', 'the input is empty');
    const message = `the archive ends after ${this.#position} bytes without its end mark; it was cut, fetch it again`;
    return new LadingError('ERR_ARCHIVE_TRUNCATED', message, { details: { bytes: this.#position } });
  }

  #advance(bytes: number): void {
    this.#position += bytes;
    if (this.#position <= this.#limits.maxArchiveBytes) return;
    throw new LadingError('ERR_LIMIT_BYTES', `the archive has more than ${this.#limits.maxArchiveBytes} bytes`);
  }

  /** The end of the current header block. Blocks start at multiples of their size. */
  #blockEnd(): number {
    return (Math.floor(this.#position / TAR_BLOCK) + 1) * TAR_BLOCK;
  }

  /** Checks the first of these bytes, and returns how many it used. */
  #step(bytes: Buffer): number {
    if (this.#zeroBlocks === 2) return this.#judgeTrailing(bytes);
    if (this.#bodyLeft > 0) return this.#passBody(bytes);
    if (this.#paddingLeft > 0) return this.#passPadding(bytes);
    const part = bytes.subarray(0, this.#collectLeft);
    this.#collected.push(part);
    this.#collectLeft -= part.length;
    if (this.#collectLeft === 0) this.#judgeCollected();
    return part.length;
  }

  #passBody(bytes: Buffer): number {
    const skipped = Math.min(this.#bodyLeft, bytes.length);
    this.#bodyLeft -= skipped;
    return skipped;
  }

  #passPadding(bytes: Buffer): number {
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
    if (!isZero(bytes)) throw new LadingError('ERR_ARCHIVE_FORMAT', 'data follows the end of the archive');
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
    if (Object.keys(this.#override).length > 0) throw badHeader('no entry follows its extension');
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

  /** Readers differ on which of two extensions counts, so the next stage could see another entry than we do. */
  #overrideOnce(override: Override): void {
    if (Object.keys(override).some((key) => key in this.#override)) {
      throw badHeader('two extensions set the same field of one entry');
    }
    this.#override = { ...this.#override, ...override };
  }

  #judgeEntry(header: TarHeader): void {
    const { name, linkname, size } = { ...header, ...this.#override };
    checkEntryName(name, this.#limits.maxNameBytes);
    // Older readers, and the next stage, treat a file whose name ends with a slash as a directory.
    const isFolder = name.endsWith('/');
    if (header.type === '0' && isFolder !== header.name.endsWith('/'))
      throw badEntry(name, 'is both a file and a folder');
    const isFile = header.type === '0' && !isFolder;
    if (!isFile && size !== 0) throw badEntry(name, 'is not a file but has a size');
    if (header.type === '1') checkLink(name, 'link', linkname);
    if (header.type === '2') checkLink(name, 'symlink', linkname);
    this.#override = {};
    this.#overrideBytes = 0;
    this.#bodyLeft = size;
    this.#paddingLeft = paddingOf(size);
    const type = isFile ? 'file' : header.type === '1' ? 'link' : header.type === '2' ? 'symlink' : 'directory';
    this.#onEntry({ name, type, linkname, start: this.#blockEnd(), size });
  }
}
