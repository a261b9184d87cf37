import path from 'node:path';
import type { Readable } from 'node:stream';
import fs from 'fs-extra';
import { METADATA_ENTRIES } from '../model/archive-layout.js';
import { LadingError, quote } from '../model/errors.js';
import type { Limits } from '../model/limits.js';
import { fileEntry, type FileEntry } from './file-entry.js';
import { SharedFile } from '../files/file-part.js';
import { openRegular } from '../files/read-file.js';
import { isNotFound, storageError } from '../files/storage-error.js';
import { namesIn } from '../files/if-there.js';
import { tarFileEntries } from './tar-file.js';

/** The bytes of an archive, in any chunks. */
export type ArchiveSource = Readable | AsyncIterable<Uint8Array>;

/** A source that was opened: bytes still to be read as a tar, or entries. */
export type OpenedSource =
  | { readonly bytes: ArchiveSource }
  /** `close` once nothing of an entry is read any more. */
  | { readonly entries: AsyncIterable<FileEntry>; readonly close: () => void };

/** Bytes read at once from an archive file. */
const READ_BYTES = 512 * 1024;

const { O_NOFOLLOW } = fs.constants;

/**
 * Opens an archive file, or an OCI layout directory as if it were one. A tar in a regular file is read by position; what is
 * packed, or no regular file, as a stream. Throws ERR_SOURCE_UNKNOWN, ERR_STORAGE_IO.
 */
export async function openSource(source: string, limits: Limits): Promise<OpenedSource> {
  try {
    const found = await fs.stat(source);
    if (found.isDirectory()) return { entries: layoutFiles(source), close: () => {} };
    const tar = found.isFile() ? openTar(source) : undefined;
    // Held until the end: what its path leads to then may be another file.
    if (tar?.acquire() !== undefined) return { entries: tarFileEntries(tar, limits), close: tar.release };
    await fs.access(source, fs.constants.R_OK);
    return { bytes: fs.createReadStream(source, { highWaterMark: READ_BYTES }) };
  } catch (error) {
    if (isNotFound(error))
      throw new LadingError('ERR_SOURCE_UNKNOWN', `there is no ${quote(source)}`, { cause: error });
    throw storageError(error, `cannot read ${quote(source)}`);
  }
}

/** A file that starts like a tar. What does not goes to the stream's judges, who say why it is none. */
function openTar(source: string): SharedFile | undefined {
  const fd = openAgain(source, 0);
  const head = Buffer.alloc(TAR_MAGIC_END);
  const bytes = fs.readSync(fd, head, 0, head.length, 0);
  if (bytes === head.length && head.toString('latin1', head.length - TAR_MAGIC.length) === TAR_MAGIC) {
    return new SharedFile(() => fd);
  }
  fs.closeSync(fd);
  return undefined;
}

/** What stood there as a regular file a moment ago. */
function openAgain(file: string, flags: number): number {
  const refuse = (): LadingError => new LadingError('ERR_STORAGE_IO', `${quote(file)} is no regular file any more`);
  return openRegular(file, flags, refuse);
}

/** Where every header has the word that tells the format (POSIX ustar). */
const TAR_MAGIC = 'ustar';
const TAR_MAGIC_END = 262;

/**
 * The files of a layout directory: its own documents first, then the blobs, small ones first. Documents are capped at a few
 * MiB, so whatever is larger comes when everything is known, and is not even opened unless it is wanted.
 */
async function* layoutFiles(directory: string): AsyncGenerator<FileEntry> {
  for (const name of METADATA_ENTRIES) {
    const size = await fileSize(path.join(directory, name));
    if (size !== undefined) yield layoutFile(directory, name, size);
  }
  const blobs = await blobSizes(directory);
  for (const { name, size } of blobs) yield layoutFile(directory, name, size);
}

async function blobSizes(directory: string): Promise<readonly { name: string; size: number }[]> {
  const found: { name: string; size: number }[] = [];
  for (const algorithm of await namesIn(path.join(directory, 'blobs'))) {
    for (const encoded of await namesIn(path.join(directory, 'blobs', algorithm))) {
      const name = `blobs/${algorithm}/${encoded}`;
      const size = await fileSize(path.join(directory, name));
      if (size !== undefined) found.push({ name, size });
    }
  }
  return found.sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1));
}

function layoutFile(directory: string, name: string, size: number): FileEntry {
  const file = new SharedFile(() => openAgain(path.join(directory, name), O_NOFOLLOW));
  return fileEntry({ name, type: 'file', file, start: 0, size });
}

async function fileSize(file: string): Promise<number | undefined> {
  try {
    const found = await fs.lstat(file);
    return found.isFile() ? found.size : undefined;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw storageError(error, `cannot read ${quote(file)}`);
  }
}
