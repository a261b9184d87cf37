import { closeSync, constants, fstatSync, openSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import type { ByteRange } from '../model/content.js';
import { LadingError, quote } from '../model/errors.js';

/** Default number of bytes for one read. Large chunks make writing to a pipe faster (docs/performance.md). */
const CHUNK_BYTES = 1024 * 1024;

/** A range up to this size is read by a blocking call: waiting for a thread to do it takes ten times as long. */
const SMALL_BYTES = 64 * 1024;

const { O_NONBLOCK, O_RDONLY } = constants;

const readAsync = promisify(read);

/** A file that a reader can open: `acquire` opens it, and the reader calls `release` at its end. */
export interface OpenableFile {
  readonly acquire: () => number;
  readonly release: (fd: number) => void;
}

/**
 * Opens a regular file for reading, with more flags of open(2). Throws the result of `refuse` for any other file; never
 * waits for a pipe.
 */
export function openRegular(file: string, flags: number, refuse: () => Error): number {
  return openSized(file, flags, refuse).fd;
}

/** An open file, and its size in bytes. */
export interface OpenedFile {
  readonly fd: number;
  readonly size: number;
}

/** The same, with the size that the file had then. */
export function openSized(file: string, flags: number, refuse: () => Error): OpenedFile {
  const fd = openSync(file, O_RDONLY | O_NONBLOCK | flags);
  const found = fstatSync(fd);
  if (found.isFile()) return { fd, size: found.size };
  closeSync(fd);
  throw refuse();
}

/**
 * A file's bytes in order. Reads the next chunk while the current one is used, so this holds two chunks. Opens the file
 * for the first chunk, and releases it at the end or when the reader gives up.
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
      // Its error is thrown when the next chunk is requested; until then it must not count as unhandled.
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
  // Not from Buffer's pool: the reader may keep the chunk, and would keep the whole pool.
  const buffer = Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await readAsync(fd, buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}

/** Opens a path again that was a regular file a moment ago. Throws ERR_STORAGE_IO if it is not one any more. */
export function openAgain(file: string, flags: number): number {
  const refuse = (): LadingError => new LadingError('ERR_STORAGE_IO', `${quote(file)} is not a regular file any more`);
  return openRegular(file, flags, refuse);
}
