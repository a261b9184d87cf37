import { writev } from 'node:fs';
import { promisify } from 'node:util';
import { withoutBytes } from './without-bytes.js';

/** The largest number of buffers in one call (IOV_MAX). */
const MAX_CHUNKS = 1024;

const writevAsync = promisify(writev);

/** Writes some of the chunks, and returns how many bytes. */
export type WriteSome = (fd: number, chunks: readonly Uint8Array[]) => number | Promise<number>;

const writeSome: WriteSome = async (fd, chunks) => (await writevAsync(fd, chunks)).bytesWritten;

/** Writes all chunks to an open file. Throws errors of the file system. */
export async function writeChunks(fd: number, chunks: readonly Uint8Array[], write = writeSome): Promise<void> {
  let left = chunks.filter((chunk) => chunk.length > 0);
  while (left.length > 0) left = [...withoutBytes(left, await write(fd, left.slice(0, MAX_CHUNKS)))];
}
