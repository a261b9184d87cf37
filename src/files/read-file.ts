import { closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import type { ByteRange } from '../model/content.js';
import { LadingError, quote } from '../model/errors.js';

/** Bytes that are read in one call, unless told otherwise. Writing to a pipe gains from large ones (docs/performance.md). */
const CHUNK_BYTES = 1024 * 1024;

/** A range up to here is read in one short call: to have a thread make it, and to wait for it, takes ten times as long. */
const SMALL_BYTES = 64 * 1024;

const { O_NONBLOCK, O_RDONLY } = constants;

const readAsync = promisify(read);

/** A file as it is opened for a reader, and what the reader does when it is through. */
export interface OpenableFile {
  readonly acquire: () => number;
  readonly release: (fd: number) => void;
}

/**
 * Opens a regular file for reading, with flags of open(2) beside. A pipe would be waited for: what is no regular file is closed
 * again, and what `refuse` gives is thrown.
 */
export function openRegular(file: string, flags: number, refuse: () => Error): number {
  const fd = openSync(file, O_RDONLY | O_NONBLOCK | flags);
  if (fstatSync(fd).isFile()) return fd;
  closeSync(fd);
  throw refuse();
}

/**
 * A file's bytes in order. The next chunk is read while the one before it is used, so this holds two chunks. Opened with the
 * first chunk that is asked for, released at the end or when the reader gives up.
 */
export async function* readFileChunks(
  file: OpenableFile,
  range?: ByteRange,
  chunkBytes = CHUNK_BYTES,
): AsyncGenerator<Buffer> {
  if (range !== undefined && range.end - range.start <= SMALL_BYTES) yield* readSmall(file, range);
  else yield* readLarge(file, range, chunkBytes);
}

function* readSmall(file: OpenableFile, { start, end }: ByteRange): Generator<Buffer> {
  const buffer = Buffer.allocUnsafeSlow(Math.max(0, end - start));
  const fd = file.acquire();
  let bytes = 0;
  try {
    for (let last = -1; last !== 0 && bytes < buffer.length; bytes += last) {
      last = readSync(fd, buffer, bytes, buffer.length - bytes, start + bytes);
    }
  } finally {
    file.release(fd);
  }
  if (bytes > 0) yield buffer.subarray(0, bytes);
}

async function* readLarge(
  file: OpenableFile,
  range: ByteRange | undefined,
  chunkBytes: number,
): AsyncGenerator<Buffer> {
  const fd = file.acquire();
  const end = range?.end ?? Number.POSITIVE_INFINITY;
  let position = range?.start ?? 0;
  const readNext = async (): Promise<Buffer> => await readAt(fd, position, Math.min(chunkBytes, end - position));
  let ahead = readNext();
  try {
    for (;;) {
      const chunk = await ahead;
      if (chunk.length === 0) return;
      position += chunk.length;
      ahead = readNext();
      // Its error belongs to whoever asks for the next chunk.
      ahead.catch(() => {});
      yield chunk;
    }
  } finally {
    await ahead.catch(() => {});
    file.release(fd);
  }
}

async function readAt(fd: number, position: number, length: number): Promise<Buffer> {
  if (length <= 0) return Buffer.alloc(0);
  // Not from Buffer's pool: the chunk is handed on, and its reader may keep it.
  const buffer = Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await readAsync(fd, buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** What stood there as a regular file a moment ago. */
export function openAgain(file: string, flags: number): number {
  const refuse = (): LadingError => new LadingError('ERR_STORAGE_IO', `${quote(file)} is no regular file any more`);
  return openRegular(file, flags, refuse);
}
