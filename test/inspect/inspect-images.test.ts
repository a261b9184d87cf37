import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tagImage } from '../../src/edit/tag-image.js';
import { inspectArchive } from '../../src/inspect/inspect-archive.js';
import { inspectImages } from '../../src/inspect/inspect-images.js';
import { listImages } from '../../src/inspect/list-images.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { BlobSet, removeLayers } from '../fixtures/blob-set.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { buildIndex } from '../fixtures/manifest-builder.js';
import { chunksOf, codesOf, loadLayout, statesOf } from '../fixtures/loading.js';
import { refuses } from '../fixtures/refusals.js';
import { fill, onEachStore } from '../fixtures/stores.js';

onEachStore('lists every image with the state of each platform', async (open) => {
  const store = await open();
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  await loadLayout(store, built.images, built.blobs);
  await tagImage(store, FAMILIAR, 'a:1');
  const { images, warnings } = await listImages(store);
  assert.deepEqual(
    images.map(({ name }) => name),
    [NAME, 'docker.io/library/a:1'],
  );
  for (const image of images) {
    const states = { 'linux/amd64': 'complete', 'linux/arm64': 'missing', 'linux/arm/v7': 'complete' };
    assert.deepEqual(statesOf(image), states);
  }
  assert.deepEqual(warnings, []);
});

onEachStore('lists nothing in an empty store', async (open) => {
  assert.deepEqual(await listImages(await open()), { images: [], warnings: [], incomplete: false });
});

function reportOf({ digest, size, mediaType }: Descriptor): object {
  return { digest, size, mediaType };
}

onEachStore('shows the facts of each platform, and the bytes that it shares', async (open) => {
  const store = await open();
  const built = example({ sharedLayer: true });
  await loadLayout(store, built.images, built.blobs);
  await tagImage(store, FAMILIAR, 'a:1');
  const [image, ...more] = await inspectImages(store, FAMILIAR);
  assert.deepEqual([image?.name, image?.names, more], [NAME, [NAME, 'docker.io/library/a:1'], []]);
  assert.deepEqual([image?.digest, image?.mediaType], [built.root.digest, built.root.mediaType]);
  const arm64 = image?.platforms.find(({ platform }) => platform === 'linux/arm64');
  const { config, layers = [] } = built.blobs.links(built.of('linux/arm64').digest);
  const diffIds = (built.blobs.json(config?.digest ?? built.root.digest) as { rootfs: { diff_ids: string[] } }).rootfs
    .diff_ids;
  const parts = [built.of('linux/arm64').size, config?.size ?? 0, ...layers.map(({ size }) => size)];
  assert.deepEqual(arm64, {
    platform: 'linux/arm64',
    digest: built.of('linux/arm64').digest,
    state: 'complete',
    created: '2020-01-02T03:04:05Z',
    entrypoint: ['/bin/app'],
    labels: { 'example.platform': 'linux/arm64' },
    diffIds,
    indexes: [built.root.digest],
    manifest: { ...reportOf(built.of('linux/arm64')), state: 'present' },
    config: { digest: config?.digest, size: config?.size, mediaType: config?.mediaType, state: 'present' },
    environment: ['PATH'],
    layers: layers.map((layer, at) => ({ ...layer, state: 'present', createdBy: `layer ${at}` })),
    bytes: parts.reduce((sum, size) => sum + size, 0),
    sharedBytes: layers[0]?.size,
  });
});

onEachStore('inspects every image of a repository once, and refuses what is unknown', async (open) => {
  const store = await open();
  const built = example();
  await loadLayout(store, built.images, built.blobs);
  await tagImage(store, FAMILIAR, 'example/app:2');
  const other = example({ seed: 'other' });
  await loadLayout(store, [{ root: other.root, name: 'example/app:3' }], other.blobs);
  const inspections = await inspectImages(store, 'example/app');
  assert.deepEqual(
    inspections.map(({ name, names }) => [name, names]),
    [
      [NAME, [NAME, 'docker.io/example/app:2']],
      ['docker.io/example/app:3', ['docker.io/example/app:3']],
    ],
  );
  await refuses(store, async () => await inspectImages(store, 'nothing'), { code: 'ERR_IMAGE_UNKNOWN' });
});

