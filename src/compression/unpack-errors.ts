import { LadingError } from '../model/errors.js';

/* The messages follow the name of what is unpacked: "the compressed archive", "layer sha256:…". */

/** The error of input that ends before its compressed form does. */
export function endsEarly(cause?: unknown): LadingError {
  return new LadingError('ERR_ARCHIVE_TRUNCATED', 'ends too early; it was cut, fetch it again', { cause });
}

/** The error of input that does not follow its form, or does not have its checksum. */
export function isDamaged(what: string, cause?: unknown): LadingError {
  return new LadingError('ERR_COMPRESSED_DATA', `is damaged: ${what}`, { cause });
}

/** The error of bytes behind the last member, frame or stream. */
export function goesOn(cause?: unknown): LadingError {
  return isDamaged('data follows its end', cause);
}

/** The error of sound input that the program of this name can unpack, with these arguments, and Lading cannot. */
export function isUnsupported(what: string, compression: string, command: string): LadingError {
  const message = `${what}; unpack it first: ${command}`;
  return new LadingError('ERR_COMPRESSION_UNSUPPORTED', message, { details: { compression, command } });
}

/** The error of input for which more memory is needed than the limit allows. */
export function needsMemory(
  { compression, command }: { readonly compression: string; readonly command: string },
  window: { readonly bytes?: bigint; readonly maxBytes: number },
): LadingError {
  const needs = window.bytes === undefined ? '' : ` of ${mebibytes(window.bytes)}`;
  const what = `needs a window${needs} in memory, more than ${mebibytes(BigInt(window.maxBytes))}`;
  return isUnsupported(what, compression, command);
}

/** Rounded up. */
function mebibytes(bytes: bigint): string {
  return `${(bytes + 0xfffffn) >> 20n} MiB`;
}
