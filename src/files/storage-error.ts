import { asError, LadingError } from '../model/errors.js';

const NO_SPACE: readonly string[] = ['ENOSPC', 'EDQUOT', 'EFBIG'];
const TOO_FEW_FILES: readonly string[] = ['EMFILE', 'ENFILE'];
const NO_RIGHTS: readonly string[] = ['EROFS', 'EACCES', 'EPERM'];

/** An error of the file system as a LadingError, which says what failed; a LadingError stays as it is. */
export function storageError(cause: unknown, doing: string): LadingError {
  if (cause instanceof LadingError) return cause;
  const { code = '' } = asError(cause) as NodeJS.ErrnoException;
  const details = { system: code };
  if (NO_SPACE.includes(code)) {
    return new LadingError('ERR_NO_SPACE', `${doing}: no space left; free some and try again`, { cause, details });
  }
  if (NO_RIGHTS.includes(code)) {
    return new LadingError('ERR_STORE_READONLY', `${doing}: no right to write there (${code})`, { cause, details });
  }
  return readError(cause, doing);
}

/** An error while reading, as a LadingError. Never ERR_STORE_READONLY, which is about writing. */
export function readError(cause: unknown, doing: string): LadingError {
  if (cause instanceof LadingError) return cause;
  const { code = '', message } = asError(cause) as NodeJS.ErrnoException;
  const hint = TOO_FEW_FILES.includes(code) ? '; raise the limit of open files (ulimit -n)' : '';
  return new LadingError('ERR_STORAGE_IO', `${doing}: ${message}${hint}`, { cause, details: { system: code } });
}

const UNREADABLE: readonly unknown[] = ['EACCES', 'EPERM', 'EIO', 'EUCLEAN', 'EBADMSG', 'ENXIO', 'EISDIR'];

/** Whether one file cannot be read. False for limits of this process, such as too many open files. */
export function isUnreadable(error: unknown): error is LadingError {
  if (!(error instanceof LadingError)) return false;
  return error.code === 'ERR_STORE_TAMPERED' || UNREADABLE.includes(error.details['system']);
}

/** Whether this user may not read the file, so that nobody knows whether it is damaged. */
export function mayNotRead(error: unknown): boolean {
  return error instanceof LadingError && ['EACCES', 'EPERM'].includes(String(error.details['system']));
}

/** Whether the file system answered that the file does not exist. */
export function isNotFound(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT';
}

/** Whether the file system answered that the file exists already. */
export function isExisting(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'EEXIST';
}
