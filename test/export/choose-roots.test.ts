import assert from 'node:assert/strict';
import { removeImages } from '../../src/edit/remove-images.js';
import { ANNOTATIONS } from '../../src/model/descriptor.js';
import type { ImageIndex } from '../../src/model/image-index.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { buildAttestation } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf, removeLayers } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, sorted } from '../fixtures/example.js';
import { load, statesOf } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { childrenOf, pathsOf, rootOf, save } from '../fixtures/saved-archive.js';
import { onEachStore, stateOf, storeOf } from '../fixtures/stores.js';

onEachStore('keeps the index with --index preserve, also for one platform', async (open) => {
  const built = example();
  const store = await storeOf(open, built);
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'], index: 'preserve' });
  assert.equal(rootOf(saved).descriptor.digest, built.root.digest);
  assert.equal(rootOf(saved).descriptor.annotations?.[ANNOTATIONS.sourceDigest], undefined);
});

onEachStore(
  'writes an index of the packed platforms only with --index rewrite, the same one each time',
  async (open) => {
    const built = example({ attestations: true, annotations: { 'com.example': 'kept' } });
    const store = await storeOf(open, built);
    const options = { platforms: ['linux/arm64', 'linux/amd64'], index: 'rewrite' } as const;
    const saved = await save(store, [FAMILIAR], options);
    const { descriptor, index } = rootOf(saved);
    const original = built.blobs.json(built.root.digest) as ImageIndex;
    const gone = [built.of('linux/arm/v7').digest, built.attestations.get('linux/arm/v7')?.digest];
    const manifests = original.manifests.filter(({ digest }) => !gone.includes(digest));
    assert.deepEqual(index, { ...original, manifests });
    assert.equal(descriptor.annotations?.[ANNOTATIONS.sourceDigest], built.root.digest);
    assert.deepEqual(saved.plan.images[0]?.digest, descriptor.digest);
    assert.deepEqual(saved.plan.images[0]?.sourceDigest, built.root.digest);
    assert.ok(!saved.blobs.includes(blobPath(built.root.digest)));
    assert.deepEqual((await save(store, [FAMILIAR], options)).archive, saved.archive);
  },
);

onEachStore('keeps the index byte for byte with --index rewrite if nothing is left out', async (open) => {
  const built = example({ attestations: true });
  const store = await storeOf(open, built);
  const saved = await save(store, [FAMILIAR], { index: 'rewrite' });
  assert.equal(rootOf(saved).descriptor.digest, built.root.digest);
});

onEachStore('takes missing platforms out of a rewritten index', async (open) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const store = await storeOf(open, built);
  const saved = await save(store, [FAMILIAR], { index: 'rewrite' });
  const { index } = rootOf(saved);
  assert.deepEqual(index && childrenOf(index), [built.of('linux/amd64').digest, built.of('linux/arm/v7').digest]);
  const second = await open();
  const report = await load(second, saved.archive);
  assert.deepEqual(statesOf(report.images[0]), { 'linux/amd64': 'complete', 'linux/arm/v7': 'complete' });
});

onEachStore('makes the manifest the root for one platform, with its attestation beside it', async (open) => {
  const built = example({ attestations: true });
  const store = await storeOf(open, built);
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'] });
  const subject = built.of('linux/arm64');
  const attestation = built.attestations.get('linux/arm64');
  assert.ok(attestation);
  // As Docker 29 writes it: the manifest with the name, and the attestation with its subject.
  const { platform: _, ...unplaced } = attestation;
  assert.deepEqual(saved.roots, [
    {
      ...subject,
      annotations: {
        'io.containerd.image.name': NAME,
        'org.opencontainers.image.ref.name': '1',
        'dev.lading.source.digest': built.root.digest,
      },
    },
    { ...unplaced, annotations: { ...attestation.annotations, 'io.containerd.manifest.subject': subject.digest } },
  ]);
  const packed = sorted(closureOf(built.blobs, subject), closureOf(built.blobs, attestation));
  assert.deepEqual(
    saved.blobs,
    packed.map((digest) => blobPath(digest)),
  );
  // It stays tied: through a load and another save, and when the image is removed.
  const second = await open();
  await load(second, saved.archive);
  const again = await save(second, [FAMILIAR]);
  assert.deepEqual(again.blobs, saved.blobs);
  await removeImages(second, [FAMILIAR]);
  assert.deepEqual(await stateOf(second), { images: [], blobs: [] });
});

onEachStore(
  'keeps the index for one platform with --index preserve, and rewrites it with its attestation',
  async (open) => {
    const built = example({ attestations: true });
    const store = await storeOf(open, built);
    const preserved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'], index: 'preserve' });
    assert.equal(rootOf(preserved).descriptor.digest, built.root.digest);
    const rewritten = await save(store, [FAMILIAR], { platforms: ['linux/arm64'], index: 'rewrite' });
    assert.equal(rewritten.roots.length, 1);
    assert.equal(rewritten.blobs.length, preserved.blobs.length);
  },
);

onEachStore('makes the manifest the root if its attestation is dropped', async (open) => {
  const built = example({ attestations: true });
  const store = await storeOf(open, built);
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'], referrers: 'drop' });
  assert.equal(rootOf(saved).descriptor.digest, built.of('linux/arm64').digest);
  assert.deepEqual(saved.blobs, pathsOf(closureOf(built.blobs, built.of('linux/arm64'))));
});

for (const platforms of [['linux/amd64'], ['windows/amd64']]) {
  onEachStore(`keeps the index where two manifests fit one platform: ${platforms.join()}`, async (open) => {
    const blobs = new BlobSet();
    const texts = ['linux/amd64', 'linux/amd64', 'windows(10.0.17763.1)/amd64', 'windows(10.0.20348.1)/amd64'];
    const manifests = texts.map((platform, seed) => buildManifest(blobs, { platform, seed }));
    const root = buildIndex(blobs, manifests);
    const store = await storeOf(open, { blobs, root });
    const saved = await save(store, [FAMILIAR], { platforms });
    assert.equal(rootOf(saved).descriptor.digest, root.digest);
    const chosen = platforms[0] === 'linux/amd64' ? manifests.slice(0, 2) : manifests.slice(2);
    const packed = sorted(
      root.digest,
      chosen.flatMap((manifest) => closureOf(blobs, manifest)),
    );
    assert.deepEqual(
      saved.blobs,
      packed.map((digest) => blobPath(digest)),
    );
  });
}

onEachStore('keeps orphaned attestations only if every platform is saved', async (open) => {
  const built = example({ platforms: ['linux/amd64', 'linux/arm64'] });
  const elsewhere = buildManifest(new BlobSet(), { platform: 'linux/386', seed: 'elsewhere' });
  const orphan = buildAttestation(built.blobs, elsewhere, { seed: 1 });
  const root = buildIndex(built.blobs, [built.of('linux/amd64'), built.of('linux/arm64'), orphan]);
  const store = await storeOf(open, { blobs: built.blobs, root });
  const all = await save(store, [FAMILIAR]);
  assert.ok(all.blobs.includes(blobPath(orphan.digest)));
  const some = await save(store, [FAMILIAR], { platforms: ['linux/amd64', 'linux/arm64'] });
  assert.ok(!some.blobs.includes(blobPath(orphan.digest)));
  const second = await open();
  await load(second, all.archive);
  assert.ok((await stateOf(second)).blobs.includes(orphan.digest));
});
