import { constants } from 'node:fs';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { openSized, type OpenedFile } from './read-file.js';

/**
 * Opens the file of a blob for reading. Throws ERR_STORE_TAMPERED if it is no regular file: a symlink may lead anywhere.
 * Throws errors of the file system as they are.
 */
export function openBlob(file: string, digest: Digest): OpenedFile {
  try {
    return openSized(file, constants.O_NOFOLLOW, () => notRegular(digest));
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ELOOP' ? notRegular(digest) : error;
  }
}

function notRegular(digest: Digest): LadingError {
  const message = `blob ${digest}: its file in the store is not a regular file; lading verify moves it away`;
  return new LadingError('ERR_STORE_TAMPERED', message, { details: { digest } });
}

/** ERR_BLOB_MISSING for a blob that the store does not have. */
export function notInStore(digest: Digest): LadingError {
  return new LadingError('ERR_BLOB_MISSING', `blob ${digest} is not in the store`, { details: { digest } });
}
