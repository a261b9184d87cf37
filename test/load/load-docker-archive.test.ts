import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { digestOf } from '../../src/model/digest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { jsonEntry } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import {
  dockerArchive,
  dockerArchiveEntries,
  dockerImageOf,
  type DockerArchiveOptions,
} from '../fixtures/docker-archive-builder.js';
import { sorted } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { namesOf, onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';
import { tarOf } from '../fixtures/tar-builder.js';
import { watchIngests } from '../fixtures/watch-ingests.js';
import { refusesLoad } from './refused-loads.js';

function describe(mediaType: string, bytes: Buffer) {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** The Engine's manifest of the image: Docker types, compact JSON in this order, uncompressed layers. */
function engineManifest(
  config: Buffer,
  layers: readonly Buffer[],
  layerType: string = MEDIA_TYPES.dockerLayer,
): string {
  return JSON.stringify({
    schemaVersion: 2,
    mediaType: 'application/vnd.docker.distribution.manifest.v2+json',
    config: describe('application/vnd.docker.container.image.v1+json', config),
    layers: layers.map((layer) => describe(layerType, layer)),
  });
}

function dockerExample(seed = 'docker', layerBytes = 1000) {
  const blobs = new BlobSet();
  const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed, layers: ['a', `${seed}-b`, 'a'], layerBytes });
  return dockerImageOf(blobs, manifest, [`example/${seed}:1`, `example/${seed}:2`]);
}

const VARIANTS: readonly DockerArchiveOptions[] = [
  { layout: '1.1' },
  { layout: '1.1', symlinkedLayers: false },
  { layout: '1.1', order: 5 },
  { layout: '1.2' },
  { layout: '1.2', symlinkedLayers: false },
  { layout: '1.2', order: 6 },
];

for (const variant of VARIANTS) {
  onEachStore(`computes the digests of the Engine for a docker-archive: ${JSON.stringify(variant)}`, async (open) => {
    const store = await open();
    const image = dockerExample();
    const manifest = Buffer.from(engineManifest(image.config, image.layers));
    const report = await load(store, await dockerArchive([image], variant));
    const [first, second] = report.images.map(({ name, digest }) => [name, digest]);
    assert.deepEqual(first, ['docker.io/example/docker:1', digestOf(manifest)]);
    assert.deepEqual(second, ['docker.io/example/docker:2', digestOf(manifest)]);
    const content = [manifest, image.config, ...image.layers].map((bytes) => digestOf(bytes));
    assert.deepEqual((await stateOf(store)).blobs, sorted(content));
  });
}

onEachStore('keeps the compressed layers of a docker-archive as they are', async (open) => {
  const store = await open();
  const image = dockerExample();
  const archive = await dockerArchive([image], { layout: '1.2', compressedLayers: true });
  const report = await load(store, archive);
  const packed = image.layers.map((layer) => gzipSync(layer));
  const manifest = engineManifest(image.config, packed, MEDIA_TYPES.dockerLayerGzip);
  assert.equal(report.images[0]?.digest, digestOf(manifest));
});

onEachStore('refuses a compressed layer of a docker-archive that cannot be unpacked', async (open) => {
  const store = await open();
  const entries = dockerArchiveEntries([dockerExample()], { layout: '1.2', compressedLayers: true });
  for (const spoil of [(body: Buffer) => body.subarray(0, -20), (body: Buffer) => body.fill(0x55, 20)]) {
    const spoiled = entries.map((entry) =>
      /^\w{64}\.tar$/.test(entry.name) ? { ...entry, body: spoil(Buffer.from(entry.body ?? [])) } : entry,
    );
    await refusesLoad(store, { archive: await tarOf(spoiled), code: 'ERR_COMPRESSED_DATA' });
  }
});

onEachStore('loads two images of one docker-archive that share a layer', async (open) => {
  const store = await open();
  await load(store, await dockerArchive([dockerExample('one'), dockerExample('two')]));
  const names = ['one:1', 'one:2', 'two:1', 'two:2'].map((name) => `docker.io/example/${name}`);
  assert.deepEqual(await namesOf(store), names);
});

onEachStore('filters a docker-archive by the platform of its config', async (open) => {
  const store = await open();
  const archive = await dockerArchive([dockerExample()]);
  await refusesLoad(store, {
    archive,
    platforms: ['linux/arm64'],
    code: 'ERR_PLATFORM_UNAVAILABLE',
    message: /they don't provide the requested platform \(\[linux\/arm64\]\)$/,
  });
  const report = await load(store, archive, { platforms: ['linux/amd64'] });
  assert.equal(report.images.length, 2);
});

