import assert from 'node:assert/strict';
import type { Platform } from '../../src/model/platform.js';
import { BlobSet, closureOf, removeBlob, removeLayers } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, sorted } from '../fixtures/example.js';
import { loadLayout, statesOf } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { namesOf, onEachStore, stateOf } from '../fixtures/stores.js';
import { refusesLayout } from './refused-loads.js';

const UNMET = [
  { list: ['linux/arm/v5'], words: 'linux/arm/v5' },
  { list: ['linux/arm/v5', 'linux/s390x'], words: 'linux/arm/v5 linux/s390x' },
  { list: ['windows(10.0.17763)/amd64'], words: 'windows(10.0.17763)/amd64' },
];

for (const { list, words } of UNMET) {
  onEachStore(`refuses a list if the index has none of it: ${list.join(', ')}`, async (open) => {
    const store = await open();
    const { images, blobs } = example();
    await refusesLayout(store, {
      images,
      blobs,
      platforms: list,
      code: 'ERR_PLATFORM_UNAVAILABLE',
      message: `image ${FAMILIAR} was not loaded: it doesn't provide the requested platform ([${words}])`,
    });
  });
}

onEachStore('names all the images that do not provide a platform', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const root = buildIndex(blobs, [buildManifest(blobs, { platform: 'linux/386', seed: 2 })]);
  const both = [...images, { root, name: 'docker.io/library/b:2' }];
  await refusesLayout(store, {
    images: both,
    blobs,
    platforms: ['linux/arm/v5'],
    code: 'ERR_PLATFORM_UNAVAILABLE',
    message: `images [${FAMILIAR}, b:2] were not loaded: they don't provide the requested platform ([linux/arm/v5])`,
  });
});

onEachStore('refuses a single manifest of another platform', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
  await refusesLayout(store, {
    images: [{ root, name: NAME }],
    blobs,
    platforms: ['linux/arm64'],
    code: 'ERR_PLATFORM_UNAVAILABLE',
    message: `image ${FAMILIAR} was not loaded: it doesn't provide the requested platform ([linux/arm64])`,
  });
});

onEachStore('reads the config of a single manifest whose descriptor names no platform', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const { platform: _, ...root } = buildManifest(blobs, { platform: 'linux/arm64', seed: 1 });
  const report = await loadLayout(store, [{ root, name: NAME }], blobs, { platforms: ['linux/arm64'] });
  assert.deepEqual(statesOf(report.images[0]), { 'linux/arm64': 'complete' });
});

for (const lost of ['manifest', 'layers'] as const) {
  onEachStore(`says that a listed platform lacks content: its ${lost}`, async (open) => {
    const store = await open();
    const { images, blobs, of } = example();
    const arm64 = of('linux/arm64');
    const [layer] = blobs.links(arm64.digest).layers ?? [];
    if (lost === 'manifest') removeBlob(blobs, arm64);
    else removeLayers(blobs, arm64);
    const missing = lost === 'manifest' ? arm64.digest : layer?.digest;
    await refusesLayout(store, {
      images,
      blobs,
      platforms: ['linux/arm64'],
      code: 'ERR_PLATFORM_UNAVAILABLE',
      message: new RegExp(
        `requested platform\\(s\\) \\(\\[linux/arm64\\]\\) found, but some content is missing: ${missing}$`,
      ),
    });
  });
}

onEachStore('refuses a list with absent and missing platforms, and says which', async (open) => {
  const store = await open();
  const { images, blobs, of } = example();
  removeBlob(blobs, of('linux/arm64'));
  const platforms = ['linux/amd64', 'linux/arm64', 'linux/s390x'];
  await refusesLayout(store, {
    images,
    blobs,
    platforms,
    code: 'ERR_PLATFORM_UNAVAILABLE',
    message: new RegExp(
      `${FAMILIAR} lists linux/arm64, but ${of('linux/arm64').digest} is missing; ${FAMILIAR} does not list linux/s390x`,
    ),
  });
});

onEachStore('loads the rest of a list where missing platforms may be skipped', async (open) => {
  const store = await open();
  const { images, blobs, root, of } = example();
  removeBlob(blobs, of('linux/arm64'));
  const platforms = ['linux/amd64', 'linux/arm64', 'linux/s390x'];
  const report = await loadLayout(store, images, blobs, { platforms, missingPlatforms: 'skip' });
  const states = {
    'linux/amd64': 'complete',
    'linux/arm64': 'missing',
    'linux/arm/v7': 'excluded',
    'linux/s390x': 'absent',
  };
  assert.deepEqual(statesOf(report.images[0]), states);
  assert.equal(report.incomplete, true);
  assert.deepEqual((await stateOf(store)).blobs, sorted(root.digest, closureOf(blobs, of('linux/amd64'))));
});

onEachStore('loads only the image that has the platform where missing ones may be skipped', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const other = buildManifest(blobs, { platform: 'linux/386', seed: 'other' });
  const both = [...images, { root: other, name: 'docker.io/example/b:1' }];
  const report = await loadLayout(store, both, blobs, { platforms: ['linux/386'], missingPlatforms: 'skip' });
  assert.deepEqual(await namesOf(store), ['docker.io/example/b:1']);
  assert.equal(report.incomplete, true);
  assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(blobs, other)));
});

onEachStore('refuses a list if nothing of it is available, also if missing platforms are skipped', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const options = { platforms: ['linux/s390x'], missingPlatforms: 'skip' } as const;
  await refusesLayout(store, { images, blobs, ...options, code: 'ERR_PLATFORM_UNAVAILABLE' });
});

for (const order of ['metadata-first', 'blobs-first', 7] as const) {
  onEachStore(`stores exactly the listed platforms and keeps the index, order ${order}`, async (open) => {
    const store = await open();
    const { images, blobs, root, of } = example({ sharedLayer: true });
    const platforms = ['linux/arm64', 'linux/arm/v7'];
    const report = await loadLayout(store, images, blobs, { platforms, layout: { order } });
    const states = { 'linux/amd64': 'excluded', 'linux/arm64': 'complete', 'linux/arm/v7': 'complete' };
    assert.deepEqual(statesOf(report.images[0]), states);
    const { images: records, blobs: stored } = await stateOf(store);
    const kept = platforms.map((platform) => of(platform).digest).toSorted();
    assert.deepEqual(records, [{ name: NAME, descriptor: root, kept, missed: [] }]);
    const chosen = platforms.flatMap((platform) => closureOf(blobs, of(platform)));
    assert.deepEqual(stored, sorted(root.digest, chosen));
    assert.equal(report.incomplete, false);
  });
}

const UNNAMED = [{}, { os: 'linux' }, { architecture: 'arm64' }, { os: '', architecture: '' }];

for (const platform of UNNAMED) {
  onEachStore(`reads the config if an index has the platform ${JSON.stringify(platform)}`, async (open) => {
    const store = await open();
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/arm64', seed: 1 });
    // A foreign document may lack fields that the type requires.
    const root = buildIndex(blobs, [{ ...manifest, platform: platform as Platform }]);
    for (const platforms of [['linux/arm64'], []]) {
      const report = await loadLayout(store, [{ root, name: NAME }], blobs, { platforms });
      assert.deepEqual(statesOf(report.images[0]), { 'linux/arm64': 'complete' });
    }
  });
}
