import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import { parsePaxRecords, parsePaxSize } from '../../src/model/pax-records.js';
import { parseTarHeader, parseTarNumber } from '../../src/model/tar-header.js';
import { rawHeader } from '../fixtures/tar-builder.js';

const MAX_RECORDS = DEFAULT_LIMITS.maxPaxRecords;

const HEADER = { code: 'ERR_TAR_HEADER' };

describe('parseTarNumber', () => {
  const accepted: readonly (readonly [field: Buffer, value: number])[] = [
    [Buffer.from('0000644\0'), 0o644],
    [Buffer.from('0000644 '), 0o644],
    [Buffer.from('   644\0 '), 0o644],
    [Buffer.from('00000000007\0'), 7],
    [Buffer.from('77777777777\0'), 8 * 1024 ** 3 - 1],
    [Buffer.from('777777777777'), 64 * 1024 ** 3 - 1],
    [Buffer.alloc(12), 0],
    [Buffer.from('            '), 0],
    [bytes('800000000000000000000007'), 7],
    [bytes('800000000000000240000000'), 9 * 1024 ** 3],
    [bytes('80000000001fffffffffffff'), 2 ** 53 - 1],
  ];
  for (const [field, value] of accepted) {
    it(`reads ${JSON.stringify(field.toString('latin1'))} as ${value}`, () => {
      assert.equal(parseTarNumber(field), value);
    });
  }

  const refused: readonly Buffer[] = [
    Buffer.from('0000648\0'),
    Buffer.from('-000644\0'),
    Buffer.from('0x00644\0'),
    Buffer.from('644\0 644'),
    Buffer.from('\u0000000644'),
    bytes('800000000020000000000000'),
    bytes('810000000000000000000007'),
    bytes('ffffffffffffffffffffffff'),
    bytes('80ffffffffffffffffffffff'),
    bytes('c00000000000000000000007'),
  ];
  for (const field of refused) {
    it(`refuses ${field.toString('hex')}`, () => {
      assert.throws(() => parseTarNumber(field), HEADER);
    });
  }
});

describe('parseTarHeader', () => {
  it('returns type, name, link and size', () => {
    const block = rawHeader({ name: 'l', typeflag: '2', linkname: 'target', size: 0 });
    assert.deepEqual(parseTarHeader(block), { type: '2', name: 'l', linkname: 'target', size: 0 });
  });

  it('puts the prefix of a POSIX header before the name, and reads none in a GNU header', () => {
    assert.equal(parseTarHeader(rawHeader({ name: 'f', prefix: 'd' })).name, 'd/f');
    assert.equal(parseTarHeader(rawHeader({ name: 'f', prefix: 'd', magic: 'ustar ', version: ' \0' })).name, 'f');
  });

  it('reads no prefix and no device numbers in a v7 header', () => {
    const block = rawHeader({ name: 'f', magic: '', version: '', prefix: 'd', devmajor: 'odd' });
    assert.equal(parseTarHeader(block).name, 'f');
  });

  it('reads a contiguous file as a file', () => {
    assert.equal(parseTarHeader(rawHeader({ name: 'f', typeflag: '7' })).type, '0');
  });

  it('reads a file of the old type', () => {
    assert.equal(parseTarHeader(rawHeader({ name: 'f', typeflag: '\0' })).type, '0');
  });

  it('reads a header in the middle of a larger buffer', () => {
    const buffer = Buffer.concat([Buffer.alloc(100, 'x'), rawHeader({ name: 'f', size: 5 })]);
    assert.equal(parseTarHeader(buffer.subarray(100)).size, 5);
  });

  it('refuses a header with any one byte changed', () => {
    const block = rawHeader({ name: 'file', size: 5 });
    for (let at = 0; at < 512; at += 1) {
      const changed = Buffer.from(block);
      changed.writeUInt8(changed.readUInt8(at) ^ 0x01, at);
      // A space or a NUL may follow the checksum, so that change makes no difference.
      if (at === 155) continue;
      assert.throws(() => parseTarHeader(changed), { category: 'invalid-archive' }, `byte ${at}`);
    }
  });
});

describe('parsePaxRecords', () => {
  it('keeps spaces, equals signs and line feeds in values', () => {
    const records = parsePaxRecords(Buffer.from('12 a=b c=d\n\n7 b=é\n5 c=\n'), { maxPaxRecords: MAX_RECORDS });
    assert.deepEqual(
      [...records],
      [
        ['a', Buffer.from('b c=d\n')],
        ['b', Buffer.from('é')],
        ['c', Buffer.alloc(0)],
      ],
    );
  });

  it('keeps values that are not text', () => {
    const value = Buffer.from([0x00, 0xff, 0x0a, 0x3d, 0x80]);
    const body = Buffer.concat([Buffer.from('37 SCHILY.xattr.com.apple.prov='), value, Buffer.from('\n')]);
    assert.deepEqual(
      [...parsePaxRecords(body, { maxPaxRecords: MAX_RECORDS })],
      [['SCHILY.xattr.com.apple.prov', value]],
    );
  });

  it('refuses a key with a NUL byte, which other readers end there', () => {
    assert.throws(() => parsePaxRecords(Buffer.from('12 path\0x=y\n'), { maxPaxRecords: MAX_RECORDS }), HEADER);
  });

  it('returns an empty map for an empty body', () => {
    assert.equal(parsePaxRecords(Buffer.alloc(0), { maxPaxRecords: MAX_RECORDS }).size, 0);
  });

  it('reads any well-formed records', () => {
    const key = fc.stringMatching(/^[A-Za-z.]{1,20}$/).filter((text) => !text.startsWith('GNU.sparse'));
    const map = fc.uniqueArray(fc.tuple(key, fc.string({ unit: 'grapheme' })), { selector: ([name]) => name });
    fc.assert(
      fc.property(map, (pairs) => {
        const written = pairs.map(([name, value]) => record(name, value)).join('');
        const expected = pairs.map(([name, value]) => [name, Buffer.from(value)]);
        assert.deepEqual([...parsePaxRecords(Buffer.from(written), { maxPaxRecords: MAX_RECORDS })], expected);
      }),
    );
  });

  it('refuses any records whose last byte is missing', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        assert.throws(
          () => parsePaxRecords(Buffer.from(record('path', value)).subarray(0, -1), { maxPaxRecords: MAX_RECORDS }),
          HEADER,
        );
      }),
    );
  });
});

describe('parsePaxSize', () => {
  it('reads digits up to 2^53 - 1', () => {
    assert.equal(parsePaxSize(Buffer.from('0')), 0);
    assert.equal(parsePaxSize(Buffer.from('9007199254740991')), 2 ** 53 - 1);
  });

  for (const text of [
    '',
    '-1',
    '+1',
    '1.0',
    '0x1',
    ' 1',
    '1 ',
    '1e3',
    '9007199254740992',
    '٣',
    '99999999999999999999',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      assert.throws(() => parsePaxSize(Buffer.from(text)), HEADER);
    });
  }
});

function record(key: string, value: string): string {
  const rest = Buffer.byteLength(` ${key}=${value}\n`);
  const length = [1, 2, 3, 4, 5].map((digits) => rest + digits).find((total) => rest + String(total).length === total);
  return `${length} ${key}=${value}\n`;
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex, 'hex');
}
