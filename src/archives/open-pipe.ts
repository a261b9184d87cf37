import { Readable } from 'node:stream';
import type { Limits } from '../model/limits.js';
import { startsLikeTar, TAR_BLOCK } from '../model/tar-header.js';
import { PipeEntries } from './pipe-entries.js';
import { PipeInput } from './pipe-input.js';
import { PipeReader } from './pipe-reader.js';

/** An open pipe: the entries of a tar, or other bytes. Call `end` when neither is read any more. */
export type OpenedPipe = ({ readonly entries: PipeEntries } | { readonly bytes: Readable }) & {
  readonly end: () => Promise<void>;
};

/**
 * Opens a pipe to be read by a thread with native calls. Undefined where this cannot be done. The signal ends a read
 * that waits. Throws ERR_ABORTED, and errors of reading.
 */
export async function openPipe(fd: number, limits: Limits, signal?: AbortSignal): Promise<OpenedPipe | undefined> {
  const reader = PipeReader.open(fd);
  if (reader === undefined) return undefined;
  signal?.addEventListener('abort', reader.stop, { once: true });
  if (signal?.aborted) reader.stop();
  const end = async (): Promise<void> => {
    signal?.removeEventListener('abort', reader.stop);
    await reader.end();
  };
  try {
    const input = new PipeInput(reader);
    if (startsLikeTar(await input.peek(TAR_BLOCK))) return { entries: new PipeEntries(input, limits), end };
    return { bytes: Readable.from(input.rest(), { objectMode: false }), end };
  } catch (error) {
    await end();
    throw error;
  }
}
