import { fsync, fsyncSync, statfsSync } from 'node:fs';
import { promisify } from 'node:util';
import { isMainThread } from 'node:worker_threads';

const syncAsync = promisify(fsync);

/** The types of file systems in memory: tmpfs and ramfs (statfs(2)). */
const IN_MEMORY: readonly number[] = [0x01021994, 0x858458f6];

/** The folders that were asked about. What is known of them changes only how the call is made. */
const areInMemory = new Map<string, boolean>();

/**
 * Waits until the bytes of an open file in this folder are on stable storage. In memory there is none, and the call is
 * short: in a thread it is made at once, since waiting for another thread to make it takes ten times as long. The main
 * thread never makes it itself.
 */
export async function syncBytes(fd: number, folder: string): Promise<void> {
  if (!isMainThread && isInMemory(folder)) fsyncSync(fd);
  else await syncAsync(fd);
}

function isInMemory(folder: string): boolean {
  const known = areInMemory.get(folder) ?? IN_MEMORY.includes(statfsSync(folder).type);
  areInMemory.set(folder, known);
  return known;
}
