import { LadingError } from './errors.js';
import type { Limits } from './limits.js';
import {
  badHeader,
  decodeName,
  longName,
  parsePaxRecords,
  parsePaxSize,
  refuseGlobal,
  type PaxRecords,
  type TarHeader,
  type TarType,
} from './tar-header.js';

/** PAX records for the next entry or for all later ones, GNU long name, GNU long link. */
export type ExtensionType = 'x' | 'g' | 'L' | 'K';

export function isExtension(type: TarType): type is ExtensionType {
  return ['x', 'g', 'L', 'K'].includes(type);
}

/** Fields of the next entry, set by its extensions. */
interface Override {
  readonly name?: string;
  readonly linkname?: string;
  readonly size?: number;
  readonly hasPax?: true;
}

/**
 * The extensions of a tar archive: PAX records and GNU long names, which come before the entry that they change. Holds
 * those of one entry. Errors: ERR_TAR_HEADER, ERR_TAR_ENTRY, ERR_LIMIT_BYTES, ERR_LIMIT_ENTRIES.
 */
export class TarExtensions {
  readonly #limits: Limits;
  #override: Override = {};
  #entryBytes = 0;
  #archiveBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Whether there are extensions without an entry after them. */
  get hasPending(): boolean {
    return Object.keys(this.#override).length > 0;
  }

  /** Checks the size of an extension before its body is collected. */
  checkSize(size: number): void {
    const { maxEntryHeaderBytes, maxHeaderBytes } = this.#limits;
    this.#entryBytes += size;
    this.#archiveBytes += size;
    if (this.#entryBytes > maxEntryHeaderBytes) {
      throw new LadingError('ERR_LIMIT_BYTES', `an entry has more than ${maxEntryHeaderBytes} bytes of headers`);
    }
    if (this.#archiveBytes > maxHeaderBytes) {
      throw new LadingError('ERR_LIMIT_BYTES', `the archive has more than ${maxHeaderBytes} bytes of extended headers`);
    }
    if (size === 0) throw badHeader('its extension is empty');
  }

  /** Adds an extension of the next entry. */
  add(type: ExtensionType, body: Buffer): void {
    if (type === 'L') this.#overrideOnce({ name: longName(body) });
    if (type === 'K') this.#overrideOnce({ linkname: longName(body) });
    if (type === 'x') this.#applyPax(parsePaxRecords(body, this.#limits.maxPaxRecords));
    if (type === 'g') refuseGlobal(parsePaxRecords(body, this.#limits.maxPaxRecords));
  }

  /** The header of an entry with its extensions applied. The next extension belongs to the next entry. */
  applyTo(header: TarHeader): TarHeader {
    const applied = { ...header, ...this.#override };
    this.#override = {};
    this.#entryBytes = 0;
    return applied;
  }

  #applyPax(records: PaxRecords): void {
    const [name, linkname, size] = ['path', 'linkpath', 'size'].map((key) => records.get(key));
    this.#overrideOnce({
      hasPax: true,
      ...(name !== undefined && { name: decodeName(name) }),
      ...(linkname !== undefined && { linkname: decodeName(linkname) }),
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
}
