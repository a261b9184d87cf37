import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspectArchive } from '../../src/inspect/inspect-archive.js';
import { ANNOTATIONS } from '../../src/model/descriptor.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { layoutArchive, type LayoutImage } from '../fixtures/archive-builder.js';
import type { ArchiveOrder } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { example, NAME } from '../fixtures/example.js';
import { chunksOf, codesOf, loadLayout } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { asListed, sign } from '../fixtures/referrers.js';
import { namesOf, onEachStore, stateOf } from '../fixtures/stores.js';
import { refusesLayout } from './refused-loads.js';

const XML = 'application/xml';

for (const order of ['metadata-first', 'blobs-first', 5] satisfies readonly ArchiveOrder[]) {
  onEachStore(`takes a manifest of a listed index for no image of its own, in order ${order}`, async (open) => {
    const store = await open();
    const { blobs, root, of } = example({ attestations: true });
    const [amd64, arm64] = [of('linux/amd64'), of('linux/arm64')];
    const outer = buildIndex(blobs, [root]);
    const twice = [{ root: amd64 }, { root: outer, name: NAME }, { root: arm64 }, { root }];
    for (const options of [{}, { platforms: ['linux/arm64'] }]) {
      const report = await loadLayout(store, twice, blobs, { ...options, layout: { order } });
      assert.deepEqual(
        report.images.map(({ name, digest }) => [name, digest]),
        [[NAME, outer.digest]],
      );
      assert.deepEqual(await namesOf(store), [NAME]);
    }
  });
}

onEachStore('keeps a manifest of a listed index that has a name or a tag', async (open) => {
  const store = await open();
  const { blobs, root, of } = example();
  const images = [
    { root, name: NAME },
    { root: of('linux/amd64'), name: 'example/amd64:1' },
    { root: of('linux/arm64'), refName: '1-arm64' },
    { root: of('linux/arm/v7'), name: 'Bad:1' },
  ];
  const report = await loadLayout(store, images, blobs);
  const kept = [root, of('linux/amd64'), of('linux/arm64')].map(({ digest }) => digest);
  assert.deepEqual(new Set(report.images.map(({ digest }) => digest)), new Set(kept));
  assert.deepEqual(new Set(codesOf(report.warnings)), new Set(['WARN_NAME_DROPPED', 'WARN_TAG_ONLY']));
});

onEachStore('leaves out a root without a name that is no image, and says so', async (open) => {
  const store = await open();
  const { blobs, images } = example();
  const xml = blobs.descriptor('<xml/>', XML);
  for (const options of [{}, { platforms: ['linux/amd64'] }]) {
    const report = await loadLayout(store, [...images, { root: xml }], blobs, options);
    assert.deepEqual(codesOf(report.warnings), ['WARN_ROOT_DROPPED']);
    assert.ok(report.warnings[0]?.message.includes(`${xml.digest} is no image, but of type "${XML}"`));
    assert.deepEqual(await namesOf(store), [NAME]);
    assert.ok(!(await stateOf(store)).blobs.includes(xml.digest));
  }
});

onEachStore('keeps a named root that is no image and warns of it, unless a platform was asked for', async (open) => {
  const store = await open();
  const { blobs, images } = example();
  const text = 'docker.io/example/text:1';
  const listed = [...images, { root: blobs.descriptor('a text', 'text/plain'), name: text }];
  const filtered = await loadLayout(store, listed, blobs, { platforms: ['linux/amd64'] });
  assert.deepEqual([codesOf(filtered.warnings), await namesOf(store)], [['WARN_ROOT_DROPPED'], [NAME]]);
  const report = await loadLayout(store, listed, blobs);
  assert.deepEqual(
    report.images.map(({ name }) => name),
    [NAME, text],
  );
  assert.deepEqual([codesOf(report.warnings), await namesOf(store)], [['WARN_ROOT_UNREAD'], [NAME, text]]);
});

