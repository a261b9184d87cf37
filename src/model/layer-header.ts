import { LadingError, quote } from './errors.js';
import { fileTimeOf, type FileTime } from './file-time.js';
import type { Override } from './tar-extensions.js';
import { type PaxRecords } from './pax-records.js';
import { badHeader, checkSum, tarNumberIn } from './tar-header.js';

/** Extended attributes by name. A value may hold any bytes. */
export type Xattrs = ReadonlyMap<string, Buffer>;

/** An entry of a layer. Names are bytes, one character each (latin1). */
export interface LayerEntry {
  /** The type flag: `0` file, `1` hard link, `2` symlink, `3` and `4` devices, `5` directory, `6` fifo, or another. */
  readonly type: string;
  readonly name: string;
  readonly linkname: string;
  /** Bytes, as the header says. */
  readonly size: number;
  /** Bytes of the body that follows. */
  readonly bodySize: number;
  /** The low twelve bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: FileTime;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: Xattrs | undefined;
  /** How many extended attributes were left out, since they belong to the host that packed the layer. */
  readonly droppedXattrs: number;
}

/** The largest user or group id; the one above means "leave it" to chown(2). */
const MAX_ID = 2 ** 32 - 2;
const MAX_DEVICE = 2 ** 32 - 1;
const SECOND = 1_000_000_000n;

/** Bytes of one extended attribute (Linux, XATTR_SIZE_MAX) and of its name (XATTR_NAME_MAX). */
const MAX_XATTR_BYTES = 64 * 1024;
const MAX_XATTR_NAME = 255;

/** The type flag of a header block with a right checksum. Throws ERR_TAR_HEADER. */
export function typeOfHeader(block: Buffer): string {
  checkSum(block);
  return String.fromCharCode(block[156] ?? 0);
}

/**
 * Parses a header block of a layer: POSIX, star, GNU, or one without magic (v7). Takes any type flag. Throws
 * ERR_TAR_HEADER, ERR_LIMIT_BYTES.
 */
export function parseLayerHeader(block: Buffer, extended: Override = {}): LayerEntry {
  const { pax } = extended;
  const name = extended.name ?? nameIn(block);
  const flag = block[156] ?? 0;
  // Before POSIX the flag was zero, and a slash at the end of the name was the mark of a directory.
  const type = flag !== 0 ? String.fromCharCode(flag) : name.endsWith('/') ? '5' : '0';
  const size = extended.size ?? tarNumberIn(block, 124, 136);
  const isDevice = (type === '3' || type === '4') && hasMagic(block);
  const attributes = pax === undefined ? undefined : xattrsIn(pax);
  return {
    type,
    name,
    linkname: extended.linkname ?? bytesOf(block, 157, 100),
    size,
    bodySize: BODILESS.includes(type) ? 0 : size,
    mode: modeIn(block),
    uid: idIn(block, 108, 'user id', pax?.get('uid')),
    gid: idIn(block, 116, 'group id', pax?.get('gid')),
    mtime: timeIn(block, pax?.get('mtime')),
    major: isDevice ? atMost(tarNumberIn(block, 329, 337), MAX_DEVICE, 'device number') : 0,
    minor: isDevice ? atMost(tarNumberIn(block, 337, 345), MAX_DEVICE, 'device number') : 0,
    xattrs: attributes?.kept,
    droppedXattrs: attributes?.dropped ?? 0,
  };
}

/** Types that have no body, whatever their size says (POSIX ustar). */
const BODILESS = ['1', '2', '3', '4', '5', '6'];

/** `ustar`, then a zero byte (POSIX, star) or a space (GNU). */
function hasMagic(block: Buffer): boolean {
  return isPosix(block) || block.toString('latin1', 257, 263) === 'ustar ';
}

function isPosix(block: Buffer): boolean {
  return block[262] === 0 && block.toString('latin1', 257, 262) === 'ustar';
}

function nameIn(block: Buffer): string {
  const name = bytesOf(block, 0, 100);
  if (block[345] === 0 || !isPosix(block)) return name;
  // Star writes times where POSIX has the end of the prefix.
  const isStar = block.toString('latin1', 508, 512) === 'tar\0';
  return `${bytesOf(block, 345, isStar ? 131 : 155)}/${name}`;
}

