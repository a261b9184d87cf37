import { secondsText, wholeSeconds, type FileTime } from './file-time.js';
import type { Xattrs } from './layer-header.js';
import { paddingOf, TAR_BLOCK, tarSum } from './tar-header.js';

/** An entry of a flat tar. Names are bytes, one character each (latin1). */
export interface TreeHeader {
  readonly type: 'file' | 'link' | 'symlink' | 'character' | 'block' | 'directory' | 'fifo';
  readonly name: string;
  /** Of a link or symlink. */
  readonly target: string;
  /** Bytes of the body. */
  readonly size: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: FileTime;
  readonly xattrs: Xattrs | undefined;
  readonly major: number;
  readonly minor: number;
}

const FLAGS = { file: '0', link: '1', symlink: '2', character: '3', block: '4', directory: '5', fifo: '6' } as const;

/** The largest numbers that seven and eleven octal digits can write. */
const MAX_OCTAL_7 = 0o7777777;
const MAX_OCTAL_11 = 0o77777777777;

/** What a name field can hold, so that all readers agree on it. */
const PLAIN_NAME = /^[\0-\x7f]{0,100}$/;

/**
 * The header block of an entry, behind one with PAX records where ustar cannot say something: long or non-ASCII names,
 * large numbers, fractions of a second, times before 1970, extended attributes.
 */
export function treeHeaderBlocks(entry: TreeHeader): Buffer {
  const records = recordsOf(entry);
  const block = headerBlock({ ...entry, type: FLAGS[entry.type] });
  if (records.length === 0) return block;
  const body = Buffer.concat(records);
  const extension = headerBlock({ ...PAX_HEADER, size: body.length });
  return Buffer.concat([extension, body, Buffer.alloc(paddingOf(body.length)), block]);
}

const PAX_HEADER = {
  type: 'x',
  name: 'PaxHeader',
  target: '',
  mode: 0o644,
  uid: 0,
  gid: 0,
  mtime: 0,
  major: 0,
  minor: 0,
} as const;

function recordsOf(entry: TreeHeader): readonly Buffer[] {
  const { name, target, size, uid, gid, mtime, xattrs } = entry;
  const records: Buffer[] = [];
  const add = (key: string, value: string | Buffer): void => void records.push(paxRecord(key, value));
  // Else bsdtar refuses to convert the names to its locale.
  if (!isUtf8(name) || !isUtf8(target)) add('hdrcharset', 'BINARY');
  if (!PLAIN_NAME.test(name)) add('path', name);
  if (!PLAIN_NAME.test(target)) add('linkpath', target);
  if (size > MAX_OCTAL_11) add('size', String(size));
  if (uid > MAX_OCTAL_7) add('uid', String(uid));
  if (gid > MAX_OCTAL_7) add('gid', String(gid));
  if (typeof mtime === 'bigint' || !isOctal(mtime)) add('mtime', secondsText(mtime));
  for (const [key, value] of xattrs ?? []) add(`SCHILY.xattr.${key}`, value);
  return records;
}

function isUtf8(name: string): boolean {
  if (PLAIN_NAME.test(name)) return true;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(name, 'latin1'));
    return true;
  } catch {
    return false;
  }
}

/** Whether the time field can have these seconds. */
function isOctal(seconds: number): boolean {
  return seconds >= 0 && seconds <= MAX_OCTAL_11;
}

/** `LENGTH KEY=VALUE\n`; the length counts its own digits. */
function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([
    Buffer.from(` ${key}=`, 'latin1'),
    typeof value === 'string' ? Buffer.from(value, 'latin1') : value,
    Buffer.from('\n'),
  ]);
  let length = rest.length;
  while (rest.length + String(length).length !== length) length = rest.length + String(length).length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

type BlockFields = Omit<TreeHeader, 'type' | 'xattrs'> & { readonly type: string };

/** One header block (POSIX ustar). A number that PAX records carry is zero here. */
function headerBlock({ type, name, target, size, mode, uid, gid, mtime, major, minor }: BlockFields): Buffer {
  const block = Buffer.allocUnsafe(TAR_BLOCK);
  TEMPLATE.copy(block);
  block.write(name.slice(0, 100), 0, 'latin1');
  writeOctal(block, 100, 107, mode);
  writeOctal(block, 108, 115, uid > MAX_OCTAL_7 ? 0 : uid);
  writeOctal(block, 116, 123, gid > MAX_OCTAL_7 ? 0 : gid);
  writeOctal(block, 124, 135, size > MAX_OCTAL_11 ? 0 : size);
  const seconds = wholeSeconds(mtime);
  writeOctal(block, 136, 147, isOctal(seconds) ? seconds : 0);
  block.write(type, 156, 'latin1');
  if (target !== '') block.write(target.slice(0, 100), 157, 'latin1');
  writeDevice(block, 329, major);
  writeDevice(block, 337, minor);
  writeOctal(block, 148, 154, tarSum(block));
  return block;
}

/** What all header blocks have. */
const TEMPLATE = Buffer.alloc(TAR_BLOCK);
TEMPLATE.write('\0 ', 154, 'latin1');
TEMPLATE.write('ustar\x0000', 257, 'latin1');

/** Fills the field with digits, zeros in front. */
function writeOctal(block: Buffer, start: number, end: number, value: number): void {
  let rest = value;
  for (let at = end - 1; at >= start; at -= 1) {
    block[at] = 0x30 + (rest % 8);
    rest = Math.floor(rest / 8);
  }
}

/** Base-256 for a number that octal cannot write: PAX has no record for devices that all readers know. */
function writeDevice(block: Buffer, at: number, value: number): void {
  if (value <= MAX_OCTAL_7) return writeOctal(block, at, at + 7, value);
  block[at] = 0x80;
  block.writeUInt32BE(value, at + 4);
}
