import assert from 'node:assert/strict';
import { removeImages } from '../../src/edit/remove-images.js';
import { removePlatforms } from '../../src/edit/remove-platforms.js';
import { tagImage } from '../../src/edit/tag-image.js';
import { inspectImages } from '../../src/inspect/inspect-images.js';
import { listImages } from '../../src/inspect/list-images.js';
import { digestOf } from '../../src/model/digest.js';
import type { Store } from '../../src/stores/store.js';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, sorted, type Example } from '../fixtures/example.js';
import { loadLayout, statesOf } from '../fixtures/loading.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { refuses } from '../fixtures/refusals.js';
import { HOST } from '../fixtures/saved-archive.js';
import { companionName } from '../fixtures/signatures.js';
import { fill, namesOf, onEachStore, stateOf, type OpenStore } from '../fixtures/stores.js';

async function stored(open: OpenStore, built: Example): Promise<Store> {
  const store = await open();
  await loadLayout(store, built.images, built.blobs);
  return store;
}

onEachStore('adds a name to an image, with the default tag', async (open) => {
  const built = example();
  const store = await stored(open, built);
  const name = 'docker.io/library/copy:latest';
  assert.deepEqual(await tagImage(store, FAMILIAR, 'copy'), {
    name,
    digest: built.root.digest,
    moved: [{ name, to: built.root.digest }],
  });
  assert.deepEqual(
    (await stateOf(store)).images.map(({ name, descriptor }) => [name, descriptor.digest]),
    [
      [NAME, built.root.digest],
      ['docker.io/library/copy:latest', built.root.digest],
    ],
  );
});

onEachStore('moves a name from another image, and keeps that image unnamed', async (open) => {
  const built = example();
  const store = await stored(open, built);
  const other = buildManifest(built.blobs, { platform: 'linux/amd64', seed: 'other' });
  await fill(store, [{ name: 'docker.io/library/b:1', descriptor: other }], built.blobs);
  await tagImage(store, FAMILIAR, 'b:1');
  const records = (await stateOf(store)).images.map(({ name, descriptor }) => [name, descriptor.digest]);
  assert.deepEqual(records, [
    [NAME, built.root.digest],
    ['docker.io/library/b:1', built.root.digest],
    [undefined, other.digest],
  ]);
});

onEachStore('names an image that had no name, by its id', async (open) => {
  const { blobs, root } = example();
  const store = await open();
  await loadLayout(store, [{ root }], blobs);
  await tagImage(store, root.digest.slice(7, 19), 'found:1');
  assert.deepEqual(await namesOf(store), ['docker.io/library/found:1']);
});

onEachStore('refuses to tag an unknown image, several images, or with an invalid name', async (open) => {
  const built = example();
  const store = await stored(open, built);
  const tagging = (source: string, name: string) => async () => await tagImage(store, source, name);
  await refuses(store, tagging('nothing:1', 'b:1'), { code: 'ERR_IMAGE_UNKNOWN' });
  await refuses(store, tagging(FAMILIAR, 'B:1'), { code: 'ERR_REFERENCE_INVALID' });
  await refuses(store, tagging(FAMILIAR, `b@${built.root.digest}`), { code: 'ERR_REFERENCE_INVALID' });
  await tagImage(store, FAMILIAR, 'example/app:2');
  await refuses(store, tagging('example/app', 'b:1'), { code: 'ERR_REFERENCE_AMBIGUOUS' });
});

