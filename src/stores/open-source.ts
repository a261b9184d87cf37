import path from 'node:path';
import type { Readable } from 'node:stream';
import fs from 'fs-extra';
import { LadingError, quote } from '../model/errors.js';
import { readFileChunks } from './read-file.js';
import { isNotFound, storageError } from './storage-error.js';
import { namesIn } from './blob-files.js';

/** The bytes of an archive, in any chunks. */
export type ArchiveSource = Readable | AsyncIterable<Uint8Array>;

/** One file of a layout directory, in the shape of an archive's entry. */
interface LayoutFile {
  readonly name: string;
  readonly type: 'file';
  readonly size: number;
  readonly body: AsyncIterable<Buffer>;
  readonly skip: () => void;
}

/** A source that was opened: bytes still to be read as a tar, or entries. */
export type OpenedSource = { readonly bytes: ArchiveSource } | { readonly entries: AsyncIterable<LayoutFile> };

const { O_NOFOLLOW, O_RDONLY } = fs.constants;

/** Bytes read at once from an archive file. */
const READ_BYTES = 512 * 1024;

/** Opens an archive file, or an OCI layout directory as if it were one. Throws ERR_SOURCE_UNKNOWN, ERR_STORAGE_IO. */
export async function openSource(source: string): Promise<OpenedSource> {
  try {
    const found = await fs.stat(source);
    if (found.isDirectory()) return { entries: layoutFiles(source) };
    await fs.access(source, fs.constants.R_OK);
    return { bytes: fs.createReadStream(source, { highWaterMark: READ_BYTES }) };
  } catch (error) {
    if (isNotFound(error))
      throw new LadingError('ERR_SOURCE_UNKNOWN', `there is no ${quote(source)}`, { cause: error });
    throw storageError(error, `cannot read ${quote(source)}`);
  }
}

/**
 * The files of a layout directory: its own documents first, then the blobs, small ones first. Documents are capped at a few
 * MiB, so whatever is larger comes when everything is known, and is not even opened unless it is wanted.
 */
async function* layoutFiles(directory: string): AsyncGenerator<LayoutFile> {
  for (const name of ['oci-layout', 'index.json', 'manifest.json']) {
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

function layoutFile(directory: string, name: string, size: number): LayoutFile {
  const open = (): number => fs.openSync(path.join(directory, name), O_RDONLY | O_NOFOLLOW);
  // Nothing is open until the first chunk is asked for, so there is nothing to give up.
  return { name, type: 'file', size, body: readFileChunks(open), skip: () => {} };
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
