import { digestOf, type Digest } from '../../src/model/digest.js';

/** One entry as a reader finds it. */
export interface SeenEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  /** Bytes of a file. */
  readonly size: number;
  readonly linkname: string;
  readonly digest: Digest;
}

const TYPES: Readonly<Record<string, SeenEntry['type']>> = {
  '\0': 'file',
  '0': 'file',
  '1': 'link',
  '2': 'symlink',
  '5': 'directory',
  '7': 'file',
};

/**
 * Reads an archive that the guard has accepted, as POSIX pax and the GNU manual say. Shares no code with the sources:
 * uses offsets into the whole archive, and applies extensions to the next entry. Throws a plain Error for anything
 * unknown.
 */
export function readReferenceTar(archive: Buffer): SeenEntry[] {
  const entries: SeenEntry[] = [];
  let extension: { name?: string; linkname?: string; size?: number } = {};
  for (let at = 0; ;) {
    const header = archive.subarray(at, at + 512);
    if (header.length < 512) throw new Error('no end');
    if (header.every((byte) => byte === 0)) return entries;
    const flag = String.fromCharCode(header[156] ?? 0);
    const isExtension = 'xgLK'.includes(flag);
    const size = isExtension ? numberAt(header, 124, 12) : (extension.size ?? numberAt(header, 124, 12));
    const body = archive.subarray(at + 512, at + 512 + size);
    if (body.length < size) throw new Error('a body is cut');
    at += 512 + Math.ceil(size / 512) * 512;
    if (flag === 'L') extension = { ...extension, name: cText(body) };
    else if (flag === 'K') extension = { ...extension, linkname: cText(body) };
    else if (flag === 'x') extension = { ...extension, ...paxOf(body) };
    else if (flag !== 'g' && flag !== 'V') {
      entries.push(entryOf(header, flag, body, extension));
      extension = {};
    }
  }
}

function entryOf(
  header: Buffer,
  flag: string,
  body: Buffer,
  extension: { name?: string; linkname?: string },
): SeenEntry {
  const type = TYPES[flag];
  if (type === undefined) throw new Error(`type ${JSON.stringify(flag)}`);
  const isPosix = header.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? cText(header.subarray(345, 500)) : '';
  const short = cText(header.subarray(0, 100));
  const name = extension.name ?? (prefix === '' ? short : `${prefix}/${short}`);
  const linkname =
    type === 'link' || type === 'symlink' ? (extension.linkname ?? cText(header.subarray(157, 257))) : '';
  return { name, type, size: body.length, linkname, digest: digestOf(body) };
}

function numberAt(header: Buffer, from: number, length: number): number {
  const field = header.subarray(from, from + length);
  if (field[0] === 0x80) return Number(`0x${field.subarray(1).toString('hex')}`);
  const digits = field.toString('latin1').replaceAll('\0', ' ').trim();
  if (!/^[0-7]*$/.test(digits)) throw new Error(`number ${JSON.stringify(digits)}`);
  return Number(`0o${digits === '' ? '0' : digits}`);
}

function cText(bytes: Buffer): string {
  const end = bytes.indexOf(0);
  return bytes.toString('utf8', 0, end === -1 ? bytes.length : end);
}

function paxOf(body: Buffer): { name?: string; linkname?: string; size?: number } {
  const found: { name?: string; linkname?: string; size?: number } = {};
  for (let rest = body; rest.length > 0;) {
    const [, digits = '', key = ''] = /^(\d+) ([^=]*)=/.exec(rest.toString('latin1')) ?? [];
    const length = Number(digits);
    if (length === 0 || rest[length - 1] !== 0x0a) throw new Error('a PAX record');
    const value = rest.toString('utf8', digits.length + 1 + key.length + 1, length - 1);
    if (key === 'path') found.name = value;
    if (key === 'linkpath') found.linkname = value;
    if (key === 'size') found.size = Number(value);
    rest = rest.subarray(length);
  }
  return found;
}
