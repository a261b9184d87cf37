import assert from 'node:assert/strict';
import { removeImages } from '../../src/edit/remove-images.js';
import { ANNOTATIONS, type Descriptor } from '../../src/model/descriptor.js';
import type { Store } from '../../src/stores/store.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { sorted } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { save, type Saved } from '../fixtures/saved-archive.js';
import { fill, namesOf, onEachStore, stateOf } from '../fixtures/stores.js';
import { refusesSave } from './refused-saves.js';

const NAMES = [
  'docker.io/example/app:1',
  'docker.io/example/app:2',
  'docker.io/example/apple:1',
  'docker.io/library/app:1',
];

interface Shelf {
  readonly store: Store;
  readonly blobs: BlobSet;
  /** The images in the order of NAMES, then one without a name. */
  readonly roots: readonly Descriptor[];
}

async function shelf(open: () => Promise<Store>): Promise<Shelf> {
  const store = await open();
  const blobs = new BlobSet();
  const roots = [...NAMES, 'unnamed'].map((seed) =>
    buildManifest(blobs, { platform: 'linux/amd64', seed, layers: ['base', seed] }),
  );
  const records = roots.map((descriptor, at) => ({ descriptor, ...(NAMES[at] !== undefined && { name: NAMES[at] }) }));
  await fill(store, records, blobs);
  return { store, blobs, roots };
}

function listed({ roots }: Saved): readonly (readonly [string | undefined, string])[] {
  return roots.map(({ annotations, digest }) => [annotations?.[ANNOTATIONS.imageName], digest]);
}

onEachStore('takes several images in the order of the request, each once', async (open) => {
  const { store, roots } = await shelf(open);
  const saved = await save(store, ['app:1', 'example/app:2', 'docker.io/library/app:1']);
  assert.deepEqual(listed(saved), [
    [NAMES[3], roots[3]?.digest],
    [NAMES[1], roots[1]?.digest],
  ]);
});

onEachStore('takes every tag of a repository that is named without one', async (open) => {
  const { store, roots } = await shelf(open);
  const saved = await save(store, ['example/app']);
  assert.deepEqual(listed(saved), [
    [NAMES[0], roots[0]?.digest],
    [NAMES[1], roots[1]?.digest],
  ]);
  assert.deepEqual(
    saved.dockerManifest?.map(({ RepoTags }) => RepoTags),
    [['example/app:1'], ['example/app:2']],
  );
});

onEachStore('takes an image by digest, id or unique prefix, without a name', async (open) => {
  const { store, roots } = await shelf(open);
  const digest = roots[0]?.digest ?? '';
  for (const text of [digest, digest.slice(7), digest.slice(0, 27), digest.slice(7, 27)]) {
    const saved = await save(store, [text]);
    assert.deepEqual(listed(saved), [[undefined, digest]], text);
    assert.equal(saved.plan.images[0]?.name, undefined);
    assert.equal(saved.roots[0]?.annotations?.[ANNOTATIONS.refName], undefined);
  }
});

onEachStore('takes a name with a digest only where both fit', async (open) => {
  const { store, roots } = await shelf(open);
  const [first, second] = roots;
  assert.deepEqual(listed(await save(store, [`example/app@${first?.digest}`])), [[undefined, first?.digest]]);
  assert.deepEqual(listed(await save(store, [`example/app:1@${first?.digest}`])), [[NAMES[0], first?.digest]]);
  await refusesSave(store, { names: [`example/app:1@${second?.digest}`], code: 'ERR_IMAGE_UNKNOWN' });
  await refusesSave(store, { names: [`example/other@${first?.digest}`], code: 'ERR_IMAGE_UNKNOWN' });
});

onEachStore('refuses a prefix that fits two images, and one that fits none', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  // Among 17 ids, at least two begin with the same of the 16 digits.
  const roots = Array.from({ length: 17 }, (_, seed) =>
    buildManifest(blobs, { platform: 'linux/amd64', seed, layers: [seed] }),
  );
  await fill(
    store,
    roots.map((descriptor) => ({ descriptor })),
    blobs,
  );
  const digits = roots.map(({ digest }) => digest.charAt(7));
  const shared = digits.find((digit, at) => digits.indexOf(digit) !== at);
  await refusesSave(store, { names: [`sha256:${shared}`], code: 'ERR_REFERENCE_AMBIGUOUS' });
  await refusesSave(store, { names: ['0'.repeat(20)], code: 'ERR_IMAGE_UNKNOWN' });
  await refusesSave(store, { names: ['sha256:'], code: 'ERR_REFERENCE_INVALID' });
});

onEachStore('lets a name win over an id prefix', async (open) => {
  const { store, roots, blobs } = await shelf(open);
  const prefix = roots[0]?.digest.slice(7, 15) ?? '';
  const named = buildManifest(blobs, { platform: 'linux/amd64', seed: 'named like an id' });
  await fill(store, [{ name: `docker.io/library/${prefix}:latest`, descriptor: named }], blobs);
  assert.deepEqual(listed(await save(store, [prefix])), [[`docker.io/library/${prefix}:latest`, named.digest]]);
});

onEachStore('brings several images, named and not, through one archive', async (open) => {
  const { store, blobs, roots } = await shelf(open);
  const saved = await save(store, ['example/app', 'example/apple:1', 'app:1', roots[4]?.digest ?? '']);
  const second = await open();
  const report = await load(second, saved.archive);
  assert.deepEqual(await namesOf(second), [...NAMES.toSorted(), undefined]);
  assert.deepEqual((await stateOf(second)).blobs, sorted([...blobs.keys()]));
  assert.deepEqual(
    report.images.map(({ digest }) => digest),
    roots.map(({ digest }) => digest),
  );
});

onEachStore('packs a shared layer once', async (open) => {
  const { store, roots } = await shelf(open);
  const { plan, dockerManifest } = await save(store, ['example/app']);
  assert.deepEqual([plan.blobs.count, roots.length], [2 + 2 + 3, 5]);
  const [first, second] = dockerManifest ?? [];
  assert.equal(first?.Layers[0], second?.Layers[0]);
});

onEachStore('saves and loads an image that lost its name to a later one', async (open) => {
  const { store, blobs, roots } = await shelf(open);
  const later = buildManifest(blobs, { platform: 'linux/amd64', seed: 'later' });
  const other = await open();
  await fill(other, [{ name: NAMES[0] ?? '', descriptor: later }], blobs);
  await load(store, (await save(other, ['example/app:1'])).archive);
  const dangling = roots[0]?.digest ?? '';
  const saved = await save(store, [dangling]);
  assert.deepEqual(listed(saved), [[undefined, dangling]]);
  assert.deepEqual(
    saved.dockerManifest?.map(({ RepoTags }) => RepoTags),
    [null],
  );
  await removeImages(store, [dangling]);
  const report = await load(store, saved.archive);
  assert.deepEqual(
    report.images.map(({ name, digest }) => [name, digest]),
    [[undefined, dangling]],
  );
});
