import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { DEFAULT_LIMITS, limitsOf, type Limits } from '../../src/model/limits.js';
import { Decompress } from '../../src/stages/decompress.js';
import { seededBytes } from '../fixtures/seeded.js';
import { runStage, stageSuite } from '../suites/stage-suite.js';
import { cut } from './bodies.js';

const PLAIN = Buffer.concat([seededBytes('plain', 200_000), Buffer.alloc(100_000, 'text ')]);
const GZIP = gzipSync(PLAIN);
const CHUNKS = [1, 7, 511, 65_536, 10_000_000];

async function unpack(bytes: Uint8Array, chunkBytes = 65_536, limits: Limits = DEFAULT_LIMITS): Promise<Buffer> {
  return Buffer.concat(await runStage<Buffer>(cut(bytes, chunkBytes), new Decompress(limits)));
}

function* chunksOf(bytes: Buffer, count: number): Generator<Buffer> {
  for (let at = 0; at < count; at += 1) yield bytes;
}

stageSuite('Decompress of plain bytes', {
  make: () => new Decompress(DEFAULT_LIMITS),
  inputs: () => chunksOf(Buffer.alloc(65_536, 'plain'), 200),
  maxAhead: 40,
});

const packed = gzipSync(seededBytes('packed', 8 * 1024 * 1024), { level: 1 });
stageSuite('Decompress of gzip', {
  make: () => new Decompress(DEFAULT_LIMITS),
  inputs: () => cut(packed, 65_536),
  maxAhead: 48,
});

describe('Decompress', () => {
  for (const chunkBytes of CHUNKS) {
    it(`unpacks gzip and passes plain bytes in chunks of ${chunkBytes}`, async () => {
      const small = chunkBytes === 1 ? PLAIN.subarray(0, 5000) : PLAIN;
      assert.ok((await unpack(small, chunkBytes)).equals(small));
      assert.ok((await unpack(gzipSync(small), chunkBytes)).equals(small));
    });
  }

  for (const length of [0, 1, 2, 5, 6, 7]) {
    it(`passes ${length} plain bytes`, async () => {
      assert.deepEqual(await unpack(Buffer.alloc(length, 'x'), 1), Buffer.alloc(length, 'x'));
    });
  }

  it('passes bytes that only begin like a magic number', async () => {
    for (const magic of ['1f', '1f8c0800', '28b52f', '28b52ffe0000', 'fd377a585a01', '425a', '425a00']) {
      const bytes = Buffer.from(magic, 'hex');
      assert.deepEqual(await unpack(bytes, 1), bytes);
    }
  });

  for (const chunkBytes of CHUNKS) {
    it(`unpacks several gzip members in chunks of ${chunkBytes}`, async () => {
      const members = [seededBytes('one', 3000), Buffer.alloc(0), seededBytes('two', 3000)];
      const bytes = Buffer.concat(members.map((member) => gzipSync(member)));
      assert.ok((await unpack(bytes, chunkBytes)).equals(Buffer.concat(members)));
    });
  }

  it('refuses gzip that was cut anywhere', async () => {
    const bytes = gzipSync(seededBytes('cut', 3000));
    const places = [2, 5, 9, 10, 11, 500, 1500, bytes.length - 9, bytes.length - 8, bytes.length - 4, bytes.length - 1];
    for (const end of places) {
      await assert.rejects(unpack(bytes.subarray(0, end)), { code: 'ERR_ARCHIVE_TRUNCATED' }, `cut at ${end}`);
    }
  });

  it('refuses gzip whose second member was cut', async () => {
    const bytes = gzipSync(seededBytes('second', 500));
    for (const end of [1, 2, 5, 200, bytes.length - 1]) {
      const both = Buffer.concat([bytes, bytes.subarray(0, end)]);
      await assert.rejects(unpack(both), { category: 'invalid-archive' }, `cut at ${end}`);
    }
  });

  it('refuses gzip with a byte changed in header, content, checksum or size', async () => {
    for (const at of [2, 3000, GZIP.length - 8, GZIP.length - 1]) {
      const bytes = Buffer.from(GZIP);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
      await assert.rejects(unpack(bytes), { category: 'invalid-archive' }, `changed at ${at}`);
    }
  });

  for (const after of [
    'x',
    'x'.repeat(100_000),
    '\0x',
    '\0'.repeat(100_000) + 'x',
    `\0${String(GZIP.subarray(0, 3))}`,
  ]) {
    for (const chunkBytes of [7, 65_536, 10_000_000]) {
      it(`refuses ${after.length} bytes that begin with ${JSON.stringify(after.slice(0, 2))} after gzip, in chunks of ${chunkBytes}`, async () => {
        const bytes = Buffer.concat([gzipSync(seededBytes('after', 3000)), Buffer.from(after)]);
        await assert.rejects(unpack(bytes, chunkBytes), { category: 'invalid-archive' });
      });
    }
  }

  it('passes over zeros after gzip, as gzip(1) does', async () => {
    for (const zeros of [1, 511, 1024, 3_000_000]) {
      for (const chunkBytes of [7, 65_536, 10_000_000]) {
        if (chunkBytes === 7 && zeros > 1024) continue;
        const bytes = Buffer.concat([gzipSync(PLAIN.subarray(0, 3000)), Buffer.alloc(zeros)]);
        assert.deepEqual(await unpack(bytes, chunkBytes), PLAIN.subarray(0, 3000));
      }
    }
  });

  it('refuses a member of gzip behind zeros, which would be hidden', async () => {
    const member = gzipSync(PLAIN.subarray(0, 3000));
    for (const chunkBytes of [7, 65_536]) {
      const hidden = Buffer.concat([member, Buffer.alloc(8), member]);
      await assert.rejects(unpack(hidden, chunkBytes), { code: 'ERR_COMPRESSED_DATA' });
    }
  });

  it('refuses what unpacks to more than the ratio allows', async () => {
    const bomb = gzipSync(Buffer.alloc(4 * 1024 * 1024));
    const limits = limitsOf({ ratioGraceBytes: 1024 * 1024, maxRatio: 100 });
    await assert.rejects(unpack(bomb, 65_536, limits), { code: 'ERR_LIMIT_RATIO' });
  });

  it('allows a high ratio while the output is small', async () => {
    const zeros = Buffer.alloc(1024 * 1024);
    const limits = limitsOf({ ratioGraceBytes: 1024 * 1024, maxRatio: 2 });
    assert.ok((await unpack(gzipSync(zeros), 65_536, limits)).equals(zeros));
  });
});
