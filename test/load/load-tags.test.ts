import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tagImage } from '../../src/edit/tag-image.js';
import { removeImages } from '../../src/edit/remove-images.js';
import { inspectArchive } from '../../src/inspect/inspect-archive.js';
import type { LoadOptions } from '../../src/load/load-images.js';
import { ANNOTATIONS } from '../../src/model/descriptor.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import type { ProgressEvent } from '../../src/model/progress-event.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { buildReferrer } from '../fixtures/artifact-builder.js';
import { layoutArchive, layoutEntries, type LayoutImage } from '../fixtures/archive-builder.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { chunksOf, codesOf, load, loadLayout, ORDERS } from '../fixtures/loading.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { save } from '../fixtures/saved-archive.js';
import { onEachStore, stateOf } from '../fixtures/stores.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';

const blobs = new BlobSet();
const [first, second] = ['first', 'second'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));

/** Roots of the two images: `1 1.0` has the tag 1.0, `2 example/app:1` that name. */
function roots(...texts: readonly string[]): readonly LayoutImage[] {
  return texts.map((text) => {
    const [which, refName] = text.split(' ');
    return { root: which === '1' ? first! : second!, ...(refName !== undefined && { refName }) };
  });
}

/** The records in the form of `roots`. */
function shown(records: readonly ImageRecord[]): readonly string[] {
  return records.map(({ name, tag, descriptor }) =>
    [descriptor.digest === first!.digest ? '1' : '2', name?.replace('docker.io/', '') ?? tag].join(' ').trim(),
  );
}

async function listed(store: Store): Promise<readonly string[]> {
  return shown(await store.list()).toSorted();
}

/** What an archive lists, and what the store lists after a load and after a save and load of that. */
const KEPT: readonly (readonly [archive: readonly string[], store: readonly string[]])[] = [
  [['1 1.0'], ['1 1.0']],
  [
    ['1 1.0', '1 latest'],
    ['1 1.0', '1 latest'],
  ],
  [['1 1.0', '1 1.0'], ['1 1.0']],
  [
    ['1 latest', '2 latest'],
    ['1 latest', '2 latest'],
  ],
  [
    ['1 1.0', '2'],
    ['1 1.0', '2'],
  ],
  [['1', '1 1.0'], ['1 1.0']],
  [['1 example/app:1.0', '1 1.0'], ['1 example/app:1.0']],
  [
    ['1 example/app:1.0', '1 2.0', '2 1.0'],
    ['1 2.0', '1 example/app:1.0', '2 1.0'],
  ],
  [
    ['1 1.0+git', '1 ünusual'],
    ['1 1.0+git', '1 ünusual'],
  ],
  [['1 <none>'], ['1']],
];

for (const [archive, expected] of KEPT) {
  onEachStore(`keeps the tags of ${archive.join(', ')} through load and save`, async (open) => {
    for (const order of ORDERS) {
      const store = await open();
      const report = await loadLayout(store, roots(...archive), blobs, { layout: { order } });
      assert.deepEqual(await listed(store), expected);
      assert.equal(report.images.length, expected.length);
      const again = await open();
      const named = (await store.list()).map(({ name, descriptor }) => name ?? descriptor.digest);
      await load(again, (await save(store, named)).archive);
      assert.deepEqual(await again.list(), await store.list());
    }
  });
}

test('writes the tag as the ref.name of a saved root, with no full name', async () => {
  const store = new MemoryStore();
  await loadLayout(store, roots('1 1.0', '1 latest'), blobs);
  for (const [text, tags] of [
    [first!.digest, ['1.0', 'latest']],
    ['<none>:latest', ['latest']],
  ] as const) {
    const saved = await save(store, [text]);
    assert.deepEqual(
      saved.roots.map(({ annotations }) => annotations),
      tags.map((tag) => ({ [ANNOTATIONS.refName]: tag })),
    );
    assert.deepEqual(
      saved.dockerManifest?.map(({ RepoTags }) => RepoTags),
      [null],
    );
  }
});

test('tells once of tags without a name, with the command that names each, and not again once it is named', async () => {
  const store = new MemoryStore();
  const archive = await layoutArchive(roots('1 1.0', '2 a;b', '2 example/app:1'), blobs);
  const { warnings } = await load(store, archive);
  assert.deepEqual(codesOf(warnings), ['WARN_TAG_ONLY']);
  assert.match(warnings[0]!.message, /^2 images have only a tag/);
  assert.ok(
    warnings[0]!.message.includes(`lading tag ${first!.digest} REPO:1.0; lading tag ${second!.digest} REPO:TAG`),
  );
  await tagImage(store, first!.digest, 'example/other:1.0');
  assert.deepEqual(await listed(store), ['1 example/other:1.0', '2 a;b', '2 example/app:1']);
  const again = await load(store, archive);
  assert.match(again.warnings[0]!.message, new RegExp(`^${second!.digest} has only the tag "a;b"`));
  await removeImages(store, ['<none>:a;b']);
  assert.deepEqual(await listed(store), ['1 example/other:1.0', '2 example/app:1']);
  assert.deepEqual((await load(new MemoryStore(), archive, { images: ['1'], platforms: [] })).warnings, []);
});

