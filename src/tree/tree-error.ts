import { LadingError, quote, type ErrorCode } from '../model/errors.js';

/** The bytes of a name, one character each, as text for people. */
export function shownName(name: string): string {
  return Buffer.from(name, 'latin1').toString('utf8');
}

/** An error about an entry of a layer. ERR_TAR_ENTRY unless another code is given. */
export function badTreeEntry(name: string, what: string, code: ErrorCode = 'ERR_TAR_ENTRY'): LadingError {
  const entry = shownName(name);
  return new LadingError(code, `the entry ${quote(entry)} ${what}`, { details: { entry } });
}
