import { LadingError, quote } from './errors.js';

/** Bytes of a tar block. */
export const TAR_BLOCK = 512;

/** Bytes of padding after a body of `size` bytes, up to the next block. */
export function paddingOf(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK;
}

/** The fields of a tar header block (POSIX ustar, GNU, or v7 without a magic) that the guard checks. */
export interface TarHeader {
  /**
   * `0` file, `1` hard link, `2` symlink, `5` directory, `x` and `g` PAX records, `L` GNU long name, `K` long link, `V`
   * GNU volume label.
   */
  readonly type: TarType;
  readonly name: string;
  readonly linkname: string;
  /** Bytes of the body. */
  readonly size: number;
}

export type TarType = '0' | '1' | '2' | '5' | 'x' | 'g' | 'L' | 'K' | 'V';

/** What follows the word sparse in an error. */
export const NOT_SPARSE =
  'which is not accepted; pack it again with `bsdtar --no-read-sparse`, or GNU tar without --sparse';

const TYPES: readonly string[] = ['0', '1', '2', '5', 'x', 'g', 'L', 'K', 'V'];

/** Parses a header block. Throws ERR_TAR_HEADER, and ERR_TAR_ENTRY for a type that no image archive needs. */
export function parseTarHeader(block: Uint8Array): TarHeader {
  const bytes = Buffer.from(block.buffer, block.byteOffset, block.byteLength);
  checkSum(bytes);
  const format = formatOf(bytes);
  const numbers = format === 'v7' ? OTHER_NUMBERS : [...OTHER_NUMBERS, ...DEVICE_NUMBERS];
  for (const [start, length] of numbers) checkNumber(bytes.subarray(start, start + length));
  const prefix = format === 'posix' ? textOf(bytes, 345, 155) : '';
  const name = textOf(bytes, 0, 100);
  return {
    type: parseType(bytes[156] ?? 0),
    name: prefix === '' ? name : `${prefix}/${name}`,
    linkname: textOf(bytes, 157, 100),
    size: parseTarNumber(bytes.subarray(124, 136)),
  };
}

/** Offset and length of the word that marks the formats after v7. */
const MAGIC = [257, 5] as const;

/** v7 (Unix, 1979) has no magic: GNU tar, bsdtar and Go take any block without one as v7 if its checksum is right. */
function formatOf(bytes: Buffer): 'posix' | 'gnu' | 'v7' {
  if (bytes.toString('latin1', 257, 263) === 'ustar\0') return 'posix';
  if (bytes.toString('latin1', 257, 265) === 'ustar  \0') return 'gnu';
  if (hasMagic(bytes)) throw badHeader('it is neither a POSIX nor a GNU header');
  return 'v7';
}

function hasMagic(bytes: Buffer): boolean {
  const [start, length] = MAGIC;
  return bytes.toString('latin1', start, start + length) === 'ustar';
}

/** Whether an input whose first bytes these are may be a tar: by its magic, or for v7 by a right checksum. */
export function startsLikeTar(head: Buffer): boolean {
  if (hasMagic(head)) return true;
  try {
    if (head.length >= TAR_BLOCK) checkSum(head);
    return head.length >= TAR_BLOCK;
  } catch {
    return false;
  }
}

/** Offset and length of mode, uid, gid and mtime. We ignore their values; other readers do not. */
const OTHER_NUMBERS = [
  [100, 8],
  [108, 8],
  [116, 8],
  [136, 12],
] as const;

/** The same of devmajor and devminor, which v7 does not have. */
const DEVICE_NUMBERS = [
  [329, 8],
  [337, 8],
] as const;

/** Other readers refuse a header with any bad number. GNU tar writes negative ones in base-256. */
function checkNumber(field: Buffer): void {
  const first = field[0] ?? 0;
  if (first === 0x80 || first === 0xff) return;
  const text = field.toString('latin1');
  if (!/^[ \0]*[0-7]*[ \0]*$/.test(text)) throw badHeader(`${quote(text)} is not an octal number`);
}

