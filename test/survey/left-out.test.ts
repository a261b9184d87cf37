import assert from 'node:assert/strict';
import { removePlatforms } from '../../src/edit/remove-platforms.js';
import { tagImage } from '../../src/edit/tag-image.js';
import { ANNOTATIONS } from '../../src/model/descriptor.js';
import type { Digest } from '../../src/model/digest.js';
import { withKept } from '../../src/model/kept-parts.js';
import { buildAttestation } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, PLATFORMS, type Example } from '../fixtures/example.js';
import { codesOf, load, loadLayout, statesOf } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { save } from '../fixtures/saved-archive.js';
import { onEachStore } from '../fixtures/stores.js';

const SOME = ['linux/amd64', 'linux/arm64'];

onEachStore('a load does not warn of platforms that the save left out on purpose, from hand to hand', async (open) => {
  const { blobs, images, of } = example();
  const first = await open();
  await loadLayout(first, images, blobs);
  const saved = await save(first, [FAMILIAR], { platforms: SOME });
  const kept = SOME.map((platform) => of(platform).digest).toSorted();
  assert.equal(saved.roots[0]?.annotations?.[ANNOTATIONS.kept], kept.join(' '));
  const second = await open();
  const report = await load(second, saved.archive);
  assert.deepEqual([codesOf(report.warnings), report.incomplete], [[], false]);
  assert.equal(statesOf(report.images[0])['linux/arm/v7'], 'missing');
  const again = await save(second, [FAMILIAR]);
  assert.deepEqual(again.archive, saved.archive);
  assert.deepEqual(codesOf((await load(await open(), again.archive)).warnings), []);
  await assert.rejects(load(await open(), saved.archive, { platforms: ['linux/arm/v7'] }), {
    code: 'ERR_PLATFORM_UNAVAILABLE',
  });
});

onEachStore('a save of all platforms says nothing of what is left out', async (open) => {
  const { blobs, images } = example();
  const store = await open();
  await loadLayout(store, images, blobs);
  for (const platforms of [[], PLATFORMS]) {
    const [root] = (await save(store, [FAMILIAR], { platforms })).roots;
    assert.equal(root?.annotations?.[ANNOTATIONS.kept], undefined);
  }
});

onEachStore('a load warns of what an archive lacks and was meant to have', async (open) => {
  const { blobs, images, root, of } = example();
  const kept = SOME.map((platform) => of(platform).digest).join(' ');
  const without = new Set([...closureOf(blobs, of('linux/arm64')), ...closureOf(blobs, of('linux/arm/v7'))]);
  for (const digest of closureOf(blobs, of('linux/amd64'))) without.delete(digest);
  const told = async (list: typeof images): Promise<readonly (string | undefined)[]> =>
    (await loadLayout(await open(), list, blobs, { layout: { without } })).warnings.map(({ platform }) => platform);
  assert.deepEqual(await told(images), ['linux/arm64', 'linux/arm/v7']);
  assert.deepEqual(await told([{ root, name: NAME, annotations: { [ANNOTATIONS.kept]: kept } }]), ['linux/arm64']);
});

onEachStore('a save tells of a platform that its store lost, and so does the load of its archive', async (open) => {
  const { blobs, images, of } = example();
  const lost = new Set(closureOf(blobs, of('linux/arm64')));
  for (const platform of ['linux/amd64', 'linux/arm/v7'])
    closureOf(blobs, of(platform)).forEach((one) => lost.delete(one));
  const store = await open();
  await loadLayout(store, images, blobs);
  for (const digest of lost) {
    const session = await store.session();
    await session.publish((records) =>
      records.map((record) => ({ ...record, kept: [of('linux/amd64').digest, of('linux/arm/v7').digest] })),
    );
    await session.discard([digest]);
    await session.publish((records) => records.map(({ name, descriptor }) => ({ name: String(name), descriptor })));
    await session.end();
  }
  const saved = await save(store, [FAMILIAR], { platforms: SOME, missingPlatforms: 'skip' });
  assert.deepEqual(codesOf(saved.plan.warnings), ['WARN_PLATFORM_MISSING']);
  const { warnings } = await load(await open(), saved.archive);
  assert.deepEqual(
    warnings.map(({ platform }) => platform),
    ['linux/arm64'],
  );
});

onEachStore('attestations that a save dropped are left out on purpose', async (open) => {
  const blobs = new BlobSet();
  const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 'attested' });
  const root = buildIndex(blobs, [manifest, buildAttestation(blobs, manifest, { seed: 1 })]);
  const store = await open();
  await loadLayout(store, [{ root, name: NAME }], blobs);
  const { archive } = await save(store, [FAMILIAR], { referrers: 'drop' });
  const second = await open();
  assert.deepEqual(codesOf((await load(second, archive)).warnings), []);
  assert.deepEqual(codesOf((await load(await open(), (await save(second, [FAMILIAR])).archive)).warnings), []);
});