test('a removal by <none>:TAG leaves the other tags and names of the image; one by id removes all', async () => {
  const store = new MemoryStore();
  await loadLayout(store, roots('1 1', '1 2', '1 example/app:3'), blobs);
  await removeImages(store, ['<none>:1']);
  assert.deepEqual(await listed(store), ['1 2', '1 example/app:3']);
  await removeImages(store, [first!.digest]);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

/** Given names and choices, and what the store then lists, or the error. */
const CHOICES: readonly (readonly [
  archive: readonly string[],
  options: LoadOptions,
  result: readonly string[] | string,
])[] = [
  [
    ['1 1.0', '1 latest', '2 2.0'],
    { name: 'example/app' },
    ['1 example/app:1.0', '1 example/app:latest', '2 example/app:2.0'],
  ],
  [['1 1.0', '2 other:1'], { name: 'example/app' }, ['1 example/app:1.0', '2 library/other:1']],
  [['1 1.0', '2'], { name: 'example/app' }, ['1 example/app:1.0', '2']],
  [['1 1.0'], { name: 'example/app:9' }, ['1 example/app:9']],
  [['1 1.0', '1 2.0'], { name: 'example/app:1.0' }, ['1 2.0', '1 example/app:1.0']],
  [['1 1.0', '1 2.0'], { name: 'example/app:9' }, ['1 1.0', '1 2.0', '1 example/app:9']],
  [['1'], { name: 'example/app' }, ['1 example/app:latest']],
  [['1'], { name: 'localhost:5000/app:1' }, ['1 localhost:5000/app:1']],
  [['1 example/app:1'], { name: 'mine:2' }, ['1 library/mine:2']],
  [['1 example/app:1'], { name: 'mine' }, 'ERR_OPTION_INVALID'],
  [['1', '2'], { name: 'mine' }, 'ERR_OPTION_INVALID'],
  [['1 1.0', '2 2.0'], { name: 'mine:1.0' }, 'ERR_OPTION_INVALID'],
  [['1 latest', '2 latest'], { name: 'mine' }, 'ERR_NAME_DUPLICATE'],
  [['1 1.0'], { name: 'Mine' }, 'ERR_REFERENCE_INVALID'],
  [['1 1.0'], { name: `mine@${first!.digest}` }, 'ERR_REFERENCE_INVALID'],
  [['1 1.0', '1 latest', '2 2.0'], { images: ['latest'] }, ['1 latest']],
  [['1 1.0', '2 2.0'], { images: ['2.0'], name: 'example/app:9' }, ['2 example/app:9']],
  [['1 1.0', '2 2.0'], { images: [second!.digest], name: 'example/app' }, ['2 example/app:2.0']],
  [['1 a/b:1', '2 c/d:1'], { images: ['c/d:1'] }, ['2 c/d:1']],
  [['1 a/b:1', '1 c/d:1', '2 2'], { images: ['1'] }, ['1 a/b:1', '1 c/d:1']],
  [['1 a/b:1', '2 c/d:1'], { images: ['1'] }, 'ERR_REFERENCE_AMBIGUOUS'],
  [['1 1.0', '2'], { images: ['3'] }, 'ERR_IMAGE_UNKNOWN'],
];

for (const [archive, options, result] of CHOICES) {
  onEachStore(`loads ${archive.join(', ')} with ${JSON.stringify(options)}`, async (open) => {
    for (const order of ORDERS) {
      const store = await open();
      const loading = loadLayout(store, roots(...archive), blobs, { ...options, layout: { order } });
      if (typeof result === 'string') {
        await assert.rejects(loading, { code: result });
        assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
        continue;
      }
      const { images } = await loading;
      assert.equal(images.length, result.length);
      assert.deepEqual(await listed(store), result);
      const needed = (await store.list()).flatMap(({ descriptor }) => closureOf(blobs, descriptor));
      assert.deepEqual((await stateOf(store)).blobs, [...new Set(needed)].toSorted());
    }
  });
}

test('chooses and names an image of a docker-archive too', async () => {
  const images = [dockerImageOf(blobs, first!, ['example/app:1', 'example/app:2']), dockerImageOf(blobs, second!, [])];
  const archive = await dockerArchive(images);
  const names = async (options: LoadOptions): Promise<readonly (string | undefined)[]> =>
    (await load(new MemoryStore(), archive, options)).images.map(({ name }) => name);
  assert.deepEqual(await names({ images: ['2'] }), ['docker.io/example/app:2']);
  assert.deepEqual(await names({ images: ['2'], name: 'mine:1' }), ['docker.io/library/mine:1']);
  const bare = await dockerArchive(images.slice(1));
  const store = new MemoryStore();
  assert.deepEqual(
    (await load(store, bare, { name: 'mine' })).images.map(({ name }) => name),
    ['docker.io/library/mine:latest'],
  );
});

test('inspects the chosen image of an archive', async () => {
  const archive = await layoutArchive(roots('1 1.0', '2 2.0'), blobs);
  const { images: found } = await inspectArchive(chunksOf(archive), { images: ['2.0'] });
  assert.deepEqual(
    found.map(({ digest, tag }) => [digest, tag]),
    [[second!.digest, '2.0']],
  );
});

test('damage in an image that was not chosen is no error', async () => {
  const broken = new BlobSet(blobs);
  for (const digest of closureOf(blobs, second!)) if (!closureOf(blobs, first!).includes(digest)) broken.delete(digest);
  const store = new MemoryStore();
  await load(store, await layoutArchive(roots('1 1.0', '2 2.0'), broken), { images: ['1.0'] });
  assert.deepEqual(await listed(store), ['1 1.0']);
});

/** What is tagged as `example/app:9`, and the images before and after. */
const TAGGED: readonly (readonly [source: string, before: readonly string[], after: readonly string[]])[] = [
  ['<none>:1.0', ['1 1.0'], ['1 example/app:9']],
  ['<none>:1.0', ['1 1.0', '1 2.0'], ['1 2.0', '1 example/app:9']],
  ['<none>:1.0', ['1 1.0', '1 a/b:1'], ['1 a/b:1', '1 example/app:9']],
  [first!.digest, ['1 1.0', '2 1.0'], ['1 example/app:9', '2 1.0']],
  [first!.digest, ['1 1.0', '1 2.0'], ['1 1.0', '1 2.0', '1 example/app:9']],
  [first!.digest, ['1 1.0', '1 a/b:1'], ['1 1.0', '1 a/b:1', '1 example/app:9']],
];

for (const [source, before, after] of TAGGED) {
  onEachStore(`tags ${source} of ${before.join(', ')}`, async (open) => {
    const store = await open();
    await loadLayout(store, roots(...before), blobs);
    await tagImage(store, source, 'example/app:9');
    assert.deepEqual(await listed(store), after.toSorted());
  });
}

test('a load of one image stores no blob of another one, if the index comes first', async () => {
  const own = new Set<string>(closureOf(blobs, second!));
  const { config, layers = [] } = blobs.links(first!.digest);
  const Layers = layers.map(({ digest }) => blobPath(digest));
  const listing = { Config: blobPath(config!.digest), RepoTags: ['a/b:1'], Layers };
  for (const [texts, image] of [
    [['1 1.0', '2 2.0'], '2.0'],
    [['1 a/b:1', '2 c/d:1'], 'c/d:1'],
    [['1 a/b:1', '2 c/d:1', '2 1.0'], second!.digest],
  ] as const) {
    for (const manifestJson of [undefined, ...(image === second!.digest ? [] : [[listing]])]) {
      const events: string[] = [];
      const onProgress = (event: ProgressEvent): void => {
        if (event.type === 'blob' && event.state === 'done') events.push(event.id);
      };
      const entries = layoutEntries(roots(...texts), blobs, manifestJson && { manifestJson });
      // Until every document that is wanted was read, any blob may be one that is needed.
      const isEarly = ({ name }: TarEntry): boolean => !name.startsWith('blobs/') || name === blobPath(second!.digest);
      const ordered = entries.toSorted((a, b) => Number(isEarly(b)) - Number(isEarly(a)));
      await load(new MemoryStore(), await tarOf(ordered), { images: [image], onProgress });
      assert.deepEqual(events.toSorted(), [...own].toSorted());
    }
  }
});

test('a load of one image takes its attestations and signatures, and none of the others', async () => {
  const set = new BlobSet(blobs);
  const [own, other] = [first!, second!].map((subject) => buildReferrer(set, subject, { seed: 'sbom' }));
  const signature = buildManifest(set, { platform: 'linux/amd64', seed: 'signature' });
  const name = `docker.io/a/b:${first!.digest.replace(':', '-')}.sig`;
  const images = [...roots('1 a/b:1', '2 c/d:1'), { root: own! }, { root: other! }, { root: signature, name }];
  const store = new MemoryStore();
  await load(store, await layoutArchive(images, set), { images: ['a/b:1'] });
  const digests = (await store.list()).map(({ descriptor }) => descriptor.digest);
  assert.deepEqual(digests.toSorted(), [first!.digest, own!.digest, signature.digest].toSorted());
});

test('verifies one image of an archive, and what it needs', async () => {
  const set = new BlobSet(blobs);
  const damaged = blobs.links(second!.digest).layers?.[0]?.digest;
  set.set(damaged!, Buffer.alloc(set.bytes(damaged!).length));
  const archive = await layoutArchive(roots('1 1.0', '2 2.0'), set);
  const { images, problems } = await verifyArchive(chunksOf(archive), { images: ['1.0'], deep: true });
  assert.deepEqual([images.map(({ digest }) => digest), problems], [[first!.digest], []]);
  await assert.rejects(verifyArchive(chunksOf(archive), { images: ['2.0'] }), { code: 'ERR_DIGEST_MISMATCH' });
  await assert.rejects(verifyArchive(chunksOf(archive), { images: ['3.0'] }), { code: 'ERR_IMAGE_UNKNOWN' });
});
