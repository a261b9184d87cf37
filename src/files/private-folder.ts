/* Also loaded in the threads that copy, whose start must not wait for fs-extra. */

import { chmodSync, mkdirSync } from 'node:fs';
import { isExisting } from './storage-error.js';

const PRIVATE = 0o700;

/** Makes a folder that only its user can enter, whatever the umask. The folder above it must be there. */
export function makePrivateFolder(folder: string): void {
  mkdirSync(folder, PRIVATE);
  // By a blocking call: until then another blob of this load, which needs the folder too, might not enter it.
  chmodSync(folder, PRIVATE);
}

/**
 * The same, unless the folder is there already. Not recursive: that would make half of a store where one was moved away,
 * and Node's recursive mkdir never ends if a file system refuses new names with ENOENT, as /proc does.
 */
export function ensurePrivateFolder(folder: string): void {
  try {
    makePrivateFolder(folder);
  } catch (error) {
    if (!isExisting(error)) throw error;
  }
}