onEachStore('refuses a docker-archive whose layer does not match its diff id', async (open) => {
  const store = await open();
  const { config, layers, tags } = dockerExample();
  const swapped = { config, tags, layers: layers.toReversed().slice(1) };
  await refusesLoad(store, { archive: await dockerArchive([swapped]), code: 'ERR_DIFF_ID_MISMATCH' });
  const other = { config, tags, layers: [layers[1], layers[0], layers[2]].filter((layer) => layer !== undefined) };
  await refusesLoad(store, { archive: await dockerArchive([other]), code: 'ERR_DIFF_ID_MISMATCH' });
});

onEachStore('refuses a docker-archive whose config does not match its name', async (open) => {
  const store = await open();
  const { config, layers, tags } = dockerExample();
  const entries = dockerArchiveEntries([{ config, layers, tags }]).map((entry) =>
    /^\w{64}\.json$/.test(entry.name)
      ? { ...entry, body: Buffer.from(config.toString().replace('linux', 'lynux')) }
      : entry,
  );
  const message = /^config "[0-9a-f]{64}\.json": content hashes to sha256:[0-9a-f]{64}; the archive is damaged/;
  await refusesLoad(store, { archive: await tarOf(entries), code: 'ERR_DIGEST_MISMATCH', message });
});

onEachStore('accepts any name of a config that is not a digest', async (open) => {
  const store = await open();
  const { config, layers } = dockerExample();
  const paths = layers.map((_, at) => `${at}.tar`);
  const archive = await tarOf([
    jsonEntry('manifest.json', [{ Config: 'config.json', RepoTags: ['example/named:1'], Layers: paths }]),
    { name: 'config.json', body: config },
    ...layers.map((body, at) => ({ name: `${at}.tar`, body })),
  ]);
  await load(store, archive);
  assert.deepEqual(await namesOf(store), ['docker.io/example/named:1']);
});

const BAD_MANIFESTS = [
  ['an empty list', [], 'ERR_ARCHIVE_FORMAT'],
  ['null', null, 'ERR_DOCUMENT_INVALID'],
  ['a config outside of the archive', [{ Config: '../../etc/passwd', Layers: [] }], 'ERR_ARCHIVE_FORMAT'],
  ['an absolute layer', [{ Config: 'c.json', Layers: ['/etc/passwd'] }], 'ERR_BLOB_MISSING'],
  ['a config that is not there', [{ Config: 'c.json', Layers: [] }], 'ERR_BLOB_MISSING'],
] as const;

for (const [what, value, code] of BAD_MANIFESTS) {
  onEachStore(`refuses a manifest.json with ${what}`, async (open) => {
    const store = await open();
    await refusesLoad(store, { archive: await tarOf([jsonEntry('manifest.json', value)]), code });
  });
}

onEachStore('refuses a docker-archive with a layer that is a link to itself', async (open) => {
  const store = await open();
  const entries = dockerArchiveEntries([dockerExample()]);
  const looped = entries.map((entry) => {
    if (!entry.name.endsWith('/layer.tar')) return entry;
    return { name: entry.name, type: 'symlink' as const, linkname: 'layer.tar' };
  });
  await refusesLoad(store, { archive: await tarOf(looped), code: 'ERR_ARCHIVE_FORMAT' });
});

for (const variant of VARIANTS) {
  onEachStore(`stores nothing of images that were not chosen: ${JSON.stringify(variant)}`, async (open, t) => {
    const [one, two] = [dockerExample('one', 100_000), dockerExample('two', 100_000)];
    const folder = await temporaryFolder(t);
    const [alone, both] = [path.join(folder, 'alone.tar'), path.join(folder, 'both.tar')];
    await writeFile(alone, await dockerArchive([two], variant));
    await writeFile(both, await dockerArchive([one, two], variant));
    /** How many blobs a load stores for a while, and what it leaves. */
    const outcome = async (file: string, images: readonly string[] = []): Promise<readonly [number, object]> => {
      let count = 0;
      const store = await open();
      await load(watchIngests(store, { onCommit: () => (count += 1) }), file, { images });
      return [count, await stateOf(store)];
    };
    const expected = await outcome(alone);
    for (const images of [['example/two'], ['example/two:1', 'example/two:2']])
      assert.deepEqual(await outcome(both, images), expected);
    await assert.rejects(load(await open(), both, { images: ['nothing:1'] }), { code: 'ERR_IMAGE_UNKNOWN' });
  });
}
