import { LadingError } from '../model/errors.js';

const NO_SPACE: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];
const NO_RIGHTS: readonly string[] = ['EROFS', 'EACCES', 'EPERM'];

/** An error of the file system in the words of this library; a LadingError stays as it is. */
export function storageError(cause: unknown, doing: string): LadingError {
  if (cause instanceof LadingError) return cause;
  const { code = '' } = cause as NodeJS.ErrnoException;
  const details = { system: code };
  if (NO_SPACE.includes(code)) {
    return new LadingError('ERR_NO_SPACE', `${doing}: no space left; free some and try again`, { cause, details });
  }
  if (NO_RIGHTS.includes(code)) {
    return new LadingError('ERR_STORE_READONLY', `${doing}: no right to write there (${code})`, { cause, details });
  }
  return readError(cause, doing);
}

/** An error of the file system while reading, where a missing right has nothing to do with writing. */
export function readError(cause: unknown, doing: string): LadingError {
  if (cause instanceof LadingError) return cause;
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return new LadingError('ERR_STORAGE_IO', `${doing}: ${message}`, { cause, details: { system: code } });
}

const UNREADABLE: readonly unknown[] = ['EACCES', 'EPERM', 'EIO', 'EUCLEAN', 'EBADMSG', 'ENXIO', 'EISDIR'];

/** Whether an error is about one file that cannot be read, and not about what this process may have open or hold. */
export function isUnreadable(error: unknown): error is LadingError {
  if (!(error instanceof LadingError)) return false;
  return error.code === 'ERR_STORE_TAMPERED' || UNREADABLE.includes(error.details['system']);
}

/** Whether the file system said that there is no such file. */
export function isNotFound(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Whether the file system said that the file is there already. */
export function isExisting(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EEXIST';
}
