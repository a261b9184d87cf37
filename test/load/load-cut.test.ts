import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import type { LoadSource } from '../../src/load/archive-entries.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { example } from '../fixtures/example.js';
import { chunksOf, load, ORDERS } from '../fixtures/loading.js';
import { leasesOf, onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';
import { refusesLoad } from './refused-loads.js';

const PART = 0.6;

async function* breakingAfter(bytes: Buffer): AsyncGenerator<Buffer> {
  yield* chunksOf(bytes, 4096);
  throw new Error('connection lost');
}

/** The ways in which a pipe ends too early, and the error that tells of it. */
const CUTS: Readonly<Record<string, { cut: (bytes: Buffer) => LoadSource; code: string }>> = {
  'a pipe ends inside an archive': {
    cut: (bytes) => chunksOf(bytes.subarray(0, bytes.length * PART), 4096),
    code: 'ERR_ARCHIVE_TRUNCATED',
  },
  'a pipe ends before the end mark': {
    cut: (bytes) => Readable.from(chunksOf(bytes.subarray(0, -1024), 4096)),
    code: 'ERR_ARCHIVE_TRUNCATED',
  },
  'a pipe ends inside gzip': {
    cut: (bytes) => chunksOf(gzipSync(bytes, { level: 0 }).subarray(0, bytes.length * PART)),
    code: 'ERR_ARCHIVE_TRUNCATED',
  },
  'a source throws': { cut: (bytes) => breakingAfter(bytes.subarray(0, bytes.length * PART)), code: 'ERR_STORAGE_IO' },
  'a stream is destroyed': {
    cut: (bytes) => Readable.from(breakingAfter(bytes.subarray(0, bytes.length * PART))),
    code: 'ERR_STORAGE_IO',
  },
};

for (const [title, { cut, code }] of Object.entries(CUTS)) {
  for (const order of ORDERS) {
    onEachStore(`keeps what was whole if ${title}, order ${order}`, async (open) => {
      const { images, blobs } = example({ layerBytes: 20_000 });
      const bytes = await layoutArchive(images, blobs, { order });
      const store = await open();
      await assert.rejects(load(store, cut(bytes)), { code });
      const left = await stateOf(store);
      assert.deepEqual(left.images, []);
      assert.ok(left.blobs.length > 0);
      const again = await load(store, bytes);
      assert.deepEqual([again.blobs.present, again.blobs.stored], [left.blobs.length, blobs.size - left.blobs.length]);
    });
  }
}

onEachStore('keeps nothing of a cut pipe beyond the resume time', async (open) => {
  const { images, blobs } = example();
  const bytes = await layoutArchive(images, blobs);
  const store = await open();
  await assert.rejects(load(store, bytes.subarray(0, bytes.length * PART)));
  await store.prune({ now: Date.now() + 25 * 60 * 60 * 1000, graceMs: 0 });
  assert.deepEqual([await stateOf(store), await leasesOf(store)], [{ images: [], blobs: [] }, []]);
});

onEachStore('keeps nothing of a pipe that is refused before it ends', async (open) => {
  const { images, blobs } = example();
  const bytes = await layoutArchive(images, blobs, { order: 'blobs-first' });
  const header = Buffer.from(bytes);
  header.fill(0xff, bytes.length - 4096, bytes.length - 2048);
  const changed = Buffer.from(bytes);
  const layer = [...blobs.values()].reduce((a, b) => (b.length > a.length ? b : a));
  changed.writeUInt8(changed.readUInt8(bytes.indexOf(layer) + 99) ^ 1, bytes.indexOf(layer) + 99);
  const store = await open();
  await refusesLoad(store, { archive: changed, code: 'ERR_DIGEST_MISMATCH' });
  await assert.rejects(load(store, header), { code: /ERR_TAR_HEADER|ERR_DIGEST_MISMATCH|ERR_DOCUMENT_INVALID/ });
  assert.deepEqual([await stateOf(store), await leasesOf(store)], [{ images: [], blobs: [] }, []]);
});

onEachStore('keeps nothing of a pipe that ends with nothing in it', async (open) => {
  const { images, blobs } = example();
  const bytes = await layoutArchive(images, blobs);
  const store = await open();
  for (const length of [100, 512, 700]) {
    await refusesLoad(store, { archive: bytes.subarray(0, length), code: 'ERR_ARCHIVE_TRUNCATED' });
  }
});

onEachStore('keeps nothing of a file that was cut, packed or not', async (open, t) => {
  const { images, blobs } = example();
  const bytes = await layoutArchive(images, blobs);
  const file = path.join(await temporaryFolder(t), 'archive');
  const store = await open();
  for (const content of [bytes, gzipSync(bytes)]) {
    await writeFile(file, content);
    await truncate(file, Math.floor(content.length * PART));
    await refusesLoad(store, { archive: file, code: 'ERR_ARCHIVE_TRUNCATED' });
  }
});
