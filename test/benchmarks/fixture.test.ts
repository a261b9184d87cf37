import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { checkBlobs, checkWritten } from '../../benchmarks/check-blobs.js';
import { buildFixture, bytesOf, packBlobsFirst } from '../../benchmarks/fixture.js';
import type { Sample } from '../../benchmarks/measure.js';
import { PLATFORMS, smallBlobs, wholeImage } from '../../benchmarks/shapes.js';
import { loadImages, OciLayoutStore } from '../../src/index.js';
import { digestOf } from '../../src/model/digest.js';

async function folderOf(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'lading-test-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function sample(writtenBytes: number): Sample {
  return { wallMs: 1, cpuMs: 1, probed: { peakRssBytes: 1, writtenBytes, cpuSeconds: 1 } };
}

test('builds the same archive for the same seed, and another for another', async (t) => {
  const folder = await folderOf(t);
  const digests: string[] = [];
  for (const seed of ['a', 'a', 'b']) {
    const [archive, layout] = [path.join(folder, 'archive.tar'), path.join(folder, 'layout')];
    const { blobs } = await buildFixture({ archive, layout, shape: wholeImage(1_000_000), seed });
    digests.push(digestOf(JSON.stringify(blobs)));
  }
  assert.equal(digests[0], digests[1]);
  assert.notEqual(digests[0], digests[2]);
});

test('makes as many small layers as asked for, with blobs of 10 KiB', async (t) => {
  const folder = await folderOf(t);
  const [archive, layout] = [path.join(folder, 'archive.tar'), path.join(folder, 'layout')];
  const { blobs } = await buildFixture({ archive, layout, shape: smallBlobs(10) });
  const layers = blobs.filter(({ mediaType }) => mediaType.includes('layer'));
  assert.equal(layers.length, 10);
  for (const { size } of layers) assert.ok(size >= 10_240 && size < 10_300, `${size} bytes`);
});

test('loads the same blobs from both orders, and notices missing blobs and extra ones', async (t) => {
  const folder = await folderOf(t);
  const [archive, late] = [path.join(folder, 'archive.tar'), path.join(folder, 'late.tar')];
  const fixture = await buildFixture({ archive, layout: path.join(folder, 'layout'), shape: wholeImage(1_000_000) });
  const store = path.join(folder, 'store');
  await loadImages(await OciLayoutStore.open(store), archive);
  await checkBlobs(store, fixture.blobs);
  await packBlobsFirst(fixture, store, late);
  assert.ok((await readFile(late)).subarray(0, 100).toString().startsWith('blobs/sha256/'));
  const other = path.join(folder, 'other');
  await loadImages(await OciLayoutStore.open(other), late, { platforms: [PLATFORMS[0]] });
  await checkBlobs(other, fixture.firstPlatform);
  await assert.rejects(checkBlobs(store, fixture.firstPlatform));
  await assert.rejects(checkBlobs(other, fixture.blobs));
});

test('notices a run that wrote more than the blobs', () => {
  const blobs = [{ mediaType: 'application/octet-stream', digest: digestOf('x'), size: 1000 }];
  assert.equal(bytesOf(blobs), 1000);
  checkWritten([sample(1000)], blobs);
  assert.throws(() => checkWritten([sample(1000), sample(2_000_000)], blobs));
});