onEachStore('removes a name, and content only with the last one', async (open) => {
  const built = example();
  const store = await stored(open, built);
  await tagImage(store, FAMILIAR, 'copy:1');
  assert.deepEqual(await removeImages(store, [FAMILIAR]), {
    untagged: [NAME],
    moved: [{ name: NAME, from: built.root.digest }],
    deleted: [],
    bytes: 0,
  });
  assert.deepEqual(await namesOf(store), ['docker.io/library/copy:1']);
  const { untagged, deleted, bytes } = await removeImages(store, ['copy:1']);
  assert.deepEqual(untagged, ['docker.io/library/copy:1']);
  assert.equal(
    bytes,
    [...built.blobs.values()].reduce((sum, { length }) => sum + length, 0),
  );
  assert.deepEqual(sorted(deleted), sorted([...built.blobs.keys()]));
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

onEachStore('takes a name without a tag as latest, and as every tag with allTags', async (open) => {
  const store = await stored(open, example());
  await refuses(store, async () => await removeImages(store, ['example/app']), { code: 'ERR_IMAGE_UNKNOWN' });
  await refuses(store, async () => await removePlatforms(store, 'example/app', ['linux/arm64']), {
    code: 'ERR_IMAGE_UNKNOWN',
  });
  await refuses(store, async () => await removeImages(store, [FAMILIAR], { allTags: true }), {
    code: 'ERR_OPTION_INVALID',
  });
  await tagImage(store, FAMILIAR, 'example/app');
  await tagImage(store, FAMILIAR, 'example/app-b:1');
  await removePlatforms(store, 'example/app', ['linux/arm64']);
  assert.deepEqual((await removeImages(store, ['example/app'])).untagged, ['docker.io/example/app:latest']);
  await tagImage(store, FAMILIAR, 'example/app:2');
  const { untagged } = await removeImages(store, ['example/app'], { allTags: true });
  assert.deepEqual(untagged, [NAME, 'docker.io/example/app:2']);
  assert.deepEqual(await namesOf(store), ['docker.io/example/app-b:1']);
});

onEachStore('leaves a name that was moved to another image meanwhile', async (open) => {
  const built = example();
  const store = await stored(open, built);
  const other = example({ seed: 'other' });
  await loadLayout(store, [{ root: other.root, name: 'other:1' }], other.blobs);
  const list = store.list.bind(store);
  store.list = async () => {
    const seen = await list();
    store.list = list;
    await tagImage(store, 'other:1', FAMILIAR);
    return seen;
  };
  const { untagged, moved } = await removeImages(store, [FAMILIAR]);
  assert.deepEqual([untagged, moved], [[], []]);
  assert.deepEqual(await namesOf(store), [NAME, 'docker.io/library/other:1', undefined]);
});

onEachStore('keeps what another image shares', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const [a, b] = ['a', 'b'].map((seed) =>
    buildManifest(blobs, { platform: 'linux/amd64', seed, layers: ['base', seed] }),
  );
  assert.ok(a && b);
  const images = [
    { root: a, name: 'a:1' },
    { root: b, name: 'b:1' },
  ];
  await loadLayout(store, images, blobs);
  await removeImages(store, ['a:1']);
  assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(blobs, b)));
});

