import { isatty } from 'node:tty';
import { readAll } from '../content/check-document.js';
import { LadingError } from '../model/errors.js';

const MAX_BYTES = 64 * 1024;

/** The password from stdin, without the line end. Throws ERR_OPTION_INVALID for a terminal or an empty input. */
export async function readPassword(): Promise<string> {
  if (isatty(0)) throw new LadingError('ERR_OPTION_INVALID', '--password-stdin reads a pipe or a file, not a terminal');
  const text = (await readAll(process.stdin, MAX_BYTES)).toString('utf8').replace(/\r?\n$/, '');
  if (text === '') throw new LadingError('ERR_OPTION_INVALID', 'stdin has no password');
  return text;
}
