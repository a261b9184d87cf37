import { randomUUID } from 'node:crypto';
import { lstat, readdir, realpath, statfs } from 'node:fs/promises';
import path from 'node:path';
import { isExisting, isNotFound } from '../../files/storage-error.js';
import { LadingError, quote } from '../../model/errors.js';
import { targetError } from './target-error.js';

/** Bytes of the target's name in that of the folder that is written: a name may have 255 in all. */
const NAME_BYTES = 200;

/** The real path of a target that is absent or an empty directory. */
export async function freeTarget(directory: string): Promise<string> {
  try {
    const target = path.resolve(directory);
    const parent = await realpath(path.dirname(target));
    await checkFree(target);
    return path.join(parent, path.basename(target));
  } catch (error) {
    throw targetError(error, `cannot unpack to ${quote(directory)}`);
  }
}

async function checkFree(target: string): Promise<void> {
  const found = await lstat(target).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (found === undefined) return;
  if (!found.isDirectory() || (await readdir(target)).length > 0) throw targetExists(target);
}

/** ERR_TARGET_EXISTS. */
export function targetExists(target: string): LadingError {
  const message = `${quote(target)} exists and is no empty directory; unpack beside it, then move a link`;
  return new LadingError('ERR_TARGET_EXISTS', message, { details: { path: target } });
}

/** A new name beside the target that nobody takes for it. */
export function besideOf(target: string): string {
  const name = Buffer.from(path.basename(target)).subarray(0, NAME_BYTES).toString('utf8').replaceAll('\u{fffd}', '');
  return path.join(path.dirname(target), `.${name}.lading-${randomUUID()}`);
}

/** Throws ERR_NO_SPACE if the target's file system has less than so many bytes free. */
export async function checkSpace(target: string, bytes: number): Promise<void> {
  const { blocks, bavail, bsize } = await statfs(path.dirname(target)).catch((error: unknown) => {
    throw targetError(error, `cannot unpack to ${quote(target)}`);
  });
  // Some file systems do not say how large they are.
  if (blocks === 0 || bavail * bsize >= bytes) return;
  const message = `${quote(target)} needs ${bytes} bytes, and ${bavail * bsize} are free; free some and try again`;
  throw new LadingError('ERR_NO_SPACE', message, { details: { needed: bytes, free: bavail * bsize } });
}

/** Whether another program took the name meanwhile. */
export function isTaken(error: unknown): boolean {
  const { code, syscall } = error as NodeJS.ErrnoException;
  return syscall === 'rename' && (isExisting(error) || code === 'ENOTEMPTY' || code === 'ENOTDIR');
}