onEachStore('removes every name of an image by its id', async (open) => {
  const built = example();
  const store = await stored(open, built);
  await tagImage(store, FAMILIAR, 'copy:1');
  const { untagged } = await removeImages(store, [built.root.digest]);
  assert.deepEqual(untagged.toSorted(), [NAME, 'docker.io/library/copy:1']);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

onEachStore('removes the names of one repository by repository@digest', async (open) => {
  const built = example();
  const store = await stored(open, built);
  for (const name of ['example/app:2', 'example/app-2:1', 'copy:1']) await tagImage(store, FAMILIAR, name);
  const { untagged, deleted } = await removeImages(store, [`example/app@${built.root.digest}`]);
  assert.deepEqual([untagged, deleted], [[NAME, 'docker.io/example/app:2'], []]);
  assert.deepEqual(await namesOf(store), ['docker.io/example/app-2:1', 'docker.io/library/copy:1']);
  const rest = ['docker.io/library/copy', 'example/app-2'].map((name) => `${name}@${built.root.digest}`);
  assert.equal((await removeImages(store, rest)).deleted.length, built.blobs.size);
});

onEachStore('removes all of several images or, if one is unknown, none', async (open) => {
  const store = await stored(open, example());
  await refuses(store, async () => await removeImages(store, [FAMILIAR, 'nothing:1']), { code: 'ERR_IMAGE_UNKNOWN' });
});

const removing = (store: Store, platforms: readonly string[]) => async () =>
  await removePlatforms(store, FAMILIAR, platforms, { hostPlatform: HOST });

onEachStore('removes what only one platform has; index and shared layers stay', async (open) => {
  const built = example({ sharedLayer: true, attestations: true });
  const store = await stored(open, built);
  const { untagged, deleted } = await removing(store, ['linux/arm64'])();
  assert.deepEqual(untagged, []);
  const [image] = (await listImages(store)).images;
  const states = { 'linux/amd64': 'complete', 'linux/arm64': 'missing', 'linux/arm/v7': 'complete' };
  assert.deepEqual([image?.digest, statesOf(image)], [built.root.digest, states]);
  const left = ['linux/amd64', 'linux/arm/v7'].flatMap((platform) => {
    const attestation = built.attestations.get(platform);
    assert.ok(attestation);
    return [...closureOf(built.blobs, built.of(platform)), ...closureOf(built.blobs, attestation)];
  });
  assert.deepEqual((await stateOf(store)).blobs, sorted(built.root.digest, left));
  assert.deepEqual(sorted(deleted, left, built.root.digest), sorted([...built.blobs.keys()]));
  assert.deepEqual((await inspectImages(store, FAMILIAR))[0]?.warnings, []);
});

onEachStore('refuses to remove the last platform, one that is not listed, and one that is gone', async (open) => {
  const store = await stored(open, example());
  await refuses(store, removing(store, ['linux/amd64', 'linux/arm64', 'linux/arm/v7']), { code: 'ERR_OPTION_INVALID' });
  await refuses(store, removing(store, ['linux/s390x']), { code: 'ERR_PLATFORM_UNAVAILABLE' });
  await refuses(store, removing(store, ['linux/arm64', 'linux/s390x']), { code: 'ERR_PLATFORM_UNAVAILABLE' });
  await removing(store, ['linux/amd64', 'linux/arm64'])();
  await refuses(store, removing(store, ['linux/arm/v7']), { code: 'ERR_OPTION_INVALID' });
  await refuses(store, removing(store, ['linux/arm64']), { code: 'ERR_PLATFORM_UNAVAILABLE' });
});

onEachStore('keeps a removed platform that another image has too', async (open) => {
  const built = example();
  const store = await stored(open, built);
  const arm64 = built.of('linux/arm64');
  await fill(store, [{ name: 'docker.io/library/b:1', descriptor: arm64 }], new BlobSet());
  const before = (await stateOf(store)).blobs;
  const { deleted } = await removing(store, ['linux/arm64'])();
  assert.deepEqual([deleted, (await stateOf(store)).blobs], [[], before]);
});

onEachStore('loads a removed platform again', async (open) => {
  const built = example();
  const store = await stored(open, built);
  const before = await stateOf(store);
  await removing(store, ['linux/arm64'])();
  const report = await loadLayout(store, built.images, built.blobs);
  assert.deepEqual(await stateOf(store), before);
  assert.equal(report.blobs.stored, closureOf(built.blobs, built.of('linux/arm64')).length);
});

onEachStore('finishes a removal that was interrupted, whatever is left of the platform', async (open) => {
  const built = example({ attestations: true, sharedLayer: true });
  const control = await stored(open, built);
  await removing(control, ['linux/arm64'])();
  const expected = await stateOf(control);
  const attestation = built.attestations.get('linux/arm64');
  assert.ok(attestation);
  // A removal takes manifests last; a prune takes blobs in any order.
  const going = [...built.blobs.keys()].filter((digest) => !expected.blobs.includes(digest));
  for (const left of [going, [built.of('linux/arm64').digest], [attestation.digest]]) {
    const store = await open();
    const blobs = new BlobSet([...built.blobs].filter(([digest]) => !going.includes(digest) || left.includes(digest)));
    await fill(store, expected.images, blobs);
    const { deleted } = await removing(store, ['linux/arm64'])();
    assert.deepEqual([sorted(deleted), await stateOf(store)], [sorted(left), expected]);
  }
});

onEachStore('removes signatures and the like with the last name of what they speak of', async (open) => {
  const built = example();
  const { blobs, root } = built;
  const arm = built.of('linux/arm64');
  const signature = buildArtifact(blobs, { seed: 'sig' });
  const attestation = buildArtifact(blobs, { seed: 'att' });
  const stranger = digestOf(Buffer.from('never here'));
  const beside = [
    { root: signature, name: companionName(root.digest, 'sig') },
    { root: attestation, name: companionName(arm.digest, 'att', 'registry.example.com/signatures') },
    { root: attestation, name: companionName(signature.digest, 'sig') },
  ];
  const other = { root: signature, name: companionName(stranger, 'sig') };
  const store = await open();
  await loadLayout(store, [...built.images, ...beside, other], blobs);
  await tagImage(store, FAMILIAR, 'copy:1');
  assert.deepEqual((await removeImages(store, [FAMILIAR])).untagged, [NAME]);
  const names = beside.map(({ name }) => name);
  const last = await removeImages(store, ['copy:1']);
  assert.deepEqual(last.untagged.toSorted(), ['docker.io/library/copy:1', ...names].toSorted());
  assert.ok(last.deleted.includes(attestation.digest));
  // What was never here was not removed.
  assert.deepEqual(await namesOf(store), [other.name]);
  assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(blobs, signature)));
});

onEachStore('removes a signature alone, and none of an image that is left', async (open) => {
  const built = example();
  const signature = buildArtifact(built.blobs, { seed: 'sig' });
  const name = companionName(built.root.digest, 'sig');
  const store = await open();
  await loadLayout(store, [...built.images, { root: signature, name }], built.blobs);
  assert.deepEqual((await removeImages(store, [name])).untagged, [name]);
  await loadLayout(store, [...built.images, { root: signature, name }], built.blobs);
  await loadLayout(store, [{ root: built.root, name: 'docker.io/library/second:1' }], built.blobs);
  await removeImages(store, [FAMILIAR]);
  assert.deepEqual(await namesOf(store), [name, 'docker.io/library/second:1']);
});
