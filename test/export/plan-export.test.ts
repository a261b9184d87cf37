import assert from 'node:assert/strict';
import { ANNOTATIONS } from '../../src/model/descriptor.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { BlobSet, closureOf, removeBlob, removeLayers } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { codesOf, statesOf } from '../fixtures/loading.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { HOST, pathsOf, save } from '../fixtures/saved-archive.js';
import { fill, onEachStore, storeOf } from '../fixtures/stores.js';
import { refusesSave } from './refused-saves.js';

onEachStore('saves everything, the index byte for byte, when no list is given', async (open) => {
  const built = example({ attestations: true });
  const store = await storeOf(open, built);
  const { plan, roots, blobs, entries } = await save(store, [FAMILIAR]);
  const annotations = { [ANNOTATIONS.imageName]: NAME, [ANNOTATIONS.refName]: '1' };
  assert.deepEqual(roots, [{ ...built.root, annotations }]);
  assert.deepEqual(blobs, pathsOf([...built.blobs.keys()]));
  assert.deepEqual(entries.get(blobPath(built.root.digest)), built.blobs.bytes(built.root.digest));
  assert.deepEqual(plan.images, [
    {
      name: NAME,
      digest: built.root.digest,
      platforms: [...built.manifests].map(([platform, { digest }]) => ({ platform, digest, state: 'complete' })),
    },
  ]);
  assert.deepEqual([plan.warnings, plan.incomplete, plan.hostPlatform], [[], false, HOST]);
});

for (const host of ['linux/amd64', 'linux/arm64'] as const) {
  onEachStore(`saves the complete platforms where ${host} is missing, and lists the others`, async (open) => {
    const built = example();
    removeLayers(built.blobs, built.of(host));
    const store = await storeOf(open, built);
    const { plan, roots, blobs } = await save(store, [FAMILIAR]);
    assert.equal(statesOf(plan.images[0])[host], 'missing');
    assert.deepEqual(codesOf(plan.warnings), ['WARN_PLATFORM_MISSING']);
    assert.equal(plan.incomplete, false);
    assert.deepEqual(
      roots.map(({ digest }) => digest),
      [built.root.digest],
    );
    const others = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].filter((platform) => platform !== host);
    const here = others.flatMap((platform) => closureOf(built.blobs, built.of(platform)));
    assert.deepEqual(blobs, pathsOf(built.root.digest, here));
  });
}

onEachStore('refuses to save without a list if nothing is complete', async (open) => {
  const built = example({ platforms: ['linux/amd64'] });
  removeLayers(built.blobs, built.of('linux/amd64'));
  const store = await storeOf(open, built);
  await refusesSave(store, { names: [FAMILIAR], code: 'ERR_BLOB_MISSING' });
});

for (const wanted of ['linux/amd64', 'linux/arm64', 'linux/arm/v7', 'arm', 'local']) {
  onEachStore(`makes the manifest of ${wanted} the root when it alone is asked for`, async (open) => {
    const built = example();
    const store = await storeOf(open, built);
    const { roots, blobs, plan } = await save(store, [FAMILIAR], { platforms: [wanted] });
    const platform = { arm: 'linux/arm/v7', local: 'linux/amd64' }[wanted] ?? wanted;
    const manifest = built.of(platform);
    const annotations = {
      [ANNOTATIONS.imageName]: NAME,
      [ANNOTATIONS.refName]: '1',
      [ANNOTATIONS.sourceDigest]: built.root.digest,
    };
    assert.deepEqual(roots, [{ ...manifest, annotations }]);
    assert.deepEqual(blobs, pathsOf(closureOf(built.blobs, manifest)));
    assert.deepEqual([plan.images[0]?.digest, plan.images[0]?.sourceDigest], [manifest.digest, built.root.digest]);
  });
}

