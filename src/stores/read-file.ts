import fs from 'fs-extra';
import type { ByteRange } from './ports.js';

/** Bytes that are read in one call: tar-stream and pipes are slow with less (docs/performance.md). */
const CHUNK_BYTES = 256 * 1024;

/**
 * A file's bytes in order. The next chunk is read while the one before it is used, so this holds two chunks. Opened with the
 * first chunk that is asked for, closed at the end or when the reader gives up.
 */
export async function* readFileChunks(open: () => Promise<number>, range?: ByteRange): AsyncGenerator<Buffer> {
  const fd = await open();
  const end = range?.end ?? Number.POSITIVE_INFINITY;
  let position = range?.start ?? 0;
  let ahead = readAt(fd, position, end);
  try {
    for (;;) {
      const chunk = await ahead;
      if (chunk.length === 0) return;
      position += chunk.length;
      ahead = readAt(fd, position, end);
      // Its error belongs to whoever asks for the next chunk.
      ahead.catch(() => {});
      yield chunk;
    }
  } finally {
    await ahead.catch(() => {});
    await fs.close(fd);
  }
}

async function readAt(fd: number, position: number, end: number): Promise<Buffer> {
  const length = Math.min(CHUNK_BYTES, end - position);
  if (length <= 0) return Buffer.alloc(0);
  // Not from Buffer's pool: the chunk is handed on, and its reader may keep it.
  const buffer = Buffer.allocUnsafeSlow(length);
  const { bytesRead } = await fs.read(fd, buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
