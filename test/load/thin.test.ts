import assert from 'node:assert/strict';
import { truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { assert as holds, asyncProperty, subarray } from 'fast-check';
import { inspectArchive } from '../../src/inspect/inspect-archive.js';
import { listArchiveLayers, listLayers } from '../../src/inspect/list-layers.js';
import type { LoadOptions } from '../../src/load/load-images.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import type { ErrorCode } from '../../src/model/errors.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { blobPath, inOrder, jsonEntry, type ArchiveOrder } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, sorted, type Example } from '../fixtures/example.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { load, loadLayout } from '../fixtures/loading.js';
import { IS_ALL } from '../fixtures/extent.js';
import { refuses } from '../fixtures/refusals.js';
import { readTar, save, type Saved } from '../fixtures/saved-archive.js';
import { fill, onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';

/*
 * A thin archive has the layers that its receiver lacks, and a list of the others. It is loaded where those are, as the
 * whole archive would be, and refused as a whole everywhere else.
 */

/** The layers of an example, sorted. */
function layersOf({ blobs, manifests }: Pick<Example, 'blobs' | 'manifests'>): readonly Digest[] {
  const layers = [...manifests.values()].flatMap(({ digest }) => blobs.links(digest).layers ?? []);
  return sorted(layers.map(({ digest }) => digest));
}

/** A store with the example in it. */
async function storeWith(open: () => Promise<Store>, { images, blobs }: Example): Promise<Store> {
  const store = await open();
  await loadLayout(store, images, blobs);
  return store;
}

/** A store that has some blobs, and no image. */
async function storeOfBlobs(open: () => Promise<Store>, blobs: BlobSet, digests: readonly Digest[]): Promise<Store> {
  const store = await open();
  const some = new BlobSet();
  for (const digest of digests) some.add(blobs.bytes(digest));
  await fill(store, [], some);
  return store;
}

/** Orders of the entries: all of them take long. */
const ORDERS: readonly ArchiveOrder[] = IS_ALL ? ['metadata-first', 'blobs-first', 3, 4] : [3];

const inMemory = async (): Promise<Store> => new MemoryStore();

/** The archive as it is given to a load: a stream, or a file that is read by position. */
async function forms(folder: string, archive: Buffer): Promise<readonly (Buffer | string)[]> {
  const file = path.join(folder, `${digestOf(archive).slice(7, 19)}.tar`);
  await writeFile(file, archive);
  return [archive, file];
}

onEachStore('a thin archive loads as the whole one does, whatever is left out', async (open, t) => {
  const built = example({ layers: 3, sharedLayer: true, attestations: true });
  const source = await storeWith(inMemory, built);
  const layers = layersOf(built);
  const whole = await save(source, [NAME]);
  const expected = await stateOf(await storeWith(open, built));
  const folder = await temporaryFolder(t);
  await holds(
    asyncProperty(subarray([...layers], { minLength: 1 }), async (left) => {
      const { archive, entries, plan } = await save(source, [NAME], { excludeBlobs: left });
      assert.deepEqual([...entries.keys()].slice(0, 2), ['lading-thin.json', 'thin/index.json']);
      assert.deepEqual(entries.get('thin/index.json'), whole.entries.get('index.json'));
      assert.deepEqual(plan.thin?.full, { digest: whole.plan.digest, size: whole.plan.size });
      assert.equal(plan.size, archive.length);
      const rest = whole.blobs.filter((name) => !left.map(blobPath).includes(name));
      assert.deepEqual([...entries.keys()].filter((name) => /^blobs\/.*[^/]$/.test(name)).toSorted(), rest);
      for (const form of await forms(folder, archive)) {
        const store = await storeOfBlobs(open, built.blobs, left);
        const report = await load(store, form);
        assert.deepEqual(await stateOf(store), expected);
        assert.deepEqual([report.incomplete, report.blobs.present], [false, left.length]);
        const [missing = ''] = left;
        const poor = await storeOfBlobs(open, built.blobs, left.slice(1));
        await refuses(poor, async () => await load(poor, form), {
          code: 'ERR_BASE_MISSING',
          message: new RegExp(`a layer of \\d+ bytes that are not in the store: ${missing}`),
        });
      }
    }),
    { numRuns: IS_ALL ? 40 : 3, seed: 7 },
  );
});

test('the same store and the same lists give the same bytes, and nothing left out an ordinary archive', async () => {
  const built = example({ layers: 2 });
  const store = await storeWith(inMemory, built);
  const [first = '', second = ''] = layersOf(built);
  const options = { excludeBlobs: [second, first, second], baseNames: ['shop.tar'] };
  const { archive, entries } = await save(store, [NAME], options);
  assert.deepEqual((await save(store, [NAME], { ...options, excludeBlobs: [first, second] })).archive, archive);
  const list = JSON.parse(String(entries.get('lading-thin.json'))) as { base: { digest: string }[]; from: string[] };
  assert.deepEqual([list.base.map(({ digest }) => digest), list.from], [[first, second], ['shop.tar']]);
  const whole = await save(store, [NAME]);
  const others = [built.root.digest, built.of('linux/amd64').digest, digestOf('no layer of these')];
  assert.deepEqual((await save(store, [NAME], { excludeBlobs: others })).archive, whole.archive);
  await assert.rejects(save(store, [NAME], { excludeBlobs: ['sha256:abc'] }), { code: 'ERR_DIGEST_INVALID' });
});

test('a thin archive of a changed top layer is that layer, the documents, and 64 KiB at most', async () => {
  const blobs = new BlobSet();
  const images = [1, 2].map((version) => {
    const layers = ['os', 'runtime', `app ${version}`];
    const { root } = buildMultiPlatform(blobs, ['linux/amd64'], { layers, layerBytes: 1_000_000 });
    return { root, name: `docker.io/library/shop:${version}`, refName: String(version) };
  });
  const store = new MemoryStore();
  await loadLayout(store, images, blobs);
  const have = await listLayers(store, { images: ['shop:1'] });
  const { plan, archive } = await save(store, ['shop:2'], { excludeBlobs: have.map(({ digest }) => digest) });
  const bytesOf = (isLayer: boolean): number =>
    plan.entries.reduce((sum, { size, need }) => sum + ((need?.kind === 'layer') === isLayer ? size : 0), 0);
  assert.equal(plan.thin?.excluded.count, 2);
  assert.ok(bytesOf(true) < 1_010_000 && archive.length <= bytesOf(true) + bytesOf(false) + 64 * 1024);
});

test('what is a layer of one image and the config of another is never left out', async () => {
  const blobs = new BlobSet();
  const empty = blobs.descriptor('{}', 'application/vnd.oci.empty.v1+json');
  const artifact = (layer: string) => {
    const layers = [blobs.descriptor(layer, 'application/octet-stream'), empty];
    return blobs.document({ schemaVersion: 2, mediaType: TYPE, artifactType: 'a/b', config: empty, layers }, TYPE);
  };
  const TYPE = 'application/vnd.oci.image.manifest.v1+json';
  const store = new MemoryStore();
  await loadLayout(store, [{ root: artifact('one'), name: 'docker.io/library/one:1' }], blobs);
  const { plan } = await save(store, ['one:1'], { excludeBlobs: [empty.digest, digestOf('one')] });
  assert.deepEqual(plan.thin?.excluded, { count: 1, bytes: 3 });
  assert.ok(plan.entries.some(({ name }) => name === blobPath(empty.digest)));
});

interface ThinJson {
  schema: unknown;
  base: { digest: unknown; size: unknown }[];
  from?: unknown;
  full: unknown;
}

interface Hostile {
  readonly what: string;
  readonly code: ErrorCode;
  readonly message?: RegExp;
  readonly list?: (list: ThinJson, built: Example) => unknown;
  readonly entries?: (entries: readonly TarEntry[], built: Example) => readonly TarEntry[];
  /** The code of a verification, if that tells it in other words. */
  readonly verifyCode?: ErrorCode;
  /** What a load of one platform cannot know, since it does not read the other documents. */
  readonly isUnseenByFilter?: true;
}

const OTHER = digestOf('a layer of nobody');

/** What a list or an archive may say that is not so. */
const HOSTILE: readonly Hostile[] = [
  {
    what: 'another version',
    code: 'ERR_FORMAT_UNSUPPORTED',
    list: (list) => ({ ...list, schema: 'dev.lading.thin.v2' }),
  },
  { what: 'no schema', code: 'ERR_FORMAT_UNSUPPORTED', list: ({ base, full }) => ({ base, full }) },
  { what: 'no object', code: 'ERR_DOCUMENT_INVALID', list: () => [] },
  { what: 'no list', code: 'ERR_DOCUMENT_INVALID', list: (list) => ({ ...list, base: 'all' }) },
  { what: 'no full archive', code: 'ERR_DOCUMENT_INVALID', list: (list) => ({ ...list, full: undefined }) },
  {
    what: 'an empty list',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /leaves nothing out/,
    list: (list) => ({ ...list, base: [] }),
  },
  {
    what: 'a list in another order',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /out of order/,
    list: (list) => ({ ...list, base: list.base.toReversed() }),
  },
  {
    what: 'a digest twice',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /twice/,
    list: ({ base: [first, ...rest], ...list }) => ({ ...list, base: [first, first, ...rest] }),
  },
  {
    what: 'no digest',
    code: 'ERR_DOCUMENT_INVALID',
    list: ({ base: [, ...rest], ...list }) => ({ ...list, base: [{ digest: '../../etc/passwd', size: 1 }, ...rest] }),
  },
  {
    what: 'a size below zero',
    code: 'ERR_DOCUMENT_INVALID',
    list: ({ base: [first, ...rest], ...list }) => ({ ...list, base: [{ ...first, size: -1 }, ...rest] }),
  },
  { what: 'names that are no texts', code: 'ERR_DOCUMENT_INVALID', list: (list) => ({ ...list, from: [{}] }) },
  {
    what: 'a wrong size',
    code: 'ERR_ARCHIVE_FORMAT',
    verifyCode: 'ERR_SIZE_MISMATCH',
    message: /bytes; its manifest says/,
    list: ({ base, ...list }) => ({
      ...list,
      base: base.map(({ digest, size }) => ({ digest, size: Number(size) + 1 })),
    }),
  },
  {
    what: 'a layer too few',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /neither in it nor in its list/,
    list: ({ base: [, ...rest], ...list }) => ({ ...list, base: rest }),
    isUnseenByFilter: true,
  },
  {
    what: 'a layer too many',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /none of its images needs/,
    list: ({ base, ...list }) => ({ ...list, base: sortedBase([...base, { digest: OTHER, size: 17 }]) }),
    isUnseenByFilter: true,
  },
  {
    what: 'a layer that it has',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /as left out, and has it/,
    entries: (entries, { blobs }) => {
      const { base } = JSON.parse(String(entries[0]?.body)) as ThinJson;
      const digest = base[0]?.digest as Digest;
      return [...entries, { name: blobPath(digest), body: blobs.bytes(digest) }];
    },
  },
  {
    what: 'a config',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /is no layer/,
    list: (list, { blobs, of }) => {
      const { digest, size } = configOf(blobs, of('linux/amd64').digest);
      return { ...list, base: sortedBase([...list.base, { digest, size }]) };
    },
    entries: (entries, { blobs, of }) =>
      entries.filter(({ name }) => name !== blobPath(configOf(blobs, of('linux/amd64').digest).digest)),
  },
  {
    what: 'no index',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /no thin\/index\.json/,
    entries: (entries) => entries.filter(({ name }) => name !== 'thin/index.json'),
  },
  {
    what: 'no list of its own',
    code: 'ERR_ARCHIVE_FORMAT',
    entries: (entries) => entries.filter(({ name }) => name !== 'lading-thin.json'),
  },
  {
    what: 'a whole archive too',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /thin one and a whole one/,
    entries: (entries) => [...entries, jsonEntry('oci-layout', { imageLayoutVersion: '1.0.0' })],
  },
  {
    what: 'a manifest.json',
    code: 'ERR_ARCHIVE_FORMAT',
    message: /thin one and a whole one/,
    entries: (entries) => [jsonEntry('manifest.json', []), ...entries],
  },
];

function configOf(blobs: BlobSet, manifest: Digest) {
  const { config } = blobs.links(manifest);
  assert.ok(config);
  return config;
}

function sortedBase(base: ThinJson['base']): ThinJson['base'] {
  return base.toSorted((a, b) => (String(a.digest) < String(b.digest) ? -1 : 1));
}

/** The archive with other entries. */
async function changed({ archive }: Saved, { list, entries }: Hostile, built: Example): Promise<readonly TarEntry[]> {
  const read = (await readTar(archive)).filter(({ type }) => type === 'file').map(({ name, body }) => ({ name, body }));
  const [first, ...rest] = read;
  const parsed = JSON.parse(String(first?.body)) as ThinJson;
  const given = [jsonEntry('lading-thin.json', list ? list(parsed, built) : parsed), ...rest];
  return entries ? entries(given, built) : given;
}

for (const [at, hostile] of HOSTILE.entries()) {
  test(`refuses a thin archive with ${hostile.what}, in every order, and stores nothing of it`, async (t) => {
    const built = example({ layers: 3 });
    const source = await storeWith(inMemory, built);
    const left = layersOf(built).filter((_, at) => at % 2 === 0);
    const entries = await changed(await save(source, [NAME], { excludeBlobs: left }), hostile, built);
    const folder = await temporaryFolder(t);
    const filters: readonly LoadOptions[] = [{}, { platforms: ['linux/amd64'] }, { missingPlatforms: 'skip' }];
    for (const order of ORDERS) {
      const all = await forms(folder, await tarOf(inOrder(entries, order)));
      for (const form of IS_ALL ? all : [all[at % 2] ?? '']) {
        // Also where everything that is left out is here.
        const store = await storeOfBlobs(inMemory, built.blobs, [...layersOf(built)]);
        for (const filter of filters) {
          if (filter.platforms !== undefined && hostile.isUnseenByFilter === true) continue;
          const expected = { code: hostile.code, ...(hostile.message && { message: hostile.message }) };
          await refuses(store, async () => await load(store, form, filter), expected);
        }
        const source =
          typeof form === 'string'
            ? form
            : (async function* () {
                yield form;
              })();
        await assert.rejects(verifyArchive(source), { code: hostile.verifyCode ?? hostile.code });
      }
    }
  });
}

onEachStore('a filtered load needs only the base of what it takes', async (open, t) => {
  const built = example({ layers: 2 });
  const source = await storeWith(inMemory, built);
  const layers = layersOf(built);
  const own = built.blobs.links(built.of('linux/arm64').digest).layers?.map(({ digest }) => digest) ?? [];
  const { archive } = await save(source, [NAME], { excludeBlobs: layers });
  for (const form of await forms(await temporaryFolder(t), archive)) {
    const store = await storeOfBlobs(open, built.blobs, own);
    const expected = await open();
    await loadLayout(expected, built.images, built.blobs, { platforms: ['linux/arm64'] });
    const other = { platforms: ['linux/arm64', 'linux/amd64'] };
    await refuses(store, async () => await load(store, form, other), { code: 'ERR_BASE_MISSING' });
    await refuses(
      store,
      async () => await load(store, form, { platforms: ['linux/amd64'], missingPlatforms: 'skip' }),
      {
        code: 'ERR_BASE_MISSING',
      },
    );
    const part = await load(store, form, { ...other, missingPlatforms: 'skip' });
    assert.equal(part.incomplete, true);
    await load(store, form, { platforms: ['linux/arm64'] });
    assert.deepEqual((await stateOf(store)).blobs, (await stateOf(expected)).blobs);
    const all = await load(store, form, { missingPlatforms: 'skip' });
    assert.deepEqual(
      all.images[0]?.platforms.map(({ state }) => state),
      ['missing', 'complete', 'missing'],
    );
  }
});

/** A thin archive without layers, and a store on disk that has nothing but these: one of them, and where it is. */
async function baseOnDisk(t: TestContext): Promise<{
  readonly archive: Buffer;
  readonly store: OciLayoutStore;
  readonly layer: Digest;
  readonly bytes: Buffer;
  readonly file: string;
}> {
  const built = example({ layers: 2 });
  const source = await storeWith(inMemory, built);
  const [layer = OTHER, ...rest] = layersOf(built);
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  await storeOfBlobs(async () => store, built.blobs, [layer, ...rest]);
  const { archive } = await save(source, [NAME], { excludeBlobs: [layer, ...rest] });
  const bytes = Buffer.from(built.blobs.bytes(layer));
  return { archive, store, layer, bytes, file: path.join(store.directory, blobPath(layer)) };
}

test('a base that is damaged in the store is found if it is asked for', async (t) => {
  const { archive, store, bytes, file } = await baseOnDisk(t);
  bytes.writeUInt8(bytes.readUInt8(9) ^ 1, 9);
  await writeFile(file, bytes);
  const problem = { code: 'ERR_DIGEST_MISMATCH', message: /of the store is damaged/ };
  await assert.rejects(load(store, archive, { verifyBase: true }), problem);
  assert.deepEqual(await store.list(), []);
  await load(store, archive);
  assert.equal((await store.list()).length, 1);
});

test('a blob that is cut in the store is no base', async (t) => {
  const { archive, store, layer, file } = await baseOnDisk(t);
  await truncate(file, 100);
  await assert.rejects(load(store, archive), { code: 'ERR_BASE_MISSING', message: new RegExp(layer) });
  assert.deepEqual(await store.list(), []);
});

test('verify judges a thin archive alone, or with the places that have the rest', async (t) => {
  const built = example({ layers: 2 });
  const source = await storeWith(inMemory, built);
  const [first = OTHER, ...rest] = layersOf(built);
  const whole = await save(source, [NAME]);
  const { archive } = await save(source, [NAME], { excludeBlobs: [first, ...rest] });
  const folder = await temporaryFolder(t);
  const [, thin = ''] = await forms(folder, archive);
  const [, full = ''] = await forms(folder, whole.archive);
  const alone = await verifyArchive(String(thin));
  const layers = [first, ...rest];
  assert.deepEqual(
    [alone.thin?.judged, alone.problems, alone.blobs.count],
    [false, [], built.blobs.size - layers.length],
  );
  assert.deepEqual(alone.thin?.excluded.count, layers.length);
  for (const bases of [[source], [String(full)], [await storeOfBlobs(inMemory, built.blobs, [first]), source]]) {
    const report = await verifyArchive(String(thin), { bases, deep: true });
    assert.deepEqual([report.thin?.judged, report.problems, report.blobs.count], [true, [], built.blobs.size]);
  }
  const poor = await storeOfBlobs(inMemory, built.blobs, rest);
  await assert.rejects(verifyArchive(String(thin), { bases: [poor] }), { code: 'ERR_BASE_MISSING' });
  const damaged = await OciLayoutStore.open(path.join(folder, 'damaged'));
  await storeOfBlobs(async () => damaged, built.blobs, layers);
  await writeFile(path.join(damaged.directory, blobPath(first)), Buffer.alloc(built.blobs.bytes(first).length));
  const { problems } = await verifyArchive(String(thin), { bases: [damaged] });
  assert.deepEqual(
    problems.map(({ code, digest }) => [code, digest]),
    [['ERR_DIGEST_MISMATCH', first]],
  );
});

test('an inspection tells what is in the base, and a list of layers what the archive itself has', async (t) => {
  const built = example({ layers: 2 });
  const source = await storeWith(inMemory, built);
  const [first = OTHER, ...rest] = layersOf(built);
  const { archive } = await save(source, [NAME], { excludeBlobs: [first], baseNames: ['old.tar'] });
  for (const form of await forms(await temporaryFolder(t), archive)) {
    const read = () =>
      typeof form === 'string'
        ? form
        : (async function* () {
            yield form;
          })();
    const { images, thin } = await inspectArchive(read());
    const states = images[0]?.platforms.flatMap(({ layers = [] }) =>
      layers.map(({ digest, state }) => [digest, state]),
    );
    assert.deepEqual(new Map(states as [string, string][]).get(first), 'base');
    assert.equal(states?.filter(([, state]) => state === 'present').length, rest.length);
    assert.deepEqual([thin?.excluded.count, thin?.from], [1, ['old.tar']]);
    assert.deepEqual(
      (await listArchiveLayers(read())).map(({ digest }) => digest),
      rest,
    );
  }
  const own = built.blobs.links(built.of('linux/arm64').digest).layers?.map(({ digest }) => digest) ?? [];
  const some = await listLayers(source, { images: [FAMILIAR], platforms: ['linux/arm64'] });
  assert.deepEqual(
    some.map(({ digest }) => digest),
    sorted(own),
  );
  const among = await listLayers(source, { among: [OTHER, first] });
  assert.deepEqual(among, [{ digest: first, size: built.blobs.bytes(first).length }]);
});
