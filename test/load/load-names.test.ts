import assert from 'node:assert/strict';
import { digestOf } from '../../src/model/digest.js';
import { quote } from '../../src/model/errors.js';
import type { LayoutImage } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { example, NAME } from '../fixtures/example.js';
import { codesOf, loadLayout } from '../fixtures/loading.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { namesOf, onEachStore, stateOf } from '../fixtures/stores.js';
import { refusesLayout } from './refused-loads.js';

function one(naming: Omit<LayoutImage, 'root'>, seed = 'one'): { images: LayoutImage[]; blobs: BlobSet } {
  const blobs = new BlobSet();
  const root = buildManifest(blobs, { platform: 'linux/amd64', seed });
  return { images: [{ root, ...naming }], blobs };
}

/** The digest of no image here. */
const OTHER = digestOf('other');

const NAMINGS: readonly (readonly [Omit<LayoutImage, 'root'>, string | undefined])[] = [
  [{ name: 'docker.io/example/app:1', refName: '1' }, 'docker.io/example/app:1'],
  [{ name: 'example/app' }, 'docker.io/example/app:latest'],
  [{ name: 'app:1', refName: 'other/name:2' }, 'docker.io/library/app:1'],
  [{ refName: 'example/app:1' }, 'docker.io/example/app:1'],
  [{ refName: 'app:1' }, 'docker.io/library/app:1'],
  [{ refName: 'localhost:5000/app' }, 'localhost:5000/app:latest'],
  [{ refName: 'latest' }, undefined],
  [{ refName: '' }, undefined],
  [{ name: '' }, undefined],
  [{}, undefined],
];

for (const [naming, expected] of NAMINGS) {
  onEachStore(`names an image ${expected} by ${JSON.stringify(naming)}`, async (open) => {
    const store = await open();
    const { images, blobs } = one(naming);
    const report = await loadLayout(store, images, blobs);
    assert.deepEqual([report.images[0]?.name, await namesOf(store)], [expected, [expected]]);
  });
}

/** Texts that name no image. */
const BAD = [
  'Example/App:1',
  'example/app:1:2',
  '../app:1',
  'app:\u001b[31m1',
  `app:${'x'.repeat(129)}`,
  'a'.repeat(64),
  'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
  'ocidir://layout:1',
  'https://registry.example/app:1',
  'example/app:1.0+build',
  '<none>:<none>',
  `example/app@${OTHER}`,
  `example/app:1@${OTHER}`,
];

for (const bad of BAD) {
  onEachStore(`drops the name ${JSON.stringify(bad.slice(0, 40))}, and refuses it if strict`, async (open) => {
    const store = await open();
    const blobs = new BlobSet();
    const [root, other] = ['one', 'other'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
    assert.ok(root && other);
    const images = [
      { root, name: bad },
      { root: other, name: bad, refName: 'example/b:1' },
      { root, name: 'example/a:1' },
    ];
    await refusesLayout(store, { images, blobs, strict: true, code: 'ERR_REFERENCE_INVALID' });
    for (const listed of [images, images.map(({ name, ...rest }) => ({ refName: name, ...rest }))]) {
      const report = await loadLayout(store, listed, blobs);
      const expected = ['docker.io/example/a:1', 'docker.io/example/b:1'];
      assert.deepEqual(await namesOf(store), expected);
      assert.deepEqual(new Set(report.images.map(({ name }) => name)), new Set(expected));
      assert.ok(report.warnings.every(({ message }) => message.includes(quote(bad))));
    }
  });
}

onEachStore(
  'keeps an image whose only name cannot be used, with one warning for a name in both places',
  async (open) => {
    const store = await open();
    const { images, blobs } = one({ name: 'A:1', refName: 'A:1' });
    const report = await loadLayout(store, images, blobs);
    assert.deepEqual([codesOf(report.warnings), await namesOf(store)], [['WARN_NAME_DROPPED'], [undefined]]);
  },
);

onEachStore('tells the first hundred of many names that cannot be used, and how many more there were', async (open) => {
  const store = await open();
  const { images, blobs } = one({});
  const [{ root } = {}] = images;
  assert.ok(root);
  const report = await loadLayout(
    store,
    Array.from({ length: 3000 }, (_, at) => ({ root, name: `A:${at}` })),
    blobs,
  );
  assert.equal(report.warnings.length, 101);
  assert.match(report.warnings.at(-1)?.message ?? '', /2900 more/);
  assert.deepEqual(await namesOf(store), [undefined]);
});

onEachStore('takes a name with the digest of its image', async (open) => {
  const store = await open();
  const { images, blobs } = one({});
  const [{ root } = {}] = images;
  assert.ok(root);
  const good = `example/app@${root.digest}`;
  await loadLayout(store, [{ root, name: good }], blobs);
  assert.deepEqual(await namesOf(store), [`docker.io/${good}`]);
});

onEachStore('stores names without the annotations that carried them, and keeps all others', async (open) => {
  const store = await open();
  const { images, blobs } = one({ name: NAME, refName: '1', annotations: { 'com.example.note': 'kept' } });
  await loadLayout(store, images, blobs);
  const [record] = (await stateOf(store)).images;
  assert.deepEqual(record?.descriptor.annotations, { 'com.example.note': 'kept' });
});

onEachStore('lists one image once by each of its names', async (open) => {
  const store = await open();
  const { images, blobs } = one({ name: 'a:1' });
  const [{ root } = {}] = images;
  assert.ok(root);
  const listed = [...images, { root, name: 'b:1' }, { root, name: 'a:1' }];
  const report = await loadLayout(store, listed, blobs);
  const expected = ['docker.io/library/a:1', 'docker.io/library/b:1'];
  assert.deepEqual(await namesOf(store), expected);
  assert.deepEqual(
    report.images.map(({ name }) => name),
    expected,
  );
});

onEachStore('refuses one name for two images', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const other = buildManifest(blobs, { platform: 'linux/386', seed: 'other' });
  await refusesLayout(store, {
    images: [...images, { root: other, refName: 'example/app:1' }],
    blobs,
    code: 'ERR_NAME_DUPLICATE',
    message: /"docker\.io\/example\/app:1"/,
  });
});

