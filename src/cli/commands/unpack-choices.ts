import { LadingError, quote } from '../../model/errors.js';
import type { Ownership } from '../../unpack/report-shapes.js';
import type { UnpackOptions } from '../../unpack/unpack-options.js';

/** What the command line says of a directory. */
export interface UnpackChoices {
  readonly setid?: boolean;
  readonly maxNames?: string;
  readonly owner?: Ownership;
  readonly strict?: boolean;
  readonly sync?: boolean;
  readonly bundle?: boolean;
}

/** The same as options of the library. Throws ERR_OPTION_INVALID. */
export function unpackChoices({ setid, maxNames, owner, strict, sync, bundle }: UnpackChoices): UnpackOptions {
  return {
    ...(setid === false && { setId: false }),
    ...(owner !== undefined && { owner }),
    ...(strict === true && { strict }),
    ...(sync === true && { sync }),
    ...(bundle === true && { bundle }),
    ...(maxNames !== undefined && { maxNames: parseNames(maxNames) }),
  };
}

function parseNames(text: string): number {
  if (/^[1-9][0-9]{0,8}$/.test(text)) return Number(text);
  const message = `--max-names must be a number from 1 on, not ${quote(text)}`;
  throw new LadingError('ERR_OPTION_INVALID', message, { details: { option: '--max-names' } });
}