onEachStore('keeps the index when two platforms are asked for, and packs only these', async (open) => {
  const built = example();
  const store = await storeOf(open, built);
  const platforms = ['linux/arm64', { os: 'linux', architecture: 'arm', variant: 'v7' }];
  const { roots, blobs, plan } = await save(store, [FAMILIAR], { platforms });
  assert.deepEqual(
    roots.map(({ digest }) => digest),
    [built.root.digest],
  );
  const chosen = ['linux/arm64', 'linux/arm/v7'].flatMap((platform) => closureOf(built.blobs, built.of(platform)));
  assert.deepEqual(blobs, pathsOf(built.root.digest, chosen));
  const states = { 'linux/amd64': 'excluded', 'linux/arm64': 'complete', 'linux/arm/v7': 'complete' };
  assert.deepEqual(statesOf(plan.images[0]), states);
  assert.equal(plan.images[0]?.sourceDigest, undefined);
});

onEachStore('packs a requested platform where others are missing, native or not', async (open) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const store = await storeOf(open, built);
  const arm64 = { os: 'linux', architecture: 'arm64' };
  for (const hostPlatform of [HOST, arm64]) {
    const { blobs, plan } = await save(store, [FAMILIAR], { platforms: ['linux/amd64'], hostPlatform });
    assert.deepEqual(blobs, pathsOf(closureOf(built.blobs, built.of('linux/amd64'))));
    assert.deepEqual(plan.warnings, []);
  }
});

onEachStore('refuses a listed platform whose content is missing, and names the digest', async (open) => {
  const built = example();
  const [layer] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  removeLayers(built.blobs, built.of('linux/arm64'));
  const store = await storeOf(open, built);
  const expected = { code: 'ERR_PLATFORM_UNAVAILABLE', message: new RegExp(`linux/arm64.*${layer?.digest}`) } as const;
  await refusesSave(store, { names: [FAMILIAR], platforms: ['linux/arm64'], ...expected });
});

onEachStore('refuses a list with unavailable platforms, and names every image, platform and reason', async (open) => {
  const built = example();
  removeBlob(built.blobs, built.of('linux/arm64'));
  const other = buildManifest(built.blobs, { platform: 'linux/amd64', seed: 'other' });
  const store = await storeOf(open, built);
  await fill(store, [{ name: 'docker.io/library/b:1', descriptor: other }], new BlobSet());
  await refusesSave(store, {
    names: [FAMILIAR, 'b:1'],
    platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'],
    code: 'ERR_PLATFORM_UNAVAILABLE',
    message: new RegExp(
      [
        `${FAMILIAR} lists linux/arm64, but ${built.of('linux/arm64').digest} is missing`,
        `${FAMILIAR} does not list linux/s390x`,
        'b:1 does not list linux/arm64',
        'b:1 does not list linux/s390x',
      ].join('; '),
    ),
  });
});

onEachStore('saves the rest of a list where missing platforms may be skipped', async (open) => {
  const built = example();
  removeBlob(built.blobs, built.of('linux/arm64'));
  const store = await storeOf(open, built);
  const options = { platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'], missingPlatforms: 'skip' } as const;
  const { plan, blobs, roots } = await save(store, [FAMILIAR], options);
  assert.equal(plan.incomplete, true);
  const states = {
    'linux/amd64': 'complete',
    'linux/arm64': 'missing',
    'linux/arm/v7': 'excluded',
    'linux/s390x': 'absent',
  };
  assert.deepEqual(statesOf(plan.images[0]), states);
  assert.deepEqual(
    roots.map(({ digest }) => digest),
    [built.root.digest],
  );
  assert.deepEqual(blobs, pathsOf(built.root.digest, closureOf(built.blobs, built.of('linux/amd64'))));
  const none = { platforms: ['linux/s390x'], missingPlatforms: 'skip' } as const;
  await refusesSave(store, { names: [FAMILIAR], ...none, code: 'ERR_PLATFORM_UNAVAILABLE' });
});

onEachStore('leaves out an image without any listed platform where that may be skipped', async (open) => {
  const built = example();
  const other = buildManifest(built.blobs, { platform: 'linux/386', seed: 'other' });
  const store = await storeOf(open, built);
  await fill(store, [{ name: 'docker.io/library/b:1', descriptor: other }], new BlobSet());
  const { roots, plan } = await save(store, [FAMILIAR, 'b:1'], { platforms: ['linux/386'], missingPlatforms: 'skip' });
  assert.deepEqual(
    roots.map(({ digest }) => digest),
    [other.digest],
  );
  assert.equal(plan.incomplete, true);
});