/** The number in a header field: octal digits, or base-256 after a first byte of 0x80. Throws ERR_TAR_HEADER. */
export function parseTarNumber(field: Uint8Array): number {
  return tarNumberIn(field, 0, field.length);
}

/** The same of a field inside a block: without a view of its own, since a layer may have a million headers. */
export function tarNumberIn(block: Uint8Array, start: number, end: number): number {
  const first = block[start] ?? 0;
  const value = first >= 0x80 ? parseBase256(block.subarray(start, end)) : parseOctal(block, start, end);
  if (!Number.isSafeInteger(value)) throw badHeader('a number is larger than 2^53');
  return value;
}

/** Spaces, octal digits, then spaces and zero bytes. */
function parseOctal(block: Uint8Array, start: number, end: number): number {
  let [at, value] = [start, 0];
  while (at < end && block[at] === 0x20) at += 1;
  for (; at < end; at += 1) {
    const digit = (block[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 7) break;
    value = value * 8 + digit;
  }
  while (at < end && (block[at] === 0x20 || block[at] === 0)) at += 1;
  if (at === end) return value;
  throw badHeader(`${quote(Buffer.from(block.subarray(start, end)).toString('latin1'))} is not an octal number`);
}

/** GNU base-256: 0x80 starts a positive number, the only kind that a size can be; 0xff starts a negative one. */
function parseBase256(field: Uint8Array): number {
  if (field[0] !== 0x80) throw badHeader('a base-256 number has a bad first byte');
  return field.subarray(1).reduce((value, byte) => value * 256 + byte, 0);
}

function parseType(flag: number): TarType {
  // `7` is a contiguous file: "treat this file as a regular file (type 0)" (POSIX ustar), as GNU tar and bsdtar do.
  const type = flag === 0 || flag === 0x37 ? '0' : String.fromCharCode(flag);
  if (!TYPES.includes(type)) {
    const what =
      type === 'S' ? `a sparse file, ${NOT_SPARSE}` : `an entry of type ${quote(type)}, which no image needs`;
    throw new LadingError('ERR_TAR_ENTRY', `the archive has ${what}`);
  }
  // Checked against the list above.
  return type as TarType;
}

/** Throws ERR_TAR_HEADER for a header block with a wrong checksum. */
export function checkSum(block: Buffer): void {
  if (tarSum(block) !== tarNumberIn(block, 148, 156)) throw badHeader('its checksum is wrong');
}

/** The checksum of a header block. Its own field counts as eight spaces (POSIX pax, "ustar Interchange Format"). */
export function tarSum(block: Buffer): number {
  let sum = 8 * 0x20;
  for (let at = 0; at < 148; at += 1) sum += block[at] ?? 0;
  for (let at = 156; at < TAR_BLOCK; at += 1) sum += block[at] ?? 0;
  return sum;
}

function textOf(bytes: Buffer, start: number, length: number): string {
  return decodeName(upToZero(bytes.subarray(start, start + length)));
}

/** The bytes of a name as text. Throws ERR_TAR_ENTRY if they are not UTF-8. */
export function decodeName(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new LadingError('ERR_TAR_ENTRY', 'an entry name is not UTF-8', { cause });
  }
}

/** An ERR_TAR_HEADER with this reason. */
export function badHeader(reason: string): LadingError {
  return new LadingError('ERR_TAR_HEADER', `not a valid tar header: ${reason}`);
}

/** The bytes of a field, or of a GNU long name, up to the first zero byte. */
export function upToZero(field: Buffer): Buffer {
  const end = field.indexOf(0);
  return end === -1 ? field : field.subarray(0, end);
}

const ZEROS = Buffer.alloc(64 * 1024);

/** Whether all bytes are zero. */
export function isZero(bytes: Buffer): boolean {
  for (let at = 0; at < bytes.length; at += ZEROS.length) {
    const part = bytes.subarray(at, at + ZEROS.length);
    if (!part.equals(ZEROS.subarray(0, part.length))) return false;
  }
  return true;
}
