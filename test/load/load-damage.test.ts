import assert from 'node:assert/strict';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { Digest } from '../../src/model/digest.js';
import { layoutEntries, type LayoutOptions } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { example, NAME, sorted, type Example } from '../fixtures/example.js';
import { load, loadLayout, ORDERS } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { onEachStore, stateOf } from '../fixtures/stores.js';
import { tarOf } from '../fixtures/tar-builder.js';
import { refusesLayout, refusesLoad } from './refused-loads.js';

/** The archive with one damaged blob: one bit of it is flipped, or its last byte is cut off. */
async function damagedArchive(
  { images, blobs }: Pick<Example, 'images' | 'blobs'>,
  digest: Digest,
  how: 'flip' | 'cut',
  layout: LayoutOptions,
): Promise<Buffer> {
  const entries = layoutEntries(images, blobs, layout).map((entry) => {
    if (entry.name !== blobPath(digest)) return entry;
    const body = Buffer.from(entry.body ?? []);
    body[body.length - 1] = (body.at(-1) ?? 0) ^ 1;
    return { ...entry, body: how === 'flip' ? body : body.subarray(0, -1) };
  });
  return await tarOf(entries);
}

function layerOf({ blobs }: Example, manifest: Descriptor): Descriptor {
  const [layer] = blobs.links(manifest.digest).layers ?? [];
  assert.ok(layer);
  return layer;
}

function partsOf(built: Example): Readonly<Record<string, Descriptor>> {
  const manifest = built.of('linux/arm64');
  const config = built.blobs.links(manifest.digest).config;
  assert.ok(config);
  return { index: built.root, manifest, config, layer: layerOf(built, manifest) };
}

for (const order of ORDERS) {
  for (const part of ['index', 'manifest', 'config', 'layer']) {
    onEachStore(`refuses an archive with one changed bit in a ${part}, order ${order}`, async (open) => {
      const store = await open();
      const built = example();
      const digest = partsOf(built)[part]?.digest ?? built.root.digest;
      const archive = await damagedArchive(built, digest, 'flip', { order });
      const message = new RegExp(digest);
      await refusesLoad(store, { archive, code: 'ERR_DIGEST_MISMATCH', message });
      const options = { platforms: ['linux/amd64', 'linux/arm64'], missingPlatforms: 'skip' } as const;
      await refusesLoad(store, { archive, ...options, code: 'ERR_DIGEST_MISMATCH' });
    });
  }

  for (const part of ['index', 'manifest', 'config', 'layer']) {
    onEachStore(`refuses an archive whose ${part} has lost a byte, order ${order}`, async (open) => {
      const store = await open();
      const built = example();
      const archive = await damagedArchive(built, partsOf(built)[part]?.digest ?? built.root.digest, 'cut', { order });
      await assert.rejects(load(store, archive), ({ category }: { category: string }) => category === 'integrity');
      assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
    });
  }

  onEachStore(`refuses a layer, manifest or root whose descriptor has a wrong size, order ${order}`, async (open) => {
    const store = await open();
    const code = 'ERR_SIZE_MISMATCH';
    for (const { images, blobs } of wrongSizes()) {
      await refusesLayout(store, { images, blobs, layout: { order }, code });
    }
  });

  onEachStore(`ignores damage in a platform that is not wanted, order ${order}`, async (open) => {
    const store = await open();
    const built = example();
    const lying = layerOf(built, built.of('linux/arm64')).digest;
    const archive = await damagedArchive(built, lying, 'flip', { order });
    await load(store, archive, { platforms: ['linux/amd64'] });
    assert.ok(!(await stateOf(store)).blobs.includes(lying));
  });

  onEachStore(`keeps what the store has where the archive's copy is damaged, order ${order}`, async (open) => {
    const store = await open();
    const built = example();
    await loadLayout(store, built.images, built.blobs);
    const before = await stateOf(store);
    const part = partsOf(built)['config']?.digest ?? assert.fail();
    await load(store, await damagedArchive(built, part, 'flip', { order }));
    assert.deepEqual(await stateOf(store), before);
  });

  onEachStore(`never stores a damaged blob that no image refers to, order ${order}`, async (open) => {
    const store = await open();
    const built = example();
    const wanted = sorted([...built.blobs.keys()]);
    const lying = built.blobs.add('to be changed');
    await load(store, await damagedArchive(built, lying, 'flip', { order }));
    assert.deepEqual((await stateOf(store)).blobs, wanted);
  });
}

function wrongSizes(): Pick<Example, 'images' | 'blobs'>[] {
  const root = example();
  const [wrongRoot] = root.images.map((image) => ({ ...image, root: { ...root.root, size: root.root.size + 1 } }));
  const child = example();
  const index = buildIndex(child.blobs, [{ ...child.of('linux/amd64'), size: 10 }]);
  const layer = example();
  const manifest = layer.blobs.json(layer.of('linux/amd64').digest) as { layers: Descriptor[] };
  const layers = manifest.layers.map((one) => ({ ...one, size: one.size + 512 }));
  const lying = layer.blobs.document({ ...manifest, layers }, layer.of('linux/amd64').mediaType);
  return [
    { images: wrongRoot === undefined ? [] : [wrongRoot], blobs: root.blobs },
    { images: [{ root: index, name: NAME }], blobs: child.blobs },
    {
      images: [{ root: { ...lying, platform: { os: 'linux', architecture: 'amd64' } }, name: NAME }],
      blobs: layer.blobs,
    },
  ];
}

onEachStore('leaves what was there before when a later image of the archive is broken', async (open) => {
  const store = await open();
  const old = example({ seed: 'old', platforms: ['linux/amd64'] });
  await loadLayout(store, old.images, old.blobs);
  const built = example();
  const broken = buildManifest(built.blobs, { platform: 'linux/amd64', seed: 'broken' });
  const images = [...built.images, { root: broken, name: 'b:1' }];
  const digest = layerOf(built, broken).digest;
  for (const order of ORDERS) {
    const archive = await damagedArchive({ images, blobs: built.blobs }, digest, 'flip', { order });
    await refusesLoad(store, { archive, code: 'ERR_DIGEST_MISMATCH' });
  }
});
