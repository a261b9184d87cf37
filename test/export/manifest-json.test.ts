import assert from 'node:assert/strict';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { Platform } from '../../src/model/platform.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { save, type DockerManifestEntry } from '../fixtures/saved-archive.js';
import { fill, onEachStore, stateOf } from '../fixtures/stores.js';
import { tarOf } from '../fixtures/tar-builder.js';

/** The expected entry of `manifest.json` for a manifest. */
function entryOf(blobs: BlobSet, manifest: Descriptor, tags: readonly string[] | null): DockerManifestEntry {
  const { config, layers = [] } = blobs.links(manifest.digest);
  assert.ok(config);
  return { Config: blobPath(config.digest), RepoTags: tags, Layers: layers.map(({ digest }) => blobPath(digest)) };
}

const CHOICES: readonly (readonly [Platform, string[] | undefined, string])[] = [
  [{ os: 'linux', architecture: 'amd64' }, undefined, 'linux/amd64'],
  [{ os: 'linux', architecture: 'arm64' }, undefined, 'linux/arm64'],
  [{ os: 'linux', architecture: 'arm64' }, ['linux/arm/v7', 'linux/amd64'], 'linux/arm/v7'],
  [{ os: 'linux', architecture: 's390x' }, undefined, 'linux/amd64'],
  [{ os: 'linux', architecture: 'amd64' }, ['linux/arm/v7', 'linux/arm64'], 'linux/arm64'],
];

for (const [hostPlatform, platforms = [], chosen] of CHOICES) {
  onEachStore(
    `lists ${chosen} for a host of ${hostPlatform.architecture}, of ${platforms.join(' ') || 'all'}`,
    async (open) => {
      const store = await open();
      const { blobs, root, of } = example();
      await fill(store, [{ name: NAME, descriptor: root }], blobs);
      const { dockerManifest } = await save(store, [FAMILIAR], { hostPlatform, platforms });
      assert.deepEqual(dockerManifest, [entryOf(blobs, of(chosen), [FAMILIAR])]);
    },
  );
}

onEachStore('merges the familiar names of images that chose one manifest', async (open) => {
  const store = await open();
  const { blobs, root, of } = example();
  const other = buildManifest(blobs, { platform: 'linux/amd64', seed: 'other' });
  const records = [
    { name: NAME, descriptor: root },
    { name: 'docker.io/library/app:2', descriptor: root },
    { name: 'registry.example:5000/app:3', descriptor: of('linux/amd64') },
    { name: 'docker.io/library/other:1', descriptor: other },
  ];
  await fill(store, records, blobs);
  const names = [FAMILIAR, 'other:1', 'app:2', 'registry.example:5000/app:3'];
  const { dockerManifest } = await save(store, names);
  assert.deepEqual(dockerManifest, [
    entryOf(blobs, of('linux/amd64'), [FAMILIAR, 'app:2', 'registry.example:5000/app:3']),
    entryOf(blobs, other, ['other:1']),
  ]);
});

onEachStore('writes null for an image without a tag', async (open) => {
  const store = await open();
  const { blobs, root, of } = example();
  await fill(store, [{ descriptor: root }], blobs);
  const { dockerManifest } = await save(store, [root.digest]);
  assert.deepEqual(dockerManifest, [entryOf(blobs, of('linux/amd64'), null)]);
});

onEachStore('has one path for each diff id, repeats included', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 1, layers: ['a', 'b', 'a', 'a'] });
  await fill(store, [{ name: NAME, descriptor: root }], blobs);
  const { dockerManifest, blobs: packed } = await save(store, [FAMILIAR]);
  const [entry] = dockerManifest ?? [];
  assert.deepEqual(entry, entryOf(blobs, root, [FAMILIAR]));
  assert.deepEqual([entry?.Layers.length, new Set(entry?.Layers).size, packed.length], [4, 2, 4]);
});

onEachStore('is not written if an older loader could load no image', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const artifact = buildArtifact(blobs, { seed: 1 });
  const root = buildIndex(blobs, [artifact]);
  const records = [
    { name: NAME, descriptor: artifact },
    { name: 'docker.io/library/b:1', descriptor: root },
  ];
  await fill(store, records, blobs);
  const { dockerManifest, entries } = await save(store, [FAMILIAR, 'b:1']);
  assert.deepEqual(
    [dockerManifest, entries.has('manifest.json'), entries.has('repositories')],
    [undefined, false, false],
  );
});

onEachStore('is enough for an older loader to load the image that it lists', async (open) => {
  const store = await open();
  const { blobs, root, of } = example({ mediaTypes: 'docker', compression: 'none' });
  await fill(store, [{ name: NAME, descriptor: root }], blobs);
  const saved = await save(store, [FAMILIAR]);
  const second = await open();
  await load(second, await withoutLayout(saved.entries));
  // With uncompressed Docker layers, the manifest that the importer makes equals the original.
  const [image] = (await stateOf(second)).images;
  const made = JSON.parse(
    String(await firstChunk(second.open(image?.descriptor.digest ?? root.digest, { kind: 'blob' }))),
  ) as {
    layers: unknown;
  };
  const original = blobs.json(of('linux/amd64').digest) as { layers: unknown };
  assert.deepEqual([image?.name, made.layers], [NAME, original.layers]);
});

async function withoutLayout(entries: ReadonlyMap<string, Buffer>): Promise<Buffer> {
  const kept = [...entries].filter(([name]) => !['oci-layout', 'index.json'].includes(name) && !name.endsWith('/'));
  return await tarOf(kept.map(([name, body]) => ({ name, body })));
}

async function firstChunk(chunks: AsyncIterable<Buffer>): Promise<Buffer> {
  for await (const chunk of chunks) return chunk;
  return Buffer.alloc(0);
}
