import { readFileSync } from 'node:fs';
import { LadingError, quote } from '../model/errors.js';

/** A line of a list, with its number from 1. */
export interface ListLine {
  readonly text: string;
  readonly number: number;
}

/**
 * The lines of a list, `-` for stdin, without blank ones and comments: `#` starts one at the start of a line or behind a
 * space. Throws ERR_OPTION_INVALID for a file that cannot be read.
 */
export function readListFile(file: string): readonly ListLine[] {
  return listLines(readListText(file));
}

/** The same from the text of a list. */
export function listLines(text: string): readonly ListLine[] {
  return text
    .split(/\r?\n/)
    .map((line, at) => ({ text: line.replace(/(?:^|\s)#.*$/, '').trim(), number: at + 1 }))
    .filter(({ text }) => text !== '');
}

/** The text of a file, `-` for stdin. */
export function readListText(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new LadingError('ERR_OPTION_INVALID', `--from-file: cannot read ${quote(file)}`, { cause });
  }
}