onEachStore('shows attestations with their subjects', async (open) => {
  const store = await open();
  const built = example({ attestations: true });
  await loadLayout(store, built.images, built.blobs);
  const [image] = await inspectImages(store, FAMILIAR);
  const expected = [...built.attestations].map(([platform, { digest }]) => ({
    digest,
    subject: built.of(platform).digest,
    state: 'complete',
    artifactType: 'application/vnd.in-toto+json',
    predicateTypes: ['https://slsa.dev/provenance/v0.2'],
  }));
  assert.deepEqual(image?.referrers, expected);
  assert.equal(image.platforms.length, 3);
});

const TOLD = {
  created: '2020-01-02T03:04:05Z',
  config: {
    User: '1000:1000',
    WorkingDir: '/srv',
    ExposedPorts: { '8080/tcp': {}, '80/tcp': {} },
    Volumes: { '/data': {} },
    Env: ['PATH=/bin', 'TOKEN=a=b', 'ODD'],
  },
  history: [
    { created_by: 'ADD rootfs.tar /' },
    { created_by: 'ENV A=1', empty_layer: true },
    { created_by: 'RUN make' },
    'not a step',
  ],
};

onEachStore('tells what made each layer, and what the config sets', async (open) => {
  const store = await open();
  const built = example({ configExtra: TOLD, layers: 2 });
  await loadLayout(store, built.images, built.blobs);
  const [platform] = (await inspectImages(store, FAMILIAR))[0]?.platforms ?? [];
  assert.deepEqual(
    platform?.layers?.map(({ createdBy }) => createdBy),
    ['ADD rootfs.tar /', 'RUN make'],
  );
  const { user, workingDir, ports, volumes, environment, environmentValues } = platform;
  assert.deepEqual(
    { user, workingDir, ports, volumes, environment, environmentValues },
    {
      user: '1000:1000',
      workingDir: '/srv',
      ports: ['80/tcp', '8080/tcp'],
      volumes: ['/data'],
      environment: ['PATH', 'TOKEN', 'ODD'],
      environmentValues: undefined,
    },
  );
  const [shown] = (await inspectImages(store, FAMILIAR, { environmentValues: true }))[0]?.platforms ?? [];
  assert.deepEqual(shown?.environmentValues, { PATH: '/bin', TOKEN: 'a=b', ODD: '' });
});

onEachStore('names no instruction if the history has not one for each layer', async (open) => {
  const store = await open();
  const built = example({ configExtra: TOLD, layers: 3 });
  await loadLayout(store, built.images, built.blobs);
  const [platform] = (await inspectImages(store, FAMILIAR))[0]?.platforms ?? [];
  assert.deepEqual(
    platform?.layers?.map((layer) => 'createdBy' in layer),
    [false, false, false],
  );
});

onEachStore('leaves out what is not of the type that the config must have', async (open) => {
  const store = await open();
  const odd = { User: 7, WorkingDir: '', ExposedPorts: ['80'], Volumes: 'a', Env: [1], Labels: { a: 1 }, Cmd: 'x' };
  const built = example({ configExtra: { config: odd, history: 'none' } });
  await loadLayout(store, built.images, built.blobs);
  const [platform] = (await inspectImages(store, FAMILIAR))[0]?.platforms ?? [];
  const known = [
    'created',
    'platform',
    'digest',
    'state',
    'indexes',
    'config',
    'manifest',
    'layers',
    'diffIds',
    'bytes',
    'sharedBytes',
  ];
  assert.deepEqual(Object.keys(platform ?? {}).toSorted(), known.toSorted());
});

