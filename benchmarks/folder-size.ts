import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout } from 'node:timers/promises';

/** The largest and the last size of a folder, in bytes. */
export interface FolderGrowth {
  readonly peakBytes: number;
  readonly endBytes: number;
}

/** A watch over a folder that goes on until it is stopped. */
export interface FolderWatch {
  stop(): Promise<FolderGrowth>;
}

/** Short compared with a run of a second, and cheap: one look costs about a millisecond. */
const INTERVAL_MS = 50;

/** Measures a folder again and again. Does not see files that come and go between two looks. */
export function watchFolder(folder: string): FolderWatch {
  const end = new AbortController();
  const watch = async (): Promise<FolderGrowth> => {
    let peakBytes = 0;
    while (!end.signal.aborted) {
      peakBytes = Math.max(peakBytes, await folderBytes(folder));
      await setTimeout(INTERVAL_MS);
    }
    const endBytes = await folderBytes(folder);
    return { peakBytes: Math.max(peakBytes, endBytes), endBytes };
  };
  const growth = watch();
  return {
    stop: () => {
      end.abort();
      return growth;
    },
  };
}

/** Bytes of the files in a folder at any depth. Counts a file with several names once; 0 if the folder is absent. */
export async function folderBytes(folder: string): Promise<number> {
  const sizes = new Map<bigint, bigint>();
  for (const file of await filesIn(folder)) {
    const found = await lookUp(file);
    if (found?.isFile() === true) sizes.set(found.ino, found.size);
  }
  return Number([...sizes.values()].reduce((sum, size) => sum + size, 0n));
}

async function filesIn(folder: string): Promise<readonly string[]> {
  try {
    const names = await readdir(folder, { recursive: true });
    return names.map((name) => path.join(folder, name));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** The folder changes while it is read, so a name may be gone by now. */
async function lookUp(file: string): Promise<BigIntStats | undefined> {
  try {
    return await lstat(file, { bigint: true });
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}
