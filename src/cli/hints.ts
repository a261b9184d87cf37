import { existsSync } from 'node:fs';
import { LadingError } from '../model/errors.js';

/** The error with what the command can do about it; others as they are. */
export function hinted(error: unknown, code: LadingError['code'], hint: string): unknown {
  if (!(error instanceof LadingError) || error.code !== code) return error;
  return new LadingError(code, `${error.message}; ${hint}`, { details: error.details, cause: error });
}

/** The error of a platform that is not there, with the option that takes the others. */
export function hintAllowMissing(error: unknown, isAllowed: boolean | undefined): unknown {
  if (isAllowed === true) return error;
  return hinted(error, 'ERR_PLATFORM_UNAVAILABLE', 'use --allow-missing to take the platforms that are there');
}

/** The error of an unknown image, with the option for archives if a file has that name. */
export function hintArchive(error: unknown): unknown {
  const image = error instanceof LadingError ? error.details['image'] : undefined;
  if (typeof image !== 'string' || !existsSync(image)) return error;
  const hinting = `to look into the file, use --archive ${image}`;
  return hinted(hinted(error, 'ERR_IMAGE_UNKNOWN', hinting), 'ERR_REFERENCE_INVALID', hinting);
}