onEachStore('treats the name of a root that is no image as every other name', async (open) => {
  const store = await open();
  const { blobs, images } = example();
  const [one, two] = ['one', 'two'].map((text) => blobs.descriptor(text, 'text/plain'));
  assert.ok(one && two);
  const name = 'docker.io/example/text:1';
  const twice = [
    { root: one, name },
    { root: two, name },
  ];
  await refusesLayout(store, { images: twice, blobs, code: 'ERR_NAME_DUPLICATE' });
  await refusesLayout(store, { images: [...images, { root: one, name: NAME }], blobs, code: 'ERR_NAME_DUPLICATE' });
  await loadLayout(store, [{ root: one, name }], blobs);
  await refusesLayout(store, { images: [{ root: two, name }], blobs, code: 'ERR_NAME_CONFLICT', onConflict: 'fail' });
  const report = await loadLayout(store, [{ root: two, name }], blobs, { onConflict: 'keep' });
  assert.deepEqual([codesOf(report.warnings), report.images], [['WARN_NAME_KEPT'], []]);
});

onEachStore('leaves out a named root that is no image and not here', async (open) => {
  const store = await open();
  const { blobs, images } = example();
  const absent = new BlobSet().descriptor('never packed', 'text/plain');
  const report = await loadLayout(store, [...images, { root: absent, name: 'example/text:1' }], blobs);
  assert.deepEqual([codesOf(report.warnings), await namesOf(store)], [['WARN_ROOT_DROPPED'], [NAME]]);
  assert.match(report.warnings[0]?.message ?? '', /^example\/text:1 \(sha256:/);
});

onEachStore('says that it keeps a signature of an image that is not here', async (open) => {
  const store = await open();
  const { blobs, images } = example();
  const gone = buildManifest(new BlobSet(), { platform: 'linux/amd64', seed: 'gone' });
  const { referrer } = sign(blobs, gone, 'orphan');
  const signature = { root: asListed(referrer, gone) };
  for (const listed of [[...images, signature], [signature]]) {
    const { warnings } = await loadLayout(store, listed, blobs);
    assert.deepEqual(codesOf(warnings), ['WARN_REFERRER_KEPT']);
    assert.ok(warnings[0]?.message.includes(referrer.digest) && warnings[0].message.includes(gone.digest));
  }
  const dropped = { images: [signature], blobs, referrers: 'drop', code: 'ERR_ARCHIVE_FORMAT' } as const;
  await refusesLayout(await open(), dropped);
});

onEachStore('reports a root whose subject is no digest, since it is listed as an image', async (open) => {
  const store = await open();
  const { blobs, images } = example();
  const other = buildManifest(blobs, { platform: 'linux/amd64', seed: 'other' });
  const odd = { root: other, annotations: { [ANNOTATIONS.subject]: 'not a digest' } };
  const report = await loadLayout(store, [...images, odd], blobs);
  const listed = (await store.list()).map(({ descriptor }) => descriptor.digest);
  assert.deepEqual(new Set(report.images.map(({ digest }) => digest)), new Set(listed));
});

const EMPTY: readonly (readonly [string, (blobs: BlobSet) => readonly LayoutImage[], RegExp])[] = [
  ['nothing', () => [], /contains no image; nothing was loaded/],
  [
    'an XML document',
    (blobs) => [{ root: blobs.descriptor('<xml/>', XML) }],
    /only content of type "application\/xml"/,
  ],
  ['what is not there', () => [{ root: new BlobSet().descriptor('x', XML), name: NAME }], /no image/],
];

for (const [what, make, message] of EMPTY) {
  onEachStore(`refuses an archive that lists ${what}`, async (open) => {
    const store = await open();
    const blobs = new BlobSet();
    blobs.add('stray');
    await refusesLayout(store, { images: make(blobs), blobs, code: 'ERR_ARCHIVE_FORMAT', message });
  });
}

test('refuses to inspect or verify an archive without images', async () => {
  const archive = await layoutArchive([], new BlobSet());
  const expected = { code: 'ERR_ARCHIVE_FORMAT' };
  await assert.rejects(inspectArchive(chunksOf(archive)), expected);
  await assert.rejects(verifyArchive(chunksOf(archive)), expected);
});
