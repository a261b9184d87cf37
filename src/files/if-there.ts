import { readdir } from 'node:fs/promises';
import fs from 'fs-extra';
import { readFileSync, unlinkSync, type Stats } from 'node:fs';
import { isNotFound, isExisting, readError } from './storage-error.js';

/** All bytes of a small file; undefined where it is not there. */
export function readIfThere(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** What is there, not following a link; undefined where nothing is. */
export async function lstatIfThere(file: string): Promise<fs.Stats | undefined> {
  try {
    return await fs.lstat(file);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Moves a file; false where it is not there. */
export async function moveIfThere(from: string, to: string): Promise<boolean> {
  try {
    await fs.rename(from, to);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** Removes a folder that has nothing in it; leaves any other as it is. */
export async function removeIfEmpty(folder: string): Promise<void> {
  await fs.rmdir(folder).catch((error: unknown) => {
    // Some file systems call a folder that is not empty an existing one.
    if (!isNotFound(error) && !isExisting(error) && (error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  });
}

export function statIfThere(file: string, stat: (file: string) => Stats): Stats | undefined {
  try {
    return stat(file);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The names in a folder; none where there is no such folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw readError(error, 'cannot list the store');
  }
}

export function unlinkIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    // It has become the blob.
    if (!isNotFound(error)) throw error;
  }
}
