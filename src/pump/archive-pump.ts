import { closeSync, constants, fstatSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { kernel, type Kernel } from '../files/kernel.js';
import { openOwnPipe } from '../files/own-pipe.js';
import { totalBytes } from '../model/content.js';
import { LadingError } from '../model/errors.js';
import { packEntries } from './packed-entries.js';
import {
  isLarge,
  isWorthThreads,
  PumpState,
  type BlobEntry,
  type PumpEntry,
  type PumpThreadData,
  type WriterThreadData,
} from './pump-tasks.js';
import { runThread } from './run-thread.js';

/** More threads than this hash faster than a pipe takes bytes. */
const MAX_HASHERS = 2;

/** Fewer bytes of large bodies are hashed by the thread that writes, before others have started. */
const MIN_HASHED_BYTES = 8 * 1024 * 1024;

/** A smaller archive is written before native calls are loaded. */
const MIN_ENLARGED_BYTES = 1024 * 1024;

/**
 * Whether threads can write the archive into this descriptor faster than a stream: into a pipe, with native calls, and
 * with entries that need no more than a plain header. Lets a pipe hold 1 MiB in any case, which helps a stream too.
 */
export function canPump(fd: number, entries: readonly Pick<PumpEntry, 'name' | 'size'>[]): boolean {
  const bytes = totalBytes(entries.map(({ size }) => size));
  const calls = bytes >= MIN_ENLARGED_BYTES && fstatSync(fd).isFIFO() ? kernel() : undefined;
  if (calls === undefined) return false;
  try {
    closeSync(openPipe(calls, fd));
    return isWorthThreads(entries);
  } catch {
    // A pipe of another user.
    return false;
  }
}

/** What ends a pump, and who is told how to look up the bytes that are in the pipe. */
export interface PumpOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onStart?: (position: () => number) => void;
}

/**
 * Writes an archive into a pipe by threads, every body verified. One thread writes, up to two hash large bodies beside
 * it. An error or an abort ends the archive inside an entry, so that no reader takes it for whole. Holds 1 MiB for each
 * thread, beside the thread's own memory of about 10 MiB. Throws ERR_ABORTED, ERR_BLOB_MISSING, ERR_DIGEST_MISMATCH,
 * ERR_SIZE_MISMATCH, ERR_STORAGE_IO, ERR_STORE_TAMPERED, and EPIPE if the reader has gone.
 */
export async function pumpArchive(
  fd: number,
  entries: readonly PumpEntry[],
  { signal, onStart }: PumpOptions = {},
): Promise<void> {
  const calls = kernel();
  if (calls === undefined) throw new Error('there are no native calls; ask canPump first');
  const pipe = openPipe(calls, fd);
  const large = largeOf(entries);
  const shared = PumpState.sharedFor(large.length);
  const state = new PumpState(shared);
  const stop = (): void => state.stop();
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  onStart?.(() => state.sent);
  try {
    const hashers = Math.min(MAX_HASHERS, availableParallelism(), large.length);
    // An error in one thread stops all of them, and each ends by itself.
    const start = async (script: string, data: PumpThreadData | WriterThreadData): Promise<void> =>
      await runThread({ script, data, onFail: stop });
    const threads = [start('writer-thread.js', { shared, large, entries: packEntries(entries), pipe })];
    for (let at = 0; at < hashers; at += 1) threads.push(start('hash-thread.js', { shared, large }));
    await allDone(threads);
  } catch (error) {
    throw signal?.aborted ? new LadingError('ERR_ABORTED', 'the save was aborted', { cause: signal.reason }) : error;
  } finally {
    signal?.removeEventListener('abort', stop);
    for (const file of state.openFiles()) closeSync(file);
    closeSync(pipe);
  }
}

/** The bodies that threads hash beside the one that writes: all large ones, if that is worth while. */
function largeOf(entries: readonly PumpEntry[]): readonly BlobEntry[] {
  const large = entries.filter((entry) => 'file' in entry).filter(isLarge);
  return totalBytes(large.map(({ size }) => size)) < MIN_HASHED_BYTES ? [] : large;
}

/** Our own description of the pipe. Throws EPIPE if the reader has gone. */
function openPipe(calls: Kernel, fd: number): number {
  try {
    return openOwnPipe(calls, fd, constants.O_WRONLY);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    throw Object.assign(new Error('EPIPE: the pipe has no reader'), { code: 'EPIPE', syscall: 'open' });
  }
}

/** Waits for all threads. Throws the error that stopped the others: an abort is only what came of it. */
async function allDone(threads: readonly Promise<void>[]): Promise<void> {
  const results = await Promise.allSettled(threads);
  const errors: unknown[] = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  if (errors.length === 0) return;
  throw errors.find((error) => !(error instanceof LadingError && error.code === 'ERR_ABORTED')) ?? errors[0];
}