onEachStore('moves a name to the new image and keeps the old one unnamed', async (open) => {
  const store = await open();
  const [first, second] = [one({ name: NAME }, 'first'), one({ name: NAME }, 'second')];
  await loadLayout(store, first.images, first.blobs);
  await loadLayout(store, second.images, second.blobs);
  const { images, blobs } = await stateOf(store);
  assert.deepEqual(
    images.map(({ name, descriptor }) => [name, descriptor.digest]),
    [
      [NAME, second.images[0]?.root.digest],
      [undefined, first.images[0]?.root.digest],
    ],
  );
  assert.deepEqual(blobs, [...new Set([...first.blobs.keys(), ...second.blobs.keys()])].toSorted());
});

onEachStore('keeps the image that has the name already, and stores nothing of the other', async (open) => {
  const store = await open();
  const [first, second] = [one({ name: NAME }, 'first'), one({ name: NAME }, 'second')];
  await loadLayout(store, first.images, first.blobs);
  const before = await stateOf(store);
  const report = await loadLayout(store, second.images, second.blobs, { onConflict: 'keep' });
  assert.deepEqual(await stateOf(store), before);
  assert.deepEqual([report.images, codesOf(report.warnings), report.incomplete], [[], ['WARN_NAME_KEPT'], false]);
  assert.equal(report.blobs.stored, 0);
});

onEachStore('loads the other images of an archive if the store keeps one name', async (open) => {
  const store = await open();
  const first = one({ name: NAME }, 'first');
  await loadLayout(store, first.images, first.blobs);
  const { images, blobs } = one({ name: NAME }, 'second');
  const other = buildManifest(blobs, { platform: 'linux/386', seed: 'other' });
  await loadLayout(store, [...images, { root: other, name: 'b:1' }], blobs, { onConflict: 'keep' });
  const records = (await stateOf(store)).images.map(({ name, descriptor }) => [name, descriptor.digest]);
  assert.deepEqual(records, [
    [NAME, first.images[0]?.root.digest],
    ['docker.io/library/b:1', other.digest],
  ]);
});

onEachStore('refuses a name that another image has, with onConflict fail', async (open) => {
  const store = await open();
  const [first, second] = [one({ name: NAME }, 'first'), one({ name: NAME }, 'second')];
  await loadLayout(store, first.images, first.blobs);
  await refusesLayout(store, {
    images: second.images,
    blobs: second.blobs,
    onConflict: 'fail',
    code: 'ERR_NAME_CONFLICT',
  });
  await loadLayout(store, first.images, first.blobs, { onConflict: 'fail' });
});

onEachStore('names an unnamed image of the store, and does not list it twice', async (open) => {
  const store = await open();
  const { images, blobs } = one({});
  await loadLayout(store, images, blobs);
  await loadLayout(
    store,
    [...images].map(({ root }) => ({ root, name: NAME })),
    blobs,
  );
  assert.deepEqual(await namesOf(store), [NAME]);
});
