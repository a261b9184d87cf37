import { TAR_BLOCK, tarSum } from './tar-header.js';

/** What a tar header says of an entry. Owner, group and time are zero. */
export interface TarHeaderFields {
  readonly name: string;
  readonly type: 'file' | 'directory';
  /** Bytes of the body. */
  readonly size: number;
  /** Permission bits. */
  readonly mode: number;
}

/** The largest size that eleven octal digits can write. */
const MAX_SIZE = 0o77777777777;

/** A name that fits the name field of a header. */
const SHORT_NAME = /^[ -~]{1,100}$/;

/** Whether one header block can hold the entry. Others need PAX records, a prefix or base-256 numbers. */
export function fitsOneHeader({ name, size }: Pick<TarHeaderFields, 'name' | 'size'>): boolean {
  return SHORT_NAME.test(name) && size <= MAX_SIZE;
}

/** Writes the header block of an entry that {@link fitsOneHeader}, with the same bytes as the tar packer. */
export function writeTarHeader(block: Buffer, { name, type, size, mode }: TarHeaderFields): void {
  TEMPLATE.copy(block);
  block.write(name, 0, 'latin1');
  block.write(octal(mode, 6), 100, 'latin1');
  block.write(octal(size, 11), 124, 'latin1');
  if (type === 'directory') block[156] = DIRECTORY;
  block.write(octal(tarSum(block), 6), 148, 'latin1');
}

const FILE = 0x30;
const DIRECTORY = 0x35;

function octal(value: number, digits: number): string {
  return `${value.toString(8).padStart(digits, '0')} `;
}

/** A header without name, mode, size and sum (POSIX pax, "ustar Interchange Format"). */
const TEMPLATE = Buffer.alloc(TAR_BLOCK);
for (const at of [108, 116, 329, 337]) TEMPLATE.write(octal(0, 6), at, 'latin1');
TEMPLATE.write(octal(0, 11), 136, 'latin1');
TEMPLATE.write('ustar\x0000', 257, 'latin1');
TEMPLATE[156] = FILE;
