import assert from 'node:assert/strict';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import { describeImages } from '../../src/inspect/describe-images.js';
import { inspectArchive } from '../../src/inspect/inspect-archive.js';
import { inspectImages } from '../../src/inspect/inspect-images.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { buildIndex } from '../fixtures/manifest-builder.js';
import { chunksOf, load, loadLayout, statesOf } from '../fixtures/loading.js';
import { HOST } from '../fixtures/saved-archive.js';
import { namesOf, onEachStore } from '../fixtures/stores.js';
import { refusesLayout } from './refused-loads.js';

/** A manifest with these bytes as its config, which has the type of an image config, and one layer. */
function artifact(blobs: BlobSet, config: string, layerType: string): Descriptor {
  const manifest = {
    schemaVersion: 2,
    config: blobs.descriptor(config, MEDIA_TYPES.ociConfig),
    layers: [blobs.descriptor('x', layerType)],
  };
  return blobs.document(manifest, MEDIA_TYPES.ociManifest);
}

const NO_ROOTFS = '{"os":"linux","architecture":"amd64"}';

/** Configs that are no image config, and the platform that each names. */
const CONFIGS: readonly (readonly [string, string, string])[] = [
  ['is empty', '', 'unknown'],
  ['is not JSON', 'a text', 'unknown'],
  ['is not UTF-8', '\u0000\uFFFD', 'unknown'],
  ['is a list', '[]', 'unknown'],
  ['has strange members', '{"os":5,"rootfs":"x"}', 'unknown'],
  ['has no member', '{}', 'unknown'],
  ['has a platform and no rootfs', NO_ROOTFS, 'linux/amd64'],
];

for (const [what, config, platform] of CONFIGS) {
  onEachStore(`loads an artifact whose config ${what}, and saves, lists and verifies it`, async (open) => {
    const store = await open();
    const blobs = new BlobSet();
    const root = artifact(blobs, config, 'application/vnd.example.thing');
    const index = buildIndex(blobs, [root]);
    const listed = [
      { root, name: 'example/artifact:1' },
      { root: index, name: 'example/index:1' },
    ];
    const report = await loadLayout(store, listed, blobs);
    assert.deepEqual(report.warnings, []);
    for (const image of report.images) assert.deepEqual(statesOf(image), { [platform]: 'complete' });
    const again = await open();
    const plan = await planExport(store, ['example/artifact', 'example/index'], { hostPlatform: HOST });
    await load(again, exportImages(store, plan));
    assert.deepEqual(await namesOf(again), await namesOf(store));
    assert.deepEqual((await verifyImages(store, [], { deep: true })).problems, []);
    const archive = await layoutArchive(listed, blobs);
    assert.deepEqual((await verifyArchive(chunksOf(archive), { deep: true })).problems, []);
    assert.equal((await inspectArchive(chunksOf(archive))).images.length, 2);
    const [inspection] = await inspectImages(store, 'example/artifact:1');
    assert.deepEqual([inspection?.warnings, inspection?.platforms.length], [[], 1]);
    for await (const { warnings } of describeImages(store)) assert.deepEqual(warnings, []);
  });
}

for (const [what, config] of CONFIGS.slice(0, 4)) {
  onEachStore(`refuses an image whose config ${what}`, async (open) => {
    const store = await open();
    for (const type of [MEDIA_TYPES.ociLayer, MEDIA_TYPES.dockerLayerGzip]) {
      const blobs = new BlobSet();
      const images = [{ root: artifact(blobs, config, type) }];
      await refusesLayout(store, { images, blobs, code: 'ERR_DOCUMENT_INVALID' });
    }
  });
}

onEachStore('refuses an image whose config has a platform and no rootfs', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const images = [{ root: artifact(blobs, NO_ROOTFS, MEDIA_TYPES.ociLayer) }];
  await refusesLayout(store, { images, blobs, code: 'ERR_DIFF_ID_MISMATCH' });
});
