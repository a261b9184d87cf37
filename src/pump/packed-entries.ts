import path from 'node:path';
import { entryNameOf } from '../model/archive-layout.js';
import { encodedOf, type Digest } from '../model/digest.js';
import type { TarHeaderFields } from '../model/tar-writer.js';
import type { BlobEntry, BytesEntry, PackedEntries, PumpEntry } from './pump-tasks.js';

/** A blob whose names follow from its digest. */
type PlainRow = readonly [digest: Digest, size: number, mode: number, folder: number];

/** An entry whose body the plan made. */
type MadeRow = TarHeaderFields & { readonly made: number };

type Row = PlainRow | MadeRow | BlobEntry;

/** The entries in a short form. */
export function packEntries(entries: Iterable<PumpEntry>): PackedEntries {
  const made: Uint8Array[] = [];
  const folders = new Map<string, number>();
  const rows: Row[] = [];
  for (const entry of entries) {
    const { name, type, size, mode } = entry;
    if ('bytes' in entry) rows.push({ name, type, size, mode, made: made.push(entry.bytes) - 1 });
    else if (isPlain(entry)) rows.push([entry.digest, size, mode, numberOf(folders, path.dirname(entry.file))]);
    else rows.push(entry);
  }
  return { rows: JSON.stringify(rows), folders: [...folders.keys()], made };
}

/** The entries again, each made when it is its turn. */
export function* unpackEntries({ rows, folders, made }: PackedEntries): Generator<PumpEntry> {
  for (const row of JSON.parse(rows) as readonly Row[]) {
    if ('made' in row) yield madeEntry(row, made);
    else if ('file' in row) yield row;
    else yield blobEntry(row, folders[row[3]] ?? '');
  }
}

function madeEntry({ made: at, ...header }: MadeRow, made: readonly Uint8Array[]): BytesEntry {
  return { ...header, bytes: made[at] ?? new Uint8Array() };
}

function blobEntry([digest, size, mode]: PlainRow, folder: string): BlobEntry {
  return { name: entryNameOf(digest), type: 'file', size, mode, digest, file: `${folder}/${encodedOf(digest)}` };
}

/** Whether the names of the entry and of its file follow from its digest. */
function isPlain({ name, type, file, digest }: BlobEntry): boolean {
  return type === 'file' && name === entryNameOf(digest) && file.endsWith(`/${encodedOf(digest)}`);
}

function numberOf(folders: Map<string, number>, folder: string): number {
  const number = folders.get(folder) ?? folders.size;
  folders.set(folder, number);
  return number;
}
