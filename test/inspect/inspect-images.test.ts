import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tagImage } from '../../src/edit/tag-image.js';
import { inspectArchive } from '../../src/inspect/inspect-archive.js';
import { inspectImages } from '../../src/inspect/inspect-images.js';
import { listImages } from '../../src/inspect/list-images.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { BlobSet, removeLayers } from '../fixtures/blob-set.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { chunksOf, codesOf, loadLayout, statesOf } from '../fixtures/loading.js';
import { refuses } from '../fixtures/refusals.js';
import { fill, onEachStore } from '../fixtures/stores.js';

onEachStore('lists every image with the state of each platform', async (open) => {
  const store = await open();
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  await loadLayout(store, built.images, built.blobs);
  await tagImage(store, FAMILIAR, 'a:1');
  const { images, warnings } = await listImages(store);
  assert.deepEqual(
    images.map(({ name }) => name),
    [NAME, 'docker.io/library/a:1'],
  );
  for (const image of images) {
    const states = { 'linux/amd64': 'complete', 'linux/arm64': 'missing', 'linux/arm/v7': 'complete' };
    assert.deepEqual(statesOf(image), states);
  }
  assert.deepEqual(warnings, []);
});

onEachStore('lists nothing in an empty store', async (open) => {
  assert.deepEqual(await listImages(await open()), { images: [], warnings: [], incomplete: false });
});

onEachStore('shows the facts of each platform, and the bytes that it shares', async (open) => {
  const store = await open();
  const built = example({ sharedLayer: true });
  await loadLayout(store, built.images, built.blobs);
  await tagImage(store, FAMILIAR, 'a:1');
  const [image, ...more] = await inspectImages(store, FAMILIAR);
  assert.deepEqual([image?.name, image?.names, more], [NAME, [NAME, 'docker.io/library/a:1'], []]);
  assert.deepEqual([image?.digest, image?.mediaType], [built.root.digest, built.root.mediaType]);
  const arm64 = image?.platforms.find(({ platform }) => platform === 'linux/arm64');
  const { config, layers = [] } = built.blobs.links(built.of('linux/arm64').digest);
  const diffIds = (built.blobs.json(config?.digest ?? built.root.digest) as { rootfs: { diff_ids: string[] } }).rootfs
    .diff_ids;
  const parts = [built.of('linux/arm64').size, config?.size ?? 0, ...layers.map(({ size }) => size)];
  assert.deepEqual(arm64, {
    platform: 'linux/arm64',
    digest: built.of('linux/arm64').digest,
    state: 'complete',
    created: '2020-01-02T03:04:05Z',
    entrypoint: ['/bin/app'],
    labels: { 'example.platform': 'linux/arm64' },
    diffIds,
    layers,
    bytes: parts.reduce((sum, size) => sum + size, 0),
    sharedBytes: layers[0]?.size,
  });
});

onEachStore('inspects every image of a repository once, and refuses what is unknown', async (open) => {
  const store = await open();
  const built = example();
  await loadLayout(store, built.images, built.blobs);
  await tagImage(store, FAMILIAR, 'example/app:2');
  const other = example({ seed: 'other' });
  await loadLayout(store, [{ root: other.root, name: 'example/app:3' }], other.blobs);
  const inspections = await inspectImages(store, 'example/app');
  assert.deepEqual(
    inspections.map(({ name, names }) => [name, names]),
    [
      [NAME, [NAME, 'docker.io/example/app:2']],
      ['docker.io/example/app:3', ['docker.io/example/app:3']],
    ],
  );
  await refuses(store, async () => await inspectImages(store, 'nothing'), { code: 'ERR_IMAGE_UNKNOWN' });
});

onEachStore('shows attestations with their subjects', async (open) => {
  const store = await open();
  const built = example({ attestations: true });
  await loadLayout(store, built.images, built.blobs);
  const [image] = await inspectImages(store, FAMILIAR);
  const expected = [...built.attestations].map(([platform, { digest }]) => ({
    digest,
    subject: built.of(platform).digest,
    state: 'complete',
  }));
  assert.deepEqual(image?.referrers, expected);
  assert.equal(image.platforms.length, 3);
});

onEachStore('counts damaged documents as missing, and warns of them', async (open) => {
  const store = await open();
  const built = example();
  const manifest = built.of('linux/arm64');
  const lying = new BlobSet(built.blobs);
  lying.delete(manifest.digest);
  await fill(store, [{ name: NAME, descriptor: built.root }], lying);
  // The right size but the wrong content, as after a fault of the disk.
  const damaged = Object.assign(Object.create(store) as typeof store, {
    list: async () => await store.list(),
    stat: async (digest: string) =>
      digest === manifest.digest ? { size: manifest.size } : await store.stat(digest as never, 'blob'),
    open: (digest: string) =>
      digest === manifest.digest
        ? chunksOf(Buffer.alloc(manifest.size, '{'))
        : store.open(digest as never, { kind: 'blob' }),
  });
  const { images, warnings } = await listImages(damaged);
  assert.equal(statesOf(images[0])['linux/arm64'], 'missing');
  assert.deepEqual(codesOf(warnings), ['WARN_DAMAGED']);
});

onEachStore('shows the same of an archive as of a store that has loaded it', async (open) => {
  const store = await open();
  const built = example({ attestations: true });
  removeLayers(built.blobs, built.of('linux/arm64'));
  await loadLayout(store, built.images, built.blobs);
  for (const order of ['metadata-first', 'blobs-first', 4] as const) {
    const archive = await layoutArchive(built.images, built.blobs, { order });
    assert.deepEqual((await inspectArchive(chunksOf(archive))).images, await inspectImages(store, FAMILIAR));
  }
});

test('inspects a docker-archive, with layers compressed or not', async () => {
  const { blobs, of } = example();
  const image = dockerImageOf(blobs, of('linux/amd64'), ['example/app:1']);
  for (const compressedLayers of [false, true]) {
    const {
      images: [inspected],
    } = await inspectArchive(chunksOf(await dockerArchive([image], { compressedLayers }), 7));
    assert.deepEqual([inspected?.name, inspected?.platforms[0]?.platform], [NAME, 'linux/amd64']);
  }
});
