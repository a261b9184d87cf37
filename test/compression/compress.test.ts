import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { compress, type CompressOptions } from '../../src/compression/compress.js';
import { loadImages } from '../../src/load/load-images.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { example } from '../fixtures/example.js';
import { chunksOf } from '../fixtures/loading.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { stateOf } from '../fixtures/stores.js';

const built = example({ layers: 2, layerBytes: 700_000, compression: 'none' });
const archive = await layoutArchive(built.images, built.blobs);
const hasZstd = 'createZstdCompress' in zlib;

async function packed(options: CompressOptions, chunkBytes: number): Promise<Buffer> {
  const packing = compress(options);
  const [bytes] = await Promise.all([
    bytesOf(packing),
    pipeline(Readable.from(chunksOf(archive, chunkBytes)), packing),
  ]);
  return bytes;
}

test('gzip is one member without a name and time, and unpacks to the same bytes', async () => {
  const bytes = await packed({ format: 'gzip' }, 64 * 1024);
  // RFC 1952: magic, deflate, no flags, time 0; OS 3 is Unix.
  assert.deepEqual([...bytes.subarray(0, 8)], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
  assert.equal(bytes[9], 3);
  assert.ok(zlib.gunzipSync(bytes).equals(archive));
});

test('the same bytes come out whatever the chunks, and others at another level', async () => {
  const sums = [];
  for (const chunkBytes of [1000, 64 * 1024, archive.length])
    sums.push(
      createHash('sha256')
        .update(await packed({ format: 'gzip', level: 6 }, chunkBytes))
        .digest('hex'),
    );
  assert.equal(new Set(sums).size, 1);
  assert.ok(
    !(await packed({ format: 'gzip', level: 1 }, 64 * 1024)).equals(
      await packed({ format: 'gzip', level: 9 }, 64 * 1024),
    ),
  );
});

test('a load reads what was packed', async () => {
  for (const format of ['gzip', ...(hasZstd ? (['zstd'] as const) : [])] as const) {
    const store = new MemoryStore();
    await loadImages(store, chunksOf(await packed({ format, level: 3 }, 64 * 1024)));
    assert.deepEqual((await stateOf(store)).blobs, [...built.blobs.keys()].toSorted());
  }
});

test('zstd on a Node without it is an error with the way out', { skip: hasZstd && 'this Node packs zstd' }, () => {
  assert.throws(() => compress({ format: 'zstd' }), {
    code: 'ERR_COMPRESSION_UNSUPPORTED',
    message: /22\.15 or later.*\| zstd > FILE/,
  });
});

test('refuses levels that a format does not have', () => {
  for (const options of [
    { format: 'gzip', level: 10 },
    { format: 'gzip', level: 0 },
    { format: 'zstd', level: 20 },
  ] as const)
    assert.throws(() => compress(options), { code: 'ERR_OPTION_INVALID' });
});
