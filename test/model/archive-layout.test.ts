import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import * as fc from 'fast-check';
import {
  digestOfEntry,
  entryNameOf,
  LAYOUT_BYTES,
  plainEntryName,
  tarEntryBytes,
} from '../../src/model/archive-layout.js';
import { digestOf } from '../../src/model/digest.js';
import { tarOf } from '../fixtures/tar-builder.js';

const HEX = 'a'.repeat(64);

describe('digestOfEntry', () => {
  const cases: readonly (readonly [name: string, digest: string | undefined])[] = [
    [`blobs/sha256/${HEX}`, `sha256:${HEX}`],
    [`blobs/sha512/${HEX}${HEX}`, `sha512:${HEX}${HEX}`],
    [`blobs/sha384/${HEX}${HEX.slice(32)}`, `sha384:${HEX}${HEX.slice(32)}`],
    [`blobs/sha256/${HEX.toUpperCase()}`, undefined],
    [`blobs/sha256/${HEX.slice(1)}`, undefined],
    [`blobs/sha256/${HEX}/`, undefined],
    [`blobs/sha256/${HEX}/x`, undefined],
    [`blobs/md5/${HEX.slice(32)}`, undefined],
    [`Blobs/sha256/${HEX}`, undefined],
    [`./blobs/sha256/${HEX}`, undefined],
    [`/blobs/sha256/${HEX}`, undefined],
    [`a/blobs/sha256/${HEX}`, undefined],
    [`blobs//sha256/${HEX}`, undefined],
    [`blobs/sha256:${HEX}`, undefined],
    ['blobs/sha256/', undefined],
    ['blobs', undefined],
    ['', undefined],
  ];
  for (const [name, digest] of cases) {
    it(`of ${JSON.stringify(name)} is ${digest ?? 'none'}`, () => {
      assert.equal(digestOfEntry(name), digest);
    });
  }

  it('takes back what entryNameOf made', () => {
    fc.assert(
      fc.property(fc.string(), fc.constantFrom('sha256', 'sha384', 'sha512'), (content, algorithm) => {
        const digest = digestOf(content, algorithm);
        assert.equal(digestOfEntry(entryNameOf(digest)), digest);
      }),
    );
  });
});

describe('plainEntryName', () => {
  const cases: readonly (readonly [name: string, plain: string])[] = [
    ['index.json', 'index.json'],
    ['./index.json', 'index.json'],
    ['././/index.json', 'index.json'],
    ['blobs/', 'blobs'],
    ['./blobs//', 'blobs'],
    ['.hidden', '.hidden'],
    ['a/./b', 'a/b'],
    ['blobs//sha256///x', 'blobs/sha256/x'],
    ['a/.', 'a'],
    ['./', ''],
  ];
  for (const [name, plain] of cases) {
    it(`of ${JSON.stringify(name)} is ${JSON.stringify(plain)}`, () => {
      assert.equal(plainEntryName(name), plain);
    });
  }
});

describe('tarEntryBytes', () => {
  const names = [
    'f',
    'n'.repeat(100),
    entryNameOf(digestOf('x', 'sha256')),
    entryNameOf(digestOf('x', 'sha384')),
    entryNameOf(digestOf('x', 'sha512')),
    'é',
    `${'p'.repeat(155)}/${'n'.repeat(100)}`,
    `${'p'.repeat(156)}/n`,
    `p/${'n'.repeat(101)}`,
  ];
  for (const name of names) {
    it(`is what a tar writer needs for a name of ${name.length} bytes`, async () => {
      for (const size of [0, 1, 511, 512, 513, 5000]) {
        const archive = await tarOf([{ name, body: Buffer.alloc(size) }]);
        assert.equal(tarEntryBytes(name, size), archive.length - 1024, `${size} bytes`);
      }
    });
  }
});

describe('the oci-layout entry', () => {
  it('says version 1.0.0', () => {
    assert.deepEqual(JSON.parse(LAYOUT_BYTES), { imageLayoutVersion: '1.0.0' });
  });
});
