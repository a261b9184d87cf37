import assert from 'node:assert/strict';
import { inspectImages } from '../../src/inspect/inspect-images.js';
import { listImages } from '../../src/inspect/list-images.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { buildArtifact, buildReferrer } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf, removeBlob } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, sorted } from '../fixtures/example.js';
import { codesOf, load, loadLayout } from '../fixtures/loading.js';
import { asListed, has, sign, withReferrers } from '../fixtures/referrers.js';
import { save } from '../fixtures/saved-archive.js';
import { namesOf, onEachStore, stateOf } from '../fixtures/stores.js';

onEachStore('loads referrers that no index lists with their image, and does not list them', async (open) => {
  const store = await open();
  const built = withReferrers(({ blobs, of }) => [
    sign(blobs, of('linux/arm64'), 'a'),
    sign(blobs, of('linux/amd64'), 'b'),
  ]);
  const report = await loadLayout(store, built.images, built.blobs);
  assert.deepEqual(
    report.images.map(({ name }) => name),
    [NAME],
  );
  assert.deepEqual(
    (await listImages(store)).images.map(({ name }) => name),
    [NAME],
  );
  assert.deepEqual((await stateOf(store)).blobs, sorted([...built.blobs.keys()]));
  const [inspected] = await inspectImages(store, FAMILIAR);
  const found = inspected?.referrers.map(({ digest }) => digest) ?? [];
  for (const { digest } of built.referrers) assert.ok(found.includes(digest));
});

onEachStore('finds a referrer by its own subject if it has no annotation', async (open) => {
  const store = await open();
  const { blobs, images, of } = example();
  const { referrer } = sign(blobs, of('linux/arm64'), 'a');
  const report = await loadLayout(store, [...images, { root: referrer }], blobs);
  assert.deepEqual(
    report.images.map(({ name }) => name),
    [NAME],
  );
  const saved = await save(store, [FAMILIAR]);
  assert.deepEqual(saved.roots[1], asListed(referrer, of('linux/arm64')));
});

onEachStore('takes an artifact as an image if its subject is not there', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const elsewhere = buildArtifact(new BlobSet(), { seed: 'elsewhere' });
  const referrer = buildReferrer(blobs, elsewhere, { seed: 1 });
  const report = await loadLayout(store, [{ root: referrer }], blobs);
  assert.deepEqual(
    report.images.map(({ name, digest }) => [name, digest]),
    [[undefined, referrer.digest]],
  );
});

onEachStore('writes referrers after the images, in digest order, without platform', async (open) => {
  const store = await open();
  const built = withReferrers(({ blobs, of }) => {
    const signed = ['a', 'b', 'c', 'd'].map((seed) => sign(blobs, of('linux/amd64'), seed));
    return [...signed, sign(blobs, of('linux/arm64'), 'e')];
  });
  await loadLayout(store, built.images, built.blobs);
  const { roots, plan } = await save(store, [FAMILIAR]);
  const [image, ...listed] = roots;
  assert.equal(image?.digest, built.root.digest);
  const subjects = built.referrers.map((referrer, at) =>
    asListed(referrer, built.of(at < 4 ? 'linux/amd64' : 'linux/arm64')),
  );
  assert.deepEqual(
    listed,
    subjects.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
  );
  assert.deepEqual(plan.images.length, 1);
});

onEachStore('lets referrers follow their platform through a filter, on save and on load', async (open) => {
  const store = await open();
  const built = withReferrers(({ blobs, of }) => [
    sign(blobs, of('linux/arm64'), 'a'),
    sign(blobs, of('linux/amd64'), 'b'),
  ]);
  await loadLayout(store, built.images, built.blobs);
  const [wanted, unwanted] = built.referrers;
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'] });
  assert.deepEqual([has(saved.blobs, wanted), has(saved.blobs, unwanted)], [true, false]);
  assert.equal(saved.roots[0]?.digest, built.of('linux/arm64').digest);
  const second = await open();
  await loadLayout(second, built.images, built.blobs, { platforms: ['linux/amd64'] });
  const { blobs } = await stateOf(second);
  assert.deepEqual([has(blobs, wanted), has(blobs, unwanted)], [false, true]);
});

