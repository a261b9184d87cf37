import { badEntry, checkEntryName, checkLink } from './entry-name.js';
import { LadingError } from './errors.js';
import type { Limits } from './limits.js';
import { knownBeginning, notATar } from './not-an-image.js';
import { isExtension, TarExtensions, type ExtensionType } from './tar-extensions.js';
import {
  badHeader,
  isZero,
  paddingOf,
  parseTarHeader,
  startsLikeTar,
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

/** What comes next. `contents`: a body and its padding. `last-block`: the second of the two zero blocks at the end. */
type Phase =
  | { readonly kind: 'header' | 'contents' | 'last-block' | 'end' }
  | { readonly kind: 'extension'; readonly type: ExtensionType };

/**
 * Checks a tar archive header by header: checksum, numbers, type, size, name, links. Two zero blocks must end the
 * archive, with only zeros after them, so that a cut archive is always refused. Bodies may be skipped. Holds one header
 * block, and the PAX or long-name data of one entry (at most 1 MiB).
 * Errors: ERR_TAR_HEADER, ERR_TAR_ENTRY, ERR_ARCHIVE_TRUNCATED, ERR_ARCHIVE_FORMAT, ERR_LIMIT_ENTRIES, ERR_LIMIT_BYTES.
 */
export class TarJudge {
  readonly #limits: Limits;
  readonly #onEntry: (entry: JudgedEntry) => void;
  readonly #extensions: TarExtensions;
  #phase: Phase = { kind: 'header' };
  /** Bytes of this phase that have not come yet. */
  #left = TAR_BLOCK;
  /** Bytes of this phase that have come, unless they are contents. */
  #collected: Buffer[] = [];
  #trailing = 0;
  #entries = 0;
  #position = 0;

  /** `onEntry` is called for every entry as soon as its headers passed all checks. */
  constructor(limits: Limits, onEntry: (entry: JudgedEntry) => void = () => {}) {
    this.#limits = limits;
    this.#onEntry = onEntry;
    this.#extensions = new TarExtensions(limits);
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
    return this.#phase.kind === 'contents' ? this.#left : 0;
  }

  /** Skips bytes, at most `skippable`. */
  skip(bytes: number): void {
    this.#pass(bytes);
    this.#advance(bytes);
  }

  /** Checks the next bytes. */
  judge(chunk: Buffer): void {
    for (let at = 0; at < chunk.length;) {
      const passed = this.#step(at === 0 ? chunk : chunk.subarray(at));
      this.#advance(passed);
      at += passed;
    }
  }

  /** Checks that the archive ends here. */
  end(): void {
    if (this.#phase.kind !== 'end') throw this.#cutShort();
  }

  #cutShort(): LadingError {
    if (this.#position === 0) return new LadingError('ERR_ARCHIVE_FORMAT', 'the input is empty');
    const known = this.#position < TAR_BLOCK ? knownBeginning(Buffer.concat(this.#collected)) : undefined;
    if (known !== undefined) return known;
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
    if (this.#phase.kind === 'end') return this.#judgeTrailing(bytes);
    const part = bytes.length <= this.#left ? bytes : bytes.subarray(0, this.#left);
    if (this.#phase.kind !== 'contents') this.#collected.push(part);
    this.#pass(part.length);
    return part.length;
  }

  #pass(bytes: number): void {
    this.#left -= bytes;
    if (this.#left === 0) this.#endPhase();
  }

  #endPhase(): void {
    if (this.#phase.kind === 'contents') return this.#expect({ kind: 'header' }, TAR_BLOCK);
    const [first] = this.#collected;
    const bytes = first !== undefined && this.#collected.length === 1 ? first : Buffer.concat(this.#collected);
    this.#collected = [];
    if (this.#phase.kind === 'extension') this.#judgeExtension(this.#phase.type, bytes);
    else if (isZero(bytes)) this.#judgeZeros();
    else this.#judgeHeader(bytes);
  }

  #expect(phase: Phase, bytes: number): void {
    this.#phase = phase;
    this.#left = bytes;
  }

  #expectContents(bytes: number): void {
    if (bytes === 0) this.#expect({ kind: 'header' }, TAR_BLOCK);
    else this.#expect({ kind: 'contents' }, bytes);
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

  #judgeZeros(): void {
    if (this.#extensions.hasPending) throw badHeader('no entry follows its extension');
    if (this.#phase.kind === 'header') this.#expect({ kind: 'last-block' }, TAR_BLOCK);
    else this.#expect({ kind: 'end' }, 0);
  }

  #judgeHeader(block: Buffer): void {
    if (this.#phase.kind === 'last-block') throw badHeader('it follows a zero block');
    if (this.#entries === 0 && !startsLikeTar(block)) throw notATar(block);
    const header = parseTarHeader(block);
    this.#entries += 1;
    if (this.#entries > this.#limits.maxEntries) {
      throw new LadingError('ERR_LIMIT_ENTRIES', `the archive has more than ${this.#limits.maxEntries} entries`);
    }
    if (header.type === 'V') return this.#passLabel(header);
    if (!isExtension(header.type)) return this.#judgeEntry(header);
    this.#extensions.checkSize(header.size);
    this.#expect({ kind: 'extension', type: header.type }, header.size);
  }

  /** The title of an archive (`tar --label`): no file. Readers differ on what one with a body or an extension means. */
  #passLabel({ size }: TarHeader): void {
    if (size !== 0 || this.#extensions.hasPending) throw badHeader('a volume label has more than a name');
    this.#expect({ kind: 'header' }, TAR_BLOCK);
  }

  #judgeExtension(type: ExtensionType, body: Buffer): void {
    this.#extensions.add(type, body);
    this.#expectContents(paddingOf(body.length));
  }

  #judgeEntry(header: TarHeader): void {
    const { name, linkname, size } = this.#extensions.applyTo(header);
    checkEntryName(name, this.#limits.maxNameBytes);
    // Older readers, and the next stage, treat a file whose name ends with a slash as a directory.
    const isFolder = name.endsWith('/');
    if (header.type === '0' && isFolder !== header.name.endsWith('/'))
      throw badEntry(name, 'is both a file and a folder');
    const isFile = header.type === '0' && !isFolder;
    if (!isFile && size !== 0) throw badEntry(name, 'is not a file but has a size');
    if (header.type === '1') checkLink(name, 'link', linkname);
    if (header.type === '2') checkLink(name, 'symlink', linkname);
    this.#expectContents(size + paddingOf(size));
    const type = isFile ? 'file' : header.type === '1' ? 'link' : header.type === '2' ? 'symlink' : 'directory';
    this.#onEntry({ name, type, linkname, start: this.#blockEnd(), size });
  }
}
