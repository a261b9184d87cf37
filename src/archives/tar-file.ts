import { fstatSync, readSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { SharedFile } from '../files/file-part.js';
import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import { EntryLedger, isMetadataEntry } from '../model/entry-ledger.js';
import type { Limits } from '../model/limits.js';
import { checkDocuments } from '../model/not-an-image.js';
import { TarJudge, type JudgedEntry } from '../model/tar-judge.js';
import { fileEntry } from './file-entry.js';
import { withoutLayoutLinks } from './linked-entries.js';
import { PositionedEntries, type Listing } from './positioned-entries.js';

/** Bytes that are judged at once: enough for most headers with a long name. */
const WINDOW_BYTES = 1024;

/** Bytes that are read at once where headers are this near to each other, behind small bodies. */
const NEAR_BYTES = 64 * 1024;

/** Headers that are read before the event loop may do other work. */
const HEADERS_PER_TURN = 256;

/**
 * The entries of an open tar file by position: all headers are checked first, bodies are read only on demand. The
 * others come by size, first those that may be documents, small ones first, then the large ones, largest first. Holds a record for each entry. Errors: those
 * of TarJudge and EntryLedger, and of the file system.
 */
export function tarFileEntries(file: SharedFile, limits: Limits): PositionedEntries<IndexedEntry> {
  return new PositionedEntries(
    async () => {
      const fd = file.acquire();
      try {
        return await listEntries(fd, limits);
      } finally {
        file.release();
      }
    },
    (entry) => fileEntry({ ...entry, file }),
  );
}

/** The fields of a checked entry that its reader needs. */
export type IndexedEntry = Pick<JudgedEntry, 'name' | 'type' | 'start' | 'size'> & { readonly linkname?: string };

async function listEntries(fd: number, limits: Limits): Promise<Listing<IndexedEntry>> {
  const entries: IndexedEntry[] = [];
  // Apply the stream's limit on other entries here too, since the index holds all of them.
  const ledger = new EntryLedger(limits);
  const judge = new TarJudge(limits, ({ type, linkname, start, size, ...entry }) => {
    if (type === 'directory') return;
    const plain = plainEntryName(entry.name);
    const name = entry.name.startsWith('/') ? `/${plain}` : plain;
    const isLink = type !== 'file';
    if (!isMetadataEntry(plain) && digestOfEntry(plain) === undefined) {
      ledger.enter({ name: plain, type, size, ...(isLink && { linkname }) });
    }
    entries.push({ name, type, start, size, ...(isLink && { linkname }) });
  });
  const windows = new Windows(fd);
  const { size } = fstatSync(fd);
  for (let headers = 0; judge.position < size; headers += 1) {
    if (judge.skippable > 0) judge.skip(Math.min(judge.skippable, size - judge.position));
    else if (!judgeWindow(judge, windows)) break;
    if (headers % HEADERS_PER_TURN === 0) await setImmediate();
  }
  judge.end();
  const followed = withoutLayoutLinks(entries);
  checkDocuments(followed.map(({ name }) => plainEntryName(name)));
  const isMetadata = ({ name }: IndexedEntry): boolean => isMetadataEntry(plainEntryName(name));
  return {
    metadata: followed.filter(isMetadata),
    others: followed.filter((entry) => !isMetadata(entry)).sort(bySize(limits.maxDocumentBytes)),
  };
}

/** The largest of all that are copied side by side must not be the last to begin. */
function bySize(maxDocumentBytes: number): (a: IndexedEntry, b: IndexedEntry) => number {
  const isLarge = ({ size }: IndexedEntry): boolean => size > maxDocumentBytes;
  return (a, b) => (isLarge(a) && isLarge(b) ? b.size - a.size : a.size - b.size);
}

/** Checks the next bytes. Returns false if there are none, since the file was cut meanwhile. */
function judgeWindow(judge: TarJudge, windows: Windows): boolean {
  const window = windows.at(judge.position);
  judge.judge(window);
  return window.length > 0;
}

/** Reads the headers of a file, many at once where bodies are small. Holds up to 64 KiB. */
class Windows {
  readonly #fd: number;
  #read: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** The bytes at a position: as many as are judged at once, fewer at the end of the file. */
  at(position: number): Buffer {
    const end = this.#start + this.#read.length;
    if (position < this.#start || position + WINDOW_BYTES > end) {
      this.#fill(position, position < end + NEAR_BYTES ? NEAR_BYTES : WINDOW_BYTES);
    }
    return this.#read.subarray(position - this.#start, position - this.#start + WINDOW_BYTES);
  }

  /** Into a new buffer each time: the judge keeps a part of it if a header does not end in it. */
  #fill(position: number, length: number): void {
    const buffer = Buffer.allocUnsafeSlow(length);
    this.#read = buffer.subarray(0, readSync(this.#fd, buffer, 0, length, position));
    this.#start = position;
  }
}