onEachStore('makes the manifest the root for one platform, also if it has a referrer', async (open) => {
  const store = await open();
  const { blobs, root, of } = example();
  const { referrer } = sign(blobs, of('linux/arm64'), 'a');
  const images = [{ root, name: NAME }, { root: referrer }];
  await loadLayout(store, images, blobs);
  const signed = await save(store, [FAMILIAR], { platforms: ['linux/arm64'] });
  assert.deepEqual(
    signed.roots.map(({ digest }) => digest),
    [of('linux/arm64').digest, referrer.digest],
  );
  const plain = await save(store, [FAMILIAR], { platforms: ['linux/amd64'] });
  assert.deepEqual(
    plain.roots.map(({ digest }) => digest),
    [of('linux/amd64').digest],
  );
  const dropped = await save(store, [FAMILIAR], { platforms: ['linux/arm64'], referrers: 'drop' });
  assert.deepEqual(
    dropped.roots.map(({ digest }) => digest),
    [of('linux/arm64').digest],
  );
});

onEachStore('leaves all referrers out with --referrers drop, on save and on load', async (open) => {
  const built = withReferrers(({ blobs, of }) => [sign(blobs, of('linux/arm64'), 'a')]);
  const images = [...built.manifests.values()].flatMap((manifest) => closureOf(built.blobs, manifest));
  const expected = sorted(built.root.digest, images);
  for (const order of ['metadata-first', 'blobs-first'] as const) {
    const store = await open();
    await loadLayout(store, built.images, built.blobs, { referrers: 'drop', layout: { order } });
    assert.deepEqual((await stateOf(store)).blobs, expected);
    assert.deepEqual(await namesOf(store), [NAME]);
  }
  const store = await open();
  await loadLayout(store, built.images, built.blobs);
  const saved = await save(store, [FAMILIAR], { referrers: 'drop' });
  assert.deepEqual(
    saved.blobs,
    expected.map((digest) => blobPath(digest)),
  );
  assert.deepEqual(
    saved.roots.map(({ digest }) => digest),
    [built.root.digest],
  );
});

onEachStore('lets referrers of an index follow it, and drops them with a warning if the root changes', async (open) => {
  const store = await open();
  const { blobs, root, of } = example();
  const { referrer } = sign(blobs, root, 'index');
  await loadLayout(store, [{ root, name: NAME }, { root: referrer }], blobs);
  const several = await save(store, [FAMILIAR], { platforms: ['linux/amd64', 'linux/arm64'] });
  assert.deepEqual(several.roots[1], asListed(referrer, root));
  assert.deepEqual(several.plan.warnings, []);
  const one = await save(store, [FAMILIAR], { platforms: ['linux/arm64'] });
  assert.deepEqual(
    [one.roots[0]?.digest, one.roots[1], one.plan.warnings],
    [root.digest, asListed(referrer, root), []],
  );
  const saved = await save(store, [FAMILIAR], { platforms: ['linux/arm64'], index: 'rewrite' });
  assert.deepEqual([saved.roots.length, has(saved.blobs, referrer)], [1, false]);
  assert.deepEqual(codesOf(saved.plan.warnings), ['WARN_SIGNATURE_DETACHED', 'WARN_REFERRER_DROPPED']);
  assert.match(saved.plan.warnings[1]?.message ?? '', new RegExp(referrer.digest));
  const asked = await save(store, [FAMILIAR], { platforms: ['linux/arm64'], referrers: 'drop' });
  assert.deepEqual([asked.roots[0]?.digest, asked.plan.warnings], [of('linux/arm64').digest, []]);
});

onEachStore('says which referrer of a packed image could not be packed', async (open) => {
  const store = await open();
  const { blobs, images, attestations } = example({ attestations: true });
  const attestation = attestations.get('linux/amd64');
  assert.ok(attestation);
  removeBlob(blobs, attestation);
  const report = await loadLayout(store, images, blobs);
  assert.deepEqual(codesOf(report.warnings), ['WARN_REFERRER_MISSING']);
  assert.match(report.warnings[0]?.message ?? '', new RegExp(attestation.digest));
  assert.deepEqual(report.incomplete, false);
});

onEachStore('keeps everything through a save and a load, and saves the same bytes again', async (open) => {
  const store = await open();
  const built = withReferrers(({ blobs, of, attestations, root }) => {
    const attestation = attestations.get('linux/arm64');
    assert.ok(attestation);
    return [sign(blobs, of('linux/arm64'), 'a'), sign(blobs, attestation, 'b'), sign(blobs, root, 'c')];
  });
  await loadLayout(store, built.images, built.blobs);
  const saved = await save(store, [FAMILIAR]);
  const second = await open();
  await load(second, saved.archive);
  assert.deepEqual((await stateOf(second)).blobs, sorted([...built.blobs.keys()]));
  assert.deepEqual((await stateOf(second)).images, (await stateOf(store)).images);
  assert.deepEqual((await save(second, [FAMILIAR])).archive, saved.archive);
});
