import { isExisting, storageError } from '../../files/storage-error.js';
import { asError, LadingError } from '../../model/errors.js';

/** An error of the file system that is written to, as a LadingError. */
export function targetError(cause: unknown, doing: string): LadingError {
  if (cause instanceof LadingError) return cause;
  const details = { system: (asError(cause) as NodeJS.ErrnoException).code };
  if (isExisting(cause)) {
    const message = `${doing}: two names of the image are one name there; use a file system that tells cases apart`;
    return new LadingError('ERR_STORAGE_IO', message, { cause, details });
  }
  if (details.system === 'ENAMETOOLONG') {
    const message = `${doing}: a path would be too long there; use a directory with a shorter path`;
    return new LadingError('ERR_STORAGE_IO', message, { cause, details });
  }
  const found = storageError(cause, doing);
  // That code is about a store.
  if (found.code !== 'ERR_STORE_READONLY') return found;
  return new LadingError('ERR_STORAGE_IO', `${doing}: ${asError(cause).message}`, { cause, details });
}
