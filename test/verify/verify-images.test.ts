import assert from 'node:assert/strict';
import { chmod, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { Digest } from '../../src/model/digest.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { layoutArchive, layoutEntries } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { removeLayers } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, type Example } from '../fixtures/example.js';
import { chunksOf, load, statesOf } from '../fixtures/loading.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { fill, onEachStore, temporaryFolder } from '../fixtures/stores.js';
import { tarOf } from '../fixtures/tar-builder.js';

onEachStore('finds nothing wrong with a good store, and counts what it hashed', async (open) => {
  const store = await open();
  const { images, blobs } = example({ attestations: true });
  await load(store, await layoutArchive(images, blobs));
  const report = await verifyImages(store);
  const bytes = [...blobs.values()].reduce((sum, { length }) => sum + length, 0);
  assert.deepEqual([report.blobs, report.problems], [{ count: blobs.size, bytes }, []]);
  assert.deepEqual(new Set(Object.values(statesOf(report.images[0]))), new Set(['complete']));
});

onEachStore('reports missing content and damage apart', async (open) => {
  const store = await open();
  const { images, blobs, of } = example();
  removeLayers(blobs, of('linux/arm64'));
  await load(store, await layoutArchive(images, blobs));
  const report = await verifyImages(store);
  assert.deepEqual(report.problems, []);
  assert.equal(statesOf(report.images[0])['linux/arm64'], 'missing');
});

async function flip(file: string): Promise<void> {
  const bytes = await readFile(file);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  await chmod(file, 0o600);
  await writeFile(file, bytes);
}

async function onDisk(
  t: TestContext,
): Promise<{ store: OciLayoutStore; built: Example; fileOf: (digest: Digest) => string }> {
  const directory = await temporaryFolder(t);
  const store = await OciLayoutStore.open(directory);
  const built = example();
  await load(store, await layoutArchive(built.images, built.blobs));
  return { store, built, fileOf: (digest) => path.join(directory, blobPath(digest)) };
}

for (const part of ['layer', 'config', 'manifest', 'index'] as const) {
  test(`finds a changed bit in a ${part} of the store`, async (t) => {
    const { store, built, fileOf } = await onDisk(t);
    const manifest = built.of('linux/arm64');
    const { config, layers = [] } = built.blobs.links(manifest.digest);
    const digest = {
      layer: layers[0]?.digest,
      config: config?.digest,
      manifest: manifest.digest,
      index: built.root.digest,
    }[part];
    assert.ok(digest);
    await flip(fileOf(digest));
    const report = await verifyImages(store);
    assert.deepEqual(
      report.problems.map(({ code, digest: found }) => [code, found]),
      [['ERR_DIGEST_MISMATCH', digest]],
    );
    if (part !== 'index') assert.equal(statesOf(report.images[0])['linux/arm64'], 'missing');
    assert.deepEqual((await verifyImages(store, [FAMILIAR])).problems, report.problems);
  });
}

test('finds a blob that was cut, and does not report a deleted one as damage', async (t) => {
  const { store, built, fileOf } = await onDisk(t);
  const [cut, gone] = ['linux/arm64', 'linux/amd64'].map(
    (text) => built.blobs.links(built.of(text).digest).layers?.[0]?.digest,
  );
  assert.ok(cut && gone);
  await chmod(fileOf(cut), 0o600);
  await writeFile(fileOf(cut), 'short');
  await rm(fileOf(gone));
  const report = await verifyImages(store);
  assert.deepEqual(
    report.problems.map(({ digest }) => digest),
    [cut],
  );
  assert.deepEqual(statesOf(report.images[0]), {
    'linux/amd64': 'missing',
    'linux/arm64': 'missing',
    'linux/arm/v7': 'complete',
  });
});

onEachStore('verifies only the images that were named', async (open) => {
  const store = await open();
  const built = example();
  const other = buildManifest(built.blobs, { platform: 'linux/amd64', seed: 'other' });
  const records = [
    { name: NAME, descriptor: built.root },
    { name: 'docker.io/library/b:1', descriptor: other },
  ];
  await fill(store, records, built.blobs);
  const report = await verifyImages(store, ['b:1']);
  assert.deepEqual([report.images.map(({ name }) => name), report.blobs.count], [['docker.io/library/b:1'], 4]);
  await assert.rejects(verifyImages(store, ['nothing:1']), { code: 'ERR_IMAGE_UNKNOWN' });
});

test('checks every blob of an archive, also those that no image refers to', async () => {
  const { images, blobs } = example();
  const lying = blobs.add('nobody refers to this');
  const good = await layoutArchive(images, blobs);
  assert.deepEqual((await verifyArchive(chunksOf(good))).problems, []);
  const entries = layoutEntries(images, blobs).map((entry) =>
    entry.name === blobPath(lying) ? { ...entry, body: Buffer.from('nobody refers to thaT') } : entry,
  );
  const report = await verifyArchive(chunksOf(await tarOf(entries)));
  assert.deepEqual(
    report.problems.map(({ code, digest }) => [code, digest]),
    [['ERR_DIGEST_MISMATCH', lying]],
  );
});

test('refuses an archive whose image is damaged', async () => {
  const { images, blobs, of } = example();
  const layer = blobs.links(of('linux/arm64').digest).layers?.[0]?.digest;
  const entries = layoutEntries(images, blobs).map((entry) =>
    layer !== undefined && entry.name === blobPath(layer)
      ? { ...entry, body: Buffer.alloc(entry.body?.length ?? 0) }
      : entry,
  );
  await assert.rejects(verifyArchive(chunksOf(await tarOf(entries))), { code: 'ERR_DIGEST_MISMATCH' });
  await assert.rejects(verifyArchive(chunksOf(Buffer.alloc(0))), { code: 'ERR_ARCHIVE_FORMAT' });
});
