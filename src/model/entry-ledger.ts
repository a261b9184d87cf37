import { METADATA_ENTRIES } from './archive-layout.js';
import type { Digest } from './digest.js';
import { badEntry } from './entry-name.js';
import { LadingError } from './errors.js';
import type { Limits } from './limits.js';

/** Whether the plain name is that of an entry that says what the archive contains. */
export function isMetadataEntry(name: string): boolean {
  return METADATA_ENTRIES.includes(name);
}

/** A file or link of an archive. */
export interface LedgerEntry {
  readonly name: string;
  readonly type: 'file' | 'symlink' | 'link';
  readonly size: number;
  readonly linkname?: string;
  readonly digest?: Digest;
}

/** Stands for the size of an entry that is a link. */
const LINK = -1;

/**
 * Records the names of all entries, wanted or not, so that the checks do not depend on their order. Finds a blob or a
 * layout document that occurs twice, and refuses one that is both a file and a link, since readers differ on what it
 * contains. Holds one digest for each blob.
 */
export class EntryLedger {
  readonly #limits: Limits;
  readonly #seen = new Map<string, number>();
  readonly #lookalikes = new Set<string>();
  #others = 0;
  #otherNameBytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** Layout documents that also occur in another case: on a disk that ignores case, both are the same file. */
  get lookalikes(): readonly string[] {
    return [...this.#lookalikes];
  }

  /**
   * Records the next file or link. `name` is its plain name, `digest` the digest in that name. Returns whether it is a
   * blob or layout document that occurred before, with as many bytes. Links are counted among the other entries. Throws
   * ERR_TAR_ENTRY, ERR_LIMIT_ENTRIES, ERR_LIMIT_BYTES.
   */
  enter({ name, type, size, linkname = '', digest }: LedgerEntry): boolean {
    const key = isMetadataEntry(name) ? name : digest;
    if (key === undefined) return this.#enterOther(name, linkname);
    const bytes = type === 'file' ? size : LINK;
    const before = this.#seen.get(key);
    if (before !== undefined && before !== bytes) throw badEntry(name, 'occurs twice, with other bytes');
    this.#seen.set(key, bytes);
    return type === 'file' ? before !== undefined : this.#enterOther(name, linkname);
  }

  /** Whether the blob was a file of the archive. */
  hasFile(digest: Digest): boolean {
    return (this.#seen.get(digest) ?? LINK) !== LINK;
  }

  #enterOther(name: string, linkname: string): false {
    const { maxOtherEntries, maxOtherNameBytes } = this.#limits;
    this.#others += 1;
    this.#otherNameBytes += Buffer.byteLength(name) + Buffer.byteLength(linkname);
    if (this.#others > maxOtherEntries) {
      const message = `the archive has more than ${maxOtherEntries} entries beside its blobs`;
      throw new LadingError('ERR_LIMIT_ENTRIES', message);
    }
    if (this.#otherNameBytes > maxOtherNameBytes) {
      const message = `the names of the entries beside the archive's blobs have more than ${maxOtherNameBytes} bytes`;
      throw new LadingError('ERR_LIMIT_BYTES', message);
    }
    const folded = name.toLowerCase();
    if (folded !== name && isMetadataEntry(folded)) this.#lookalikes.add(folded);
    return false;
  }
}