/** A base-256 mode may be negative: only the low bits count. */
function modeIn(block: Buffer): number {
  const isBinary = (block[100] ?? 0) >= 0x80;
  return (isBinary ? block.readUInt16BE(106) : tarNumberIn(block, 100, 108) % 0o10000) & 0o7777;
}

function idIn(block: Buffer, start: number, what: string, record: Buffer | undefined): number {
  if (record === undefined || record.length === 0) return atMost(tarNumberIn(block, start, start + 8), MAX_ID, what);
  const text = record.toString('latin1');
  if (!/^[0-9]{1,10}$/.test(text)) throw badHeader(`${quote(text)} is not a ${what}`);
  return atMost(Number(text), MAX_ID, what);
}

function atMost(value: number, max: number, what: string): number {
  if (value <= max) return value;
  throw badHeader(`the ${what} ${value} is larger than ${max}`);
}

/** Seconds since 1970: octal, or base-256 in two's complement after a first bit that is set (GNU tar). */
function timeIn(block: Buffer, record: Buffer | undefined): FileTime {
  // An empty record takes back what a header says (POSIX pax).
  if (record !== undefined && record.length > 0) return paxTime(record.toString('latin1'));
  const first = block[136] ?? 0;
  if (first < 0x80) return tarNumberIn(block, 136, 148);
  let value = BigInt.asIntN(7, BigInt(first));
  for (let at = 137; at < 148; at += 1) value = (value << 8n) | BigInt(block[at] ?? 0);
  return fileTimeOf(checkedTime(value) * SECOND);
}

function paxTime(text: string): FileTime {
  const [, sign = '', seconds, fraction = ''] = /^(-?)([0-9]{1,19})(?:\.([0-9]*))?$/.exec(text) ?? [];
  if (seconds === undefined) throw badHeader(`${quote(text)} is not a time`);
  const nanoseconds = BigInt(fraction.slice(0, 9).padEnd(9, '0'));
  const isNegative = sign !== '';
  const time = checkedTime(isNegative ? -BigInt(seconds) : BigInt(seconds)) * SECOND;
  return fileTimeOf(isNegative ? time - nanoseconds : time + nanoseconds);
}

function checkedTime(seconds: bigint): bigint {
  if (BigInt.asIntN(64, seconds) === seconds) return seconds;
  throw badHeader('a time does not fit 64 bits');
}

function bytesOf(block: Buffer, start: number, length: number): string {
  const end = block.indexOf(0, start);
  return block.toString('latin1', start, end === -1 ? start + length : Math.min(end, start + length));
}

/** A name of an extension as bytes, one character each. Throws ERR_TAR_ENTRY for one with a zero byte. */
export function layerText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (!text.includes('\0')) return text;
  throw new LadingError('ERR_TAR_ENTRY', 'an entry has a name with a zero byte');
}

const XATTR = 'SCHILY.xattr.';

/** What the host that packed the layer keeps for itself: labels, signatures and the marks of overlay file systems. */
const OF_THE_HOST = /^(?:trusted\.|user\.overlay\.|(?:security\.(?:selinux|ima|evm)|system\.nfs4_acl)$)/;

function xattrsIn(pax: PaxRecords): { readonly kept: Xattrs | undefined; readonly dropped: number } {
  const kept: (readonly [string, Buffer])[] = [];
  let dropped = 0;
  for (const [key, value] of pax) {
    if (!key.startsWith(XATTR) || value.length === 0) continue;
    const name = key.slice(XATTR.length);
    checkXattr(name, value);
    if (OF_THE_HOST.test(name)) dropped += 1;
    // A copy: the value is a part of the whole extension.
    else kept.push([name, Buffer.from(value)]);
  }
  return { kept: kept.length === 0 ? undefined : new Map(kept.toSorted(byName)), dropped };
}

function byName([a]: readonly [string, Buffer], [b]: readonly [string, Buffer]): number {
  return a < b ? -1 : 1;
}

/** The attribute that gives a program rights of root. */
export const CAPABILITY = 'security.capability';

function checkXattr(name: string, value: Buffer): void {
  if (name === '' || name.includes('\0') || name.length > MAX_XATTR_NAME)
    throw badHeader(`${quote(name)} cannot name an extended attribute`);
  if (value.length <= MAX_XATTR_BYTES) return;
  const message = `the extended attribute ${quote(name)} has more than ${MAX_XATTR_BYTES} bytes`;
  throw new LadingError('ERR_LIMIT_BYTES', message);
}
