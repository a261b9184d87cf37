import { inTurns, QUICK_PER_TURN } from '../flow/in-turns.js';
import { digestOfEntry, entryNameOf } from '../model/archive-layout.js';
import { totalBytes } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import { badEntry } from '../model/entry-name.js';
import type { FileEntry } from './file-entry.js';

/** What a source has: the layout's own documents, and everything else in the order in which to read it. */
export interface Listing<Item> {
  readonly metadata: readonly Item[];
  readonly others: readonly Item[];
}

/** An entry as far as its place in the order needs it. Without a type it is a file. */
interface Named {
  readonly name: string;
  readonly size: number;
  readonly type?: FileEntry['type'];
}

/** The documents that are known to be needed and that were not read yet. May change between two entries. */
export type Unread = ReadonlySet<Digest>;

/**
 * The entries of a source that can be read in any order. Each is made when it is read. Holds the source's own record of
 * each entry, and until all documents are read a place in a map for each.
 */
export class PositionedEntries<Item extends Named> implements AsyncIterable<FileEntry> {
  readonly #list: () => Promise<Listing<Item>>;
  readonly #open: (item: Item) => FileEntry;
  #bytes: number | undefined;

  constructor(list: () => Promise<Listing<Item>>, open: (item: Item) => FileEntry) {
    this.#list = list;
    this.#open = open;
  }

  /** The bytes of everything but the layout's own documents; undefined before it is listed. */
  get bytes(): number | undefined {
    return this.#bytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<FileEntry> {
    yield* this.documentsFirst(new Set());
  }

  /**
   * The layout's own documents, then the documents that they lead to, then the rest. Each entry must be read before the
   * next is taken: the source looks for the documents that it has made known. An archive may have 200 000 blobs that no
   * image needs; once all documents are read, nobody has to look at them.
   */
  async *documentsFirst(unread: Unread): AsyncGenerator<FileEntry> {
    const { metadata, others } = await this.#list();
    this.#bytes = totalBytes(others.map(({ size }) => size));
    for (const item of metadata) yield this.#open(item);
    const taken = new Set<Item>();
    const byName = itemsByName(others);
    // The set grows meanwhile, and this loop comes to what is added.
    for (const digest of unread) {
      const item = byName.get(entryNameOf(digest));
      if (item === undefined) continue;
      taken.add(item);
      yield this.#open(item);
    }
    byName.clear();
    for await (const item of inTurns(others, QUICK_PER_TURN)) if (!taken.has(item)) yield this.#open(item);
  }
}

/** The same name with other bytes is refused now: later it would seem that only one of the two is wrong. */
function itemsByName<Item extends Named>(items: readonly Item[]): Map<string, Item> {
  const byName = new Map<string, Item>();
  for (const item of items) {
    const before = byName.get(item.name);
    if (before !== undefined && before.type === item.type && before.size !== item.size && isBlob(item))
      throw badEntry(item.name, 'occurs twice, with other bytes');
    if (before === undefined) byName.set(item.name, item);
  }
  return byName;
}

function isBlob({ name, type = 'file' }: Named): boolean {
  return type === 'file' && digestOfEntry(name) !== undefined;
}
