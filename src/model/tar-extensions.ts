import { LadingError } from './errors.js';
import type { Limits } from './limits.js';
import { parsePaxRecords, parsePaxSize, refuseGlobal, type PaxRecords, type PaxRules } from './pax-records.js';
import { badHeader, decodeName, upToZero, type TarHeader } from './tar-header.js';

/** PAX records for the next entry or for all later ones, GNU long name, GNU long link. */
export type ExtensionType = 'x' | 'g' | 'L' | 'K';

export function isExtension(type: string): type is ExtensionType {
  return ['x', 'g', 'L', 'K'].includes(type);
}

/** Fields of the next entry, set by its extensions. */
export interface Override {
  readonly name?: string;
  readonly linkname?: string;
  readonly size?: number;
  readonly pax?: PaxRecords;
}

/** What differs between the tar of an archive and that of a layer. */
export interface ExtensionRules extends Pick<Limits, 'maxEntryHeaderBytes' | 'maxHeaderBytes'>, PaxRules {
  /** The bytes of a name as text. Default: UTF-8. */
  readonly text?: (bytes: Uint8Array) => string;
  /** Whether an empty PAX value takes the record back (POSIX pax). Else it is a value. Default false. */
  readonly takesBack?: boolean;
}

/**
 * The extensions of a tar archive: PAX records and GNU long names, which come before the entry that they change. Holds
 * those of one entry. Errors: ERR_TAR_HEADER, ERR_TAR_ENTRY, ERR_LIMIT_BYTES, ERR_LIMIT_ENTRIES.
 */
export class TarExtensions {
  readonly #rules: ExtensionRules;
  readonly #text: (bytes: Uint8Array) => string;
  #override: Override = {};
  #entryBytes = 0;
  #archiveBytes = 0;

  constructor(rules: ExtensionRules) {
    this.#rules = rules;
    this.#text = rules.text ?? decodeName;
  }

  /** Whether there are extensions without an entry after them. */
  get hasPending(): boolean {
    return Object.keys(this.#override).length > 0;
  }

  /** Checks the size of an extension before its body is collected. */
  checkSize(size: number): void {
    const { maxEntryHeaderBytes, maxHeaderBytes } = this.#rules;
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
    if (type === 'L') this.#overrideOnce({ name: this.#text(upToZero(body)) });
    if (type === 'K') this.#overrideOnce({ linkname: this.#text(upToZero(body)) });
    if (type === 'x') this.#applyPax(parsePaxRecords(body, this.#rules));
    if (type === 'g') refuseGlobal(parsePaxRecords(body, this.#rules));
  }

  /** The header of an entry with its extensions applied. The next extension belongs to the next entry. */
  applyTo(header: TarHeader): TarHeader {
    return { ...header, ...this.take() };
  }

  /** What the extensions set, for the next entry only. */
  take(): Override {
    const taken = this.#override;
    this.#override = {};
    this.#entryBytes = 0;
    return taken;
  }

  #applyPax(records: PaxRecords): void {
    const [name, linkname, size] = ['path', 'linkpath', 'size'].map((key) => this.#valueOf(records.get(key)));
    this.#overrideOnce({
      pax: records,
      ...(name !== undefined && { name: this.#text(name) }),
      ...(linkname !== undefined && { linkname: this.#text(linkname) }),
      ...(size !== undefined && { size: parsePaxSize(size) }),
    });
  }

  #valueOf(value: Buffer | undefined): Buffer | undefined {
    return this.#rules.takesBack === true && value?.length === 0 ? undefined : value;
  }

  /** Readers differ on which of two extensions counts, so the next stage could see another entry than we do. */
  #overrideOnce(override: Override): void {
    if (Object.keys(override).some((key) => key in this.#override)) {
      throw badHeader('two extensions set the same field of one entry');
    }
    this.#override = { ...this.#override, ...override };
  }
}
