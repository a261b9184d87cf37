import { rawEntry } from '../fixtures/tar-builder.js';

/** One PAX record, `LENGTH KEY=VALUE\n`. The length includes its own digits. */
export function paxRecord(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  let length = rest;
  while (rest + String(length).length !== length) length = rest + String(length).length;
  return `${length} ${key}=${value}\n`;
}

/** A PAX header with these records, for the next entry (`x`) or for all later ones (`g`). */
export function pax(records: Readonly<Record<string, string>>, typeflag: 'x' | 'g' = 'x'): Buffer {
  const body = Object.entries(records).map(([key, value]) => paxRecord(key, value));
  return rawEntry({ name: 'PaxHeader', typeflag }, body.join(''));
}

/** A GNU entry with the name (`L`) or link name (`K`) of the next entry. */
export function longName(typeflag: 'L' | 'K', name: string): Buffer {
  const fields = { name: '././@LongLink', typeflag, magic: 'ustar ', version: ' \0' };
  return rawEntry(fields, `${name}\0`);
}

/** A number in base-256, as GNU tar writes it into a size field of 12 bytes if octal is too short. */
export function base256(value: number, firstByte = 0x80): Buffer {
  const field = Buffer.alloc(12);
  field.writeBigUInt64BE(BigInt(value), 4);
  field.writeUInt8(firstByte, 0);
  return field;
}
