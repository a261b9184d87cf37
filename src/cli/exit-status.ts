import { LadingError, type ErrorCategory } from '../model/errors.js';

/** The exit status of each category of errors (docs/errors.md). */
const STATUS: Readonly<Record<ErrorCategory, number>> = {
  'invalid-argument': 2,
  'invalid-archive': 5,
  integrity: 5,
  limit: 5,
  'not-found': 4,
  conflict: 7,
  storage: 8,
  unsupported: 1,
  trust: 9,
  network: 6,
  aborted: 130,
};

/** Finished, but incomplete, as the caller allowed. */
export const INCOMPLETE = 3;

/** What was demanded is not there. */
export const MISSING = 4;

/** The content that was verified is damaged. */
export const DAMAGED = 5;

/** Content could not be read, so that nobody knows whether it is damaged. */
export const UNREADABLE = STATUS.storage;

/** Stopped by a signal before its end. */
export const ABORTED = STATUS.aborted;

/** An image is not signed as it must be. */
export const UNTRUSTED = 9;

/** The reader of the output has gone: 128 + SIGPIPE, as in a shell. */
export const READER_GONE = 141;

/** Whether an error says that the reader of a pipe has gone, or that of a socket with unread bytes in it. */
export function isReaderGone(error: unknown): boolean {
  return ['EPIPE', 'ECONNRESET'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** The exit status for an error. */
export function exitStatusOf(error: unknown): number {
  return error instanceof LadingError ? STATUS[error.category] : 1;
}
