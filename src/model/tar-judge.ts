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

/** An entry whose headers were judged. */
export interface JudgedEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  readonly linkname: string;
  /** Where its body starts in the archive, and how long it is, in bytes. */
  readonly start: number;
  readonly size: number;
}

/** What PAX records and GNU long names say of the entry that follows them. */
interface Override {
  readonly name?: string;
  readonly linkname?: string;
  readonly size?: number;
  readonly hasPax?: true;
}

/**
 * Judges a tar archive header by header: checksum, numbers, type, size, name, links, and that two zero blocks and nothing but
 * zeros end the archive, so that an archive which was cut never ends well. Bodies may be passed over. Holds one header
 * block, and the PAX or long-name data of one entry (at most 1 MiB).
 * Errors: ERR_TAR_HEADER, ERR_TAR_ENTRY, ERR_ARCHIVE_TRUNCATED, ERR_ARCHIVE_FORMAT, ERR_LIMIT_ENTRIES, ERR_LIMIT_BYTES.
 */
export class TarJudge {
  readonly #limits: Limits;
  readonly #onEntry: (entry: JudgedEntry) => void;
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
  #position = 0;

  /** `onEntry` is told of every entry as soon as its headers were judged. */
  constructor(limits: Limits = DEFAULT_LIMITS, onEntry: (entry: JudgedEntry) => void = () => {}) {
    this.#limits = limits;
    this.#onEntry = onEntry;
  }

  /** Bytes of the archive that were judged or passed over so far. */
  get position(): number {
    return this.#position;
  }

  /** Zeros behind the end of the archive so far, in bytes. */
  get trailing(): number {
    return this.#trailing;
  }

  /** Bytes that come next and may be passed over: the rest of a body and its padding. */
  get skippable(): number {
    return this.#bodyLeft + this.#paddingLeft;
  }

  /** Passes over some of the bytes that may be. */
  skip(bytes: number): void {
    const body = Math.min(bytes, this.#bodyLeft);
    this.#bodyLeft -= body;
    this.#paddingLeft -= bytes - body;
    this.#advance(bytes);
  }

  /** Judges the bytes that come next. */
  judge(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const passed = this.#step(chunk.subarray(at));
      this.#advance(passed);
      at += passed;
    }
  }

  /** Judges the end of the archive. */
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

  /** Where the header block ends that was just judged: blocks stand at multiples of their size. */
  #blockEnd(): number {
    return (Math.floor(this.#position / TAR_BLOCK) + 1) * TAR_BLOCK;
  }

  /** Judges the start of some bytes and tells how many of them that were. */
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
    const isFolder = name.endsWith('/');
    if (header.type === '0' && isFolder !== header.name.endsWith('/')) throw badEntry(name, 'is a file or a folder');
    const isFile = header.type === '0' && !isFolder;
    if (!isFile && size !== 0) throw badEntry(name, 'is no file but has a size');
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
