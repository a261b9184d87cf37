import type { Readable } from 'node:stream';
import fs from 'fs-extra';
import { SharedFile } from '../files/file-part.js';
import { openAgain } from '../files/read-file.js';
import { isNotFound, readError } from '../files/storage-error.js';
import { LadingError, quote } from '../model/errors.js';
import type { Limits } from '../model/limits.js';
import { startsLikeTar, TAR_BLOCK } from '../model/tar-header.js';
import type { FileEntry } from './file-entry.js';
import { layoutFiles } from './layout-folder.js';
import { tarFileEntries } from './tar-file.js';

/** The bytes of an archive, in any chunks. */
export type ArchiveSource = Readable | AsyncIterable<Uint8Array>;

/** The bytes of an archive, and whether they come from a regular file. */
export interface OpenedStream {
  readonly bytes: Readable;
  readonly isFile?: boolean;
}

/** An open source: the bytes of a tar, or entries. */
export type OpenedArchive =
  | OpenedStream
  /** Call `close` after the last read from an entry. */
  | { readonly entries: AsyncIterable<FileEntry>; readonly close: () => void };

/** Bytes read in one call from an archive file. */
const READ_BYTES = 512 * 1024;

/**
 * Opens an archive file or an OCI layout directory. A tar in a regular file is read by position; a compressed archive,
 * or one that is not a regular file, as a stream. Throws ERR_SOURCE_UNKNOWN, ERR_STORAGE_IO.
 */
export async function openArchive(source: string, limits: Limits): Promise<OpenedArchive> {
  try {
    const found = await fs.stat(source);
    if (found.isDirectory()) return { entries: layoutFiles(source), close: () => {} };
    const tar = found.isFile() ? openTar(source) : undefined;
    // Keep the file open until the end: later its path may lead to another file.
    if (tar?.acquire() !== undefined) return { entries: tarFileEntries(tar, limits), close: tar.release };
    await fs.access(source, fs.constants.R_OK);
    return { bytes: fs.createReadStream(source, { highWaterMark: READ_BYTES }), isFile: found.isFile() };
  } catch (error) {
    if (isNotFound(error))
      throw new LadingError('ERR_SOURCE_UNKNOWN', `there is no ${quote(source)}`, { cause: error });
    throw readError(error, `cannot read ${quote(source)}`);
  }
}

/**
 * The bytes behind an open descriptor, which stays open. A pipe is opened once more where that can be done: then nothing
 * waits for its writer after the stream was destroyed. Any other descriptor is read by blocking calls on a thread, which
 * a destroyed stream waits for.
 */
export async function readDescriptor(fd: number): Promise<Readable> {
  const pipe = fs.fstatSync(fd).isFIFO() ? openIfAllowed(fd) : undefined;
  if (pipe === undefined) return fs.createReadStream('', { fd, autoClose: false, highWaterMark: READ_BYTES });
  // Loaded only for a pipe.
  const { Socket } = await import('node:net');
  return new Socket({ fd: pipe, readable: true, writable: false });
}

/** A description of our own, which does not make that of other processes non-blocking. */
function openIfAllowed(fd: number): number | undefined {
  const { O_RDONLY, O_WRONLY, O_NONBLOCK } = fs.constants;
  const pipe = `/proc/self/fd/${fd}`;
  let reader: number | undefined;
  try {
    reader = fs.openSync(pipe, O_RDONLY | O_NONBLOCK);
    // Linux tells a reader that a named pipe has ended only if a writer was there after the reader opened it.
    fs.closeSync(fs.openSync(pipe, O_WRONLY | O_NONBLOCK));
    return reader;
  } catch {
    // A pipe of another user, or a system without /proc.
    if (reader !== undefined) fs.closeSync(reader);
    return undefined;
  }
}

/** The file, if it starts like a tar. Others are read as a stream, whose stages report what is wrong. */
function openTar(source: string): SharedFile | undefined {
  const fd = openAgain(source, 0);
  const head = Buffer.alloc(TAR_BLOCK);
  const bytes = fs.readSync(fd, head, 0, head.length, 0);
  if (startsLikeTar(head.subarray(0, bytes))) return new SharedFile(() => fd);
  fs.closeSync(fd);
  return undefined;
}
