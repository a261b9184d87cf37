import { LadingError, quote } from './errors.js';
import { badHeader, NOT_SPARSE } from './tar-header.js';

/** PAX records by key. A value is bytes: an extended attribute may hold any. */
export type PaxRecords = ReadonlyMap<string, Buffer>;

/** How to read PAX records. */
export interface PaxRules {
  readonly maxPaxRecords: number;
  /** The code of the error for a record that marks a sparse or split file. */
  readonly resizing?: 'ERR_TAR_HEADER' | 'ERR_TAR_ENTRY';
}

/**
 * PAX records `LENGTH KEY=VALUE\n` as a map. Throws ERR_TAR_HEADER for a record that breaks the grammar or that marks a
 * sparse or split file, and ERR_LIMIT_ENTRIES for more than `maxPaxRecords`.
 */
export function parsePaxRecords(body: Uint8Array, { maxPaxRecords, resizing }: PaxRules): PaxRecords {
  const records = new Map<string, Buffer>();
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  for (let at = 0; at < bytes.length;) {
    const space = bytes.indexOf(0x20, at);
    const digits = space === -1 ? '' : bytes.toString('latin1', at, space);
    const end = at + Number(digits);
    if (!/^[1-9][0-9]{0,8}$/.test(digits) || end > bytes.length || end <= space + 1)
      throw badHeader('a PAX length is wrong');
    addRecord(records, bytes.subarray(space + 1, end), resizing);
    if (records.size > maxPaxRecords) {
      throw new LadingError('ERR_LIMIT_ENTRIES', `a tar header has more than ${maxPaxRecords} PAX records`);
    }
    at = end;
  }
  return records;
}

/**
 * Keys that mark a sparse file, which may unpack to far more bytes than were sent, or a part of a larger file (GNU tar,
 * star, Solaris tar). GNU.volume.label is only a title.
 */
const RESIZING = /^(?:GNU\.sparse\.|GNU\.volume\.(?!label$)|SCHILY\.(?:realsize|filetype)$|SUN\.holesdata$)/;

function addRecord(
  records: Map<string, Buffer>,
  record: Buffer,
  resizing: PaxRules['resizing'] = 'ERR_TAR_HEADER',
): void {
  const equals = record.indexOf(0x3d);
  if (equals < 1 || record.at(-1) !== 0x0a) throw badHeader('a PAX record is not KEY=VALUE');
  const key = record.toString('latin1', 0, equals);
  // GNU tar and Go end the key at a NUL, and so may read another file name than we do.
  if (key.includes('\0')) throw badHeader('a PAX key has a NUL byte');
  if (RESIZING.test(key)) {
    const reason = `${quote(key)} marks a sparse or split file, ${NOT_SPARSE}`;
    throw resizing === 'ERR_TAR_HEADER' ? badHeader(reason) : new LadingError(resizing, reason);
  }
  if (records.has(key)) throw badHeader(`the PAX record ${quote(key)} occurs twice`);
  records.set(key, record.subarray(equals + 1, -1));
}

/** Global records would rename or resize every later entry. Image tools write none, `git archive` only a comment. */
export function refuseGlobal(records: PaxRecords): void {
  for (const key of ['path', 'linkpath', 'size']) {
    if (records.has(key)) throw badHeader(`a global PAX record sets the ${key} of every entry`);
  }
}

/** The size in a PAX record. Throws ERR_TAR_HEADER. */
export function parsePaxSize(value: Uint8Array): number {
  const text = Buffer.from(value).toString('latin1');
  if (!/^[0-9]{1,16}$/.test(text) || !Number.isSafeInteger(Number(text)))
    throw badHeader(`${quote(text)} is not a size`);
  return Number(text);
}
