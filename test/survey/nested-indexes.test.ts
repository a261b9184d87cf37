import assert from 'node:assert/strict';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { ImageIndex } from '../../src/model/image-index.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { FAMILIAR, sorted } from '../fixtures/example.js';
import { load, statesOf } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { childrenOf, pathsOf, rootOf, save } from '../fixtures/saved-archive.js';
import { onEachStore, storeOf } from '../fixtures/stores.js';

function nested() {
  const blobs = new BlobSet();
  const [amd64, arm64, s390x] = ['linux/amd64', 'linux/arm64', 'linux/s390x'].map((platform) =>
    buildManifest(blobs, { platform, seed: platform }),
  );
  assert.ok(amd64 && arm64 && s390x);
  const inner = buildIndex(blobs, [arm64, s390x]);
  const root = buildIndex(blobs, [amd64, inner]);
  return { blobs, root, inner, amd64, arm64, s390x };
}

onEachStore('filters nested indexes on each level', async (open) => {
  const { blobs, root, inner, amd64, arm64 } = nested();
  const store = await storeOf(open, { blobs, root });
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/amd64', 'linux/arm64'] });
  const packed = sorted(root.digest, inner.digest, closureOf(blobs, amd64), closureOf(blobs, arm64));
  assert.deepEqual(
    saved.blobs,
    packed.map((digest) => blobPath(digest)),
  );
  const states = { 'linux/amd64': 'complete', 'linux/arm64': 'complete', 'linux/s390x': 'excluded' };
  assert.deepEqual(statesOf(saved.plan.images[0]), states);
});

onEachStore('makes a manifest of a nested index the root', async (open) => {
  const { blobs, root, arm64 } = nested();
  const store = await storeOf(open, { blobs, root });
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'] });
  assert.equal(rootOf(saved).descriptor.digest, arm64.digest);
  assert.deepEqual(saved.blobs, pathsOf(closureOf(blobs, arm64)));
});

onEachStore('rewrites nested indexes, and lists only what is packed on every level', async (open) => {
  const { blobs, root, inner, amd64, arm64 } = nested();
  const store = await storeOf(open, { blobs, root });
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/amd64', 'linux/arm64'], index: 'rewrite' });
  const { index } = rootOf(saved);
  assert.equal(index?.manifests[0]?.digest, amd64.digest);
  const newInner = index.manifests[1];
  assert.ok(newInner && newInner.digest !== inner.digest);
  const bytes = saved.entries.get(blobPath(newInner.digest));
  assert.deepEqual(childrenOf(JSON.parse(String(bytes)) as ImageIndex), [arm64.digest]);
  assert.ok(!saved.blobs.includes(blobPath(inner.digest)));
  const second = await open();
  const report = await load(second, saved.archive);
  assert.deepEqual(statesOf(report.images[0]), { 'linux/amd64': 'complete', 'linux/arm64': 'complete' });
});

onEachStore('lists no index without platforms in a rewritten index', async (open) => {
  const { blobs, root, amd64 } = nested();
  const store = await storeOf(open, { blobs, root });
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/amd64'], index: 'rewrite' });
  const { index } = rootOf(saved);
  assert.deepEqual(index && childrenOf(index), [amd64.digest]);
});

onEachStore('reads the config of a child without platform, and keeps a child whose config has none', async (open) => {
  const blobs = new BlobSet();
  const { platform: _, ...arm64 } = buildManifest(blobs, { platform: 'linux/arm64', seed: 1 });
  const amd64 = buildManifest(blobs, { platform: 'linux/amd64', seed: 2 });
  const none = buildManifest(blobs, { platform: 'linux/amd64', seed: 3, configExtra: { os: '', architecture: '' } });
  const { platform: _none, ...nameless } = none;
  const root = buildIndex(blobs, [arm64, amd64, nameless]);
  const store = await storeOf(open, { blobs, root });
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'] });
  const packed = sorted(root.digest, closureOf(blobs, arm64), closureOf(blobs, nameless));
  assert.deepEqual(
    saved.blobs,
    packed.map((digest) => blobPath(digest)),
  );
  const states = { 'linux/arm64': 'complete', 'linux/amd64': 'excluded', unknown: 'complete' };
  assert.deepEqual(statesOf(saved.plan.images[0]), states);
});

onEachStore('lets children without platform take the platform of their index', async (open) => {
  const blobs = new BlobSet();
  const nameless = (seed: string): Descriptor => {
    const empty = { os: '', architecture: '' };
    const { platform: _, ...rest } = buildManifest(blobs, { platform: 'linux/amd64', seed, configExtra: empty });
    return rest;
  };
  const [one, two] = [nameless('one'), nameless('two')];
  const inner = [one, two].map((child) => buildIndex(blobs, [child]));
  const platforms = [
    { os: 'linux', architecture: 'arm64' },
    { os: 'linux', architecture: 's390x' },
  ];
  const root = buildIndex(
    blobs,
    inner.map((index, at) => ({ ...index, platform: platforms[at] ?? { os: '', architecture: '' } })),
  );
  const store = await storeOf(open, { blobs, root });
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/s390x'], index: 'preserve' });
  const packed = sorted(root.digest, inner[1]?.digest ?? root.digest, closureOf(blobs, two));
  assert.deepEqual(
    saved.blobs,
    packed.map((digest) => blobPath(digest)),
  );
});

onEachStore('packs a nested index that a rewritten root lists as it was', async (open) => {
  const { blobs, root, inner, arm64, s390x } = nested();
  const store = await storeOf(open, { blobs, root });
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64', 'linux/s390x'], index: 'rewrite' });
  assert.deepEqual(childrenOf(rootOf(saved).index as ImageIndex), [inner.digest]);
  assert.ok(saved.blobs.includes(blobPath(inner.digest)));
  const report = await load(await open(), saved.archive);
  assert.deepEqual(statesOf(report.images[0]), { 'linux/arm64': 'complete', 'linux/s390x': 'complete' });
  assert.ok([arm64, s390x].every(({ digest }) => saved.blobs.includes(blobPath(digest))));
});
