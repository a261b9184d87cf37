import assert from 'node:assert/strict';
import { removeImages } from '../../src/edit/remove-images.js';
import { listImages } from '../../src/inspect/list-images.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { buildReferrer } from '../fixtures/artifact-builder.js';
import { closureOf } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, sorted } from '../fixtures/example.js';
import { load, loadLayout } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { has, sign, withReferrers } from '../fixtures/referrers.js';
import { save } from '../fixtures/saved-archive.js';
import { onEachStore, stateOf } from '../fixtures/stores.js';

onEachStore('follows transitively: image, attestation, signature of the attestation', async (open) => {
  const store = await open();
  const built = withReferrers(({ blobs, attestations }) =>
    ['linux/amd64', 'linux/arm64'].map((platform) => {
      const attestation = attestations.get(platform);
      assert.ok(attestation);
      return sign(blobs, attestation, platform);
    }),
  );
  await loadLayout(store, built.images, built.blobs);
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'] });
  const [amd64, arm64] = built.referrers;
  assert.deepEqual([has(saved.blobs, amd64), has(saved.blobs, arm64)], [false, true]);
  assert.ok(has(saved.blobs, built.attestations.get('linux/arm64')));
  const second = await open();
  await load(second, saved.archive);
  assert.deepEqual(
    (await stateOf(second)).blobs.map((digest) => blobPath(digest)),
    saved.blobs,
  );
});

onEachStore('follows referrers that an index lists by their subject, and the referrers of those', async (open) => {
  const store = await open();
  const { blobs, of } = example();
  const sbom = buildReferrer(blobs, of('linux/arm64'), { seed: 'sbom' });
  const signature = buildReferrer(blobs, sbom, { seed: 'signature' });
  const root = buildIndex(blobs, [signature, sbom, of('linux/amd64'), of('linux/arm64')]);
  for (const order of ['metadata-first', 'blobs-first'] as const) {
    const filtered = await open();
    await loadLayout(filtered, [{ root, name: NAME }], blobs, { platforms: ['linux/amd64'], layout: { order } });
    const expected = sorted(root.digest, closureOf(blobs, of('linux/amd64')));
    assert.deepEqual((await stateOf(filtered)).blobs, expected);
  }
  await loadLayout(store, [{ root, name: NAME }], blobs);
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'] });
  assert.deepEqual([has(saved.blobs, sbom), has(saved.blobs, signature)], [true, true]);
  assert.deepEqual(
    saved.roots.map(({ digest }) => digest),
    [of('linux/arm64').digest, ...sorted(sbom.digest, signature.digest)],
  );
  // Without the index they stay tied, also one that refers to a referrer.
  const second = await open();
  await load(second, saved.archive);
  await removeImages(second, [FAMILIAR]);
  assert.deepEqual(await stateOf(second), { images: [], blobs: [] });
});

onEachStore('removes the referrers of an image with it', async (open) => {
  const store = await open();
  const { blobs, root, of } = example();
  const images = [
    { root, name: NAME },
    { root: sign(blobs, root, 'a').referrer },
    { root: sign(blobs, of('linux/arm64'), 'b').referrer },
  ];
  await loadLayout(store, images, blobs);
  await removeImages(store, [FAMILIAR]);
  assert.deepEqual((await listImages(store)).images, []);
  await store.prune({ now: Date.now() + 1000, graceMs: 0 });
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

onEachStore('keeps referrers whose subject is not here only if every platform is loaded', async (open) => {
  const { blobs, root, of } = example();
  const elsewhere = buildManifest(blobs, { platform: 'linux/s390x', seed: 'elsewhere' });
  const orphan = buildReferrer(blobs, elsewhere, { seed: 'orphan' });
  closureOf(blobs, elsewhere).forEach((digest) => blobs.delete(digest));
  const annotations = { 'io.containerd.manifest.subject': elsewhere.digest };
  const images = [{ root, name: NAME }, { root: { ...orphan, annotations } }];
  for (const order of ['metadata-first', 'blobs-first'] as const) {
    const all = await open();
    const report = await loadLayout(all, images, blobs, { layout: { order } });
    assert.equal(report.images.length, 1);
    assert.deepEqual((await stateOf(all)).blobs, sorted(closureOf(blobs, root), closureOf(blobs, orphan)));
    const one = await open();
    await loadLayout(one, images, blobs, { platforms: ['linux/arm64'], layout: { order } });
    assert.deepEqual((await stateOf(one)).blobs, sorted(root.digest, closureOf(blobs, of('linux/arm64'))));
  }
});

onEachStore(
  'knows a referrer by its subject, also if the filter leaves the subject out, in every order',
  async (open) => {
    const { blobs, root, of } = example();
    const signature = buildReferrer(blobs, of('linux/amd64'), { seed: 'signature' });
    const images = [{ root, name: NAME }, { root: signature }];
    for (const order of ['metadata-first', 'blobs-first', 1, 2, 3] as const) {
      const store = await open();
      const report = await loadLayout(store, images, blobs, { platforms: ['linux/arm64'], layout: { order } });
      assert.deepEqual(
        report.images.map(({ name }) => name),
        [NAME],
      );
      assert.deepEqual((await stateOf(store)).blobs, sorted(root.digest, closureOf(blobs, of('linux/arm64'))));
    }
  },
);
