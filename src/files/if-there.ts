/* Also read by `lading images`, whose start must not wait for fs-extra. */

import { closeSync, readFileSync, unlinkSync, type Stats } from 'node:fs';
import { lstat, readdir, rename, rmdir } from 'node:fs/promises';
import { LadingError, quote } from '../model/errors.js';
import { openRegular } from './read-file.js';
import { isExisting, isNotFound, readError } from './storage-error.js';

/** All bytes of a small regular file; undefined if it does not exist. Never waits for a pipe. */
export function readIfThere(file: string): Buffer | undefined {
  try {
    const fd = openRegular(file, 0, () => notRegular(file));
    try {
      return readFileSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

function notRegular(file: string): LadingError {
  return new LadingError(
    'ERR_STORE_TAMPERED',
    `${file} is not a regular file; put one in its place, or use another store`,
  );
}

/** The stats of a path, without following a link; undefined if nothing is there. */
export async function lstatIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await lstat(file);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** Moves a file. Returns false if it does not exist. */
export async function moveIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/** Removes an empty folder; leaves any other as it is. */
export async function removeIfEmpty(folder: string): Promise<void> {
  await rmdir(folder).catch((error: unknown) => {
    // For a folder that is not empty, some file systems answer EEXIST.
    if (!isNotFound(error) && !isExisting(error) && (error as NodeJS.ErrnoException).code !== 'ENOTEMPTY') throw error;
  });
}

/** What `stat` returns for a path; undefined if nothing is there. */
export function statIfThere(file: string, stat: (file: string) => Stats): Stats | undefined {
  try {
    return stat(file);
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

/** The names in a folder; none if it does not exist or is not a folder. */
export async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw readError(error, `cannot read the folder ${quote(folder)}`);
  }
}

/** Removes a file, if it exists. */
export function unlinkIfThere(file: string): void {
  try {
    unlinkSync(file);
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
}