onEachStore('what rm --platform took away is left out on purpose', async (open) => {
  const { blobs, images } = example();
  const store = await open();
  await loadLayout(store, images, blobs);
  await removePlatforms(store, FAMILIAR, ['linux/arm64']);
  const { warnings } = await load(await open(), (await save(store, [FAMILIAR])).archive);
  assert.deepEqual(codesOf(warnings), []);
});

onEachStore('a save of all warns of nothing that loads and removals left out on purpose', async (open) => {
  const { blobs, images, of } = example();
  const store = await open();
  await loadLayout(store, images, blobs, { platforms: SOME });
  for (const platforms of [SOME, []]) {
    const { warnings, incomplete, images: saved } = (await save(store, [FAMILIAR], { platforms })).plan;
    assert.deepEqual([codesOf(warnings), incomplete], [[], false]);
    assert.equal(statesOf(saved[0])['linux/arm/v7'], platforms.length === 0 ? 'missing' : 'excluded');
  }
  await removePlatforms(store, FAMILIAR, ['linux/arm64']);
  assert.deepEqual(codesOf((await save(store, [FAMILIAR])).plan.warnings), []);
  // Another load brings one of them on purpose, and a name more.
  await loadLayout(store, images, blobs, { platforms: ['linux/arm64'] });
  await tagImage(store, FAMILIAR, 'example/app:2');
  const { plan, roots } = await save(store, [FAMILIAR, 'example/app:2']);
  assert.deepEqual(codesOf(plan.warnings), []);
  const kept = SOME.map((platform) => of(platform).digest).toSorted();
  assert.equal(roots[0]?.annotations?.[ANNOTATIONS.kept], kept.join(' '));
});

/** The blobs of arm64 and arm/v7 that amd64 does not need. */
function othersOf({ blobs, of }: Example): ReadonlySet<Digest> {
  const without = new Set([...closureOf(blobs, of('linux/arm64')), ...closureOf(blobs, of('linux/arm/v7'))]);
  for (const digest of closureOf(blobs, of('linux/amd64'))) without.delete(digest);
  return without;
}

onEachStore('a save warns of what an archive lacked, until a load brings it', async (open) => {
  const built = example();
  const { blobs, images } = built;
  const store = await open();
  await loadLayout(store, images, blobs, { layout: { without: othersOf(built) } });
  const told = async (): Promise<readonly (string | undefined)[]> =>
    (await save(store, [FAMILIAR])).plan.warnings.map(({ platform }) => platform);
  assert.deepEqual(await told(), ['linux/arm64', 'linux/arm/v7']);
  // A load of a part says nothing of the others.
  await loadLayout(store, images, blobs, { platforms: ['linux/amd64'] });
  assert.deepEqual(await told(), ['linux/arm64', 'linux/arm/v7']);
  await loadLayout(store, images, blobs, { platforms: ['linux/arm64'] });
  assert.deepEqual(await told(), ['linux/arm/v7']);
  await removePlatforms(store, FAMILIAR, ['linux/arm64']);
  assert.deepEqual(await told(), ['linux/arm/v7']);
  // The archive of such a save was meant to have it, too.
  const { warnings } = await load(await open(), (await save(store, [FAMILIAR])).archive);
  assert.deepEqual(
    warnings.map(({ platform }) => platform),
    ['linux/arm/v7'],
  );
});

onEachStore('a save warns of what --allow-missing did without', async (open) => {
  const built = example();
  const store = await open();
  const options = { platforms: ['linux/amd64', 'linux/arm64'], missingPlatforms: 'skip' } as const;
  await loadLayout(store, built.images, built.blobs, { ...options, layout: { without: othersOf(built) } });
  const { warnings } = (await save(store, [FAMILIAR])).plan;
  assert.deepEqual(
    warnings.map(({ platform }) => platform),
    ['linux/arm64'],
  );
});

onEachStore('a save warns as before where the record of an older version does not tell', async (open) => {
  const { blobs, images } = example();
  const store = await open();
  await loadLayout(store, images, blobs, { platforms: SOME });
  const session = await store.session();
  await session.publish((records) => records.map((record) => withKept(record, { kept: record.kept ?? [] })));
  await session.end();
  assert.deepEqual(codesOf((await save(store, [FAMILIAR])).plan.warnings), ['WARN_PLATFORM_MISSING']);
});