onEachStore('tells of each blob whether it is here', async (open) => {
  const store = await open();
  const built = example({ layers: 3 });
  const { config, layers = [] } = built.blobs.links(built.of('linux/arm64').digest);
  const gone = [layers[0], layers[2]].filter((layer) => layer !== undefined);
  for (const { digest } of gone) built.blobs.delete(digest);
  await fill(store, [{ name: NAME, descriptor: built.root }], built.blobs);
  const [image] = await inspectImages(store, FAMILIAR);
  const arm64 = image?.platforms.find(({ platform }) => platform === 'linux/arm64');
  assert.deepEqual([arm64?.state, arm64?.missing, arm64?.config?.state], ['missing', gone[0]?.digest, 'present']);
  assert.deepEqual(
    arm64?.layers?.map(({ digest, state }) => [digest, state]),
    layers.map(({ digest }, at) => [digest, at === 1 ? 'present' : 'missing']),
  );
  const all = [built.of('linux/arm64'), config, ...layers].reduce((sum, blob) => sum + (blob?.size ?? 0), 0);
  assert.deepEqual(
    [arm64.bytes, arm64.missingBlobs],
    [all, { count: 2, bytes: gone.reduce((sum, { size }) => sum + size, 0) }],
  );
});

onEachStore('tells the indexes that lead to a platform', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const inner = example();
  for (const [digest, bytes] of inner.blobs) blobs.set(digest, bytes);
  const root = buildIndex(blobs, [inner.root]);
  await loadLayout(store, [{ root, name: NAME }], blobs);
  const [image] = await inspectImages(store, FAMILIAR);
  assert.deepEqual(
    image?.platforms.map(({ indexes }) => indexes),
    Array.from({ length: 3 }, () => [root.digest, inner.root.digest]),
  );
});

onEachStore('counts damaged documents as missing, and warns of them', async (open) => {
  const store = await open();
  const built = example();
  const manifest = built.of('linux/arm64');
  const lying = new BlobSet(built.blobs);
  lying.delete(manifest.digest);
  await fill(store, [{ name: NAME, descriptor: built.root }], lying);
  // The right size but the wrong content, as after a fault of the disk.
  const damaged = Object.assign(Object.create(store) as typeof store, {
    list: async () => await store.list(),
    stat: async (digest: string) =>
      digest === manifest.digest ? { size: manifest.size } : await store.stat(digest as never, 'blob'),
    open: (digest: string) =>
      digest === manifest.digest
        ? chunksOf(Buffer.alloc(manifest.size, '{'))
        : store.open(digest as never, { kind: 'blob' }),
  });
  const { images, warnings } = await listImages(damaged);
  assert.equal(statesOf(images[0])['linux/arm64'], 'missing');
  assert.deepEqual(codesOf(warnings), ['WARN_DAMAGED']);
});

onEachStore('shows the same of an archive as of a store that has loaded it', async (open) => {
  const store = await open();
  const built = example({ attestations: true });
  removeLayers(built.blobs, built.of('linux/arm64'));
  await loadLayout(store, built.images, built.blobs);
  for (const order of ['metadata-first', 'blobs-first', 4] as const) {
    const archive = await layoutArchive(built.images, built.blobs, { order });
    assert.deepEqual((await inspectArchive(chunksOf(archive))).images, await inspectImages(store, FAMILIAR));
  }
});

test('inspects a docker-archive, with layers compressed or not', async () => {
  const { blobs, of } = example();
  const image = dockerImageOf(blobs, of('linux/amd64'), ['example/app:1']);
  for (const compressedLayers of [false, true]) {
    const {
      images: [inspected],
    } = await inspectArchive(chunksOf(await dockerArchive([image], { compressedLayers }), 7));
    assert.deepEqual([inspected?.name, inspected?.platforms[0]?.platform], [NAME, 'linux/amd64']);
  }
});
