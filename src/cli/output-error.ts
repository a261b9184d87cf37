import { storageError } from '../files/storage-error.js';
import { LadingError } from '../model/errors.js';
import { isReaderGone } from './exit-status.js';

/** An error of the system as a LadingError that says what failed. That of a reader that has gone stays as it is. */
export function outputError(error: unknown, doing: string): unknown {
  const { syscall, name, message } = error as NodeJS.ErrnoException;
  if (error instanceof LadingError || isReaderGone(error)) return error;
  if (name === 'AbortError') return new LadingError('ERR_ABORTED', 'the command was aborted', { cause: error });
  if (syscall === undefined) return error;
  const found = storageError(error, doing);
  // That code is about a store.
  if (found.code !== 'ERR_STORE_READONLY') return found;
  return new LadingError('ERR_STORAGE_IO', `${doing}: ${message}`, { cause: error, details: found.details });
}
