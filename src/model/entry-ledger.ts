import { METADATA_ENTRIES } from './archive-layout.js';
import type { Digest } from './digest.js';
import { badEntry } from './entry-name.js';
import { LadingError } from './errors.js';
import type { Limits } from './limits.js';

/** Whether the entry, by its plain name, is one of those that say what an archive is. */
export function isMetadataEntry(name: string): boolean {
  return METADATA_ENTRIES.includes(name);
}

/** An entry of an archive that is no directory. */
export interface LedgerEntry {
  readonly name: string;
  readonly type: 'file' | 'symlink' | 'link';
  readonly linkname?: string;
  readonly digest?: Digest;
}

/**
 * What an archive's entries are called, wanted or not, so that a judgement does not depend on their order. A blob, or a
 * document of the layout, that stands twice or is a link means different things to different readers. Holds one digest
 * for each blob.
 */
export class EntryLedger {
  readonly #limits: Limits;
  readonly #seen = new Set<string>();
  readonly #lookalikes = new Set<string>();
  #others = 0;
  #otherNameBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Documents of a layout that also stand in the archive in another case, which readers on some disks take for the same. */
  get lookalikes(): readonly string[] {
    return [...this.#lookalikes];
  }

  /** Takes the next entry that is no directory, by its plain name and what that promises. Throws ERR_TAR_ENTRY, ERR_LIMIT_ENTRIES, ERR_LIMIT_BYTES. */
  enter({ name, type, linkname = '', digest }: LedgerEntry): void {
    const key = isMetadataEntry(name) ? name : digest;
    if (key === undefined) return this.#enterOther(name, linkname);
    if (type !== 'file') throw badEntry(name, 'is a link, where only a file can be trusted');
    if (this.#seen.has(key)) throw badEntry(name, 'stands twice');
    this.#seen.add(key);
  }

  #enterOther(name: string, linkname: string): void {
    const { maxOtherEntries, maxOtherNameBytes } = this.#limits;
    this.#others += 1;
    this.#otherNameBytes += Buffer.byteLength(name) + Buffer.byteLength(linkname);
    if (this.#others > maxOtherEntries) {
      const message = `the archive has more than ${maxOtherEntries} entries beside its blobs`;
      throw new LadingError('ERR_LIMIT_ENTRIES', message);
    }
    if (this.#otherNameBytes > maxOtherNameBytes) {
      const message = `the archive has names of more than ${maxOtherNameBytes} bytes beside its blobs`;
      throw new LadingError('ERR_LIMIT_BYTES', message);
    }
    const folded = name.toLowerCase();
    if (isMetadataEntry(folded)) this.#lookalikes.add(folded);
  }
}
