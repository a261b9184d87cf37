import path from 'node:path';
import fs from 'fs-extra';
import { SharedFile } from '../files/file-part.js';
import { namesIn } from '../files/if-there.js';
import { openAgain } from '../files/read-file.js';
import { isNotFound, storageError } from '../files/storage-error.js';
import { METADATA_ENTRIES } from '../model/archive-layout.js';
import { quote } from '../model/errors.js';
import { fileEntry, type FileEntry } from './file-entry.js';

const { O_NOFOLLOW } = fs.constants;

/**
 * The files of a layout directory: its own documents first, then the blobs by size, small ones first. Documents have at
 * most a few MiB, so all of them come before the large blobs, and an unwanted large blob is never opened.
 */
export async function* layoutFiles(directory: string): AsyncGenerator<FileEntry> {
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
