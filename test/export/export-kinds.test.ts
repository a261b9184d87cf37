import assert from 'node:assert/strict';
import { ANNOTATIONS, type Descriptor } from '../../src/model/descriptor.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { load, statesOf } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { pathsOf, save } from '../fixtures/saved-archive.js';
import { fill, onEachStore, stateOf, storeOf } from '../fixtures/stores.js';
import { refusesSave } from './refused-saves.js';

const NO_AMD64 = {
  code: 'ERR_PLATFORM_UNAVAILABLE',
  message: `image ${FAMILIAR} was not saved: it doesn't provide the requested platform ([linux/amd64])`,
} as const;

onEachStore('saves an empty index as it is, and refuses it with a list', async (open) => {
  const blobs = new BlobSet();
  const root = buildIndex(blobs, []);
  const store = await open();
  await fill(store, [{ name: NAME, descriptor: root }], blobs);
  const saved = await save(store, [FAMILIAR]);
  assert.deepEqual([saved.roots.map(({ digest }) => digest), saved.blobs], [[root.digest], pathsOf(root.digest)]);
  assert.equal(saved.dockerManifest, undefined);
  await refusesSave(store, { names: [FAMILIAR], platforms: ['linux/amd64'], ...NO_AMD64 });
});

onEachStore('saves a single manifest whose platform is asked for, and refuses another', async (open) => {
  const blobs = new BlobSet();
  const { platform: _, ...descriptor } = buildManifest(blobs, { platform: 'linux/arm64', seed: 1 });
  const store = await open();
  await fill(store, [{ name: NAME, descriptor }], blobs);
  const { roots, plan } = await save(store, [FAMILIAR], { platforms: ['arm64'] });
  assert.deepEqual(
    roots.map(({ digest }) => digest),
    [descriptor.digest],
  );
  assert.equal(roots[0]?.annotations?.[ANNOTATIONS.sourceDigest], undefined);
  assert.deepEqual(statesOf(plan.images[0]), { 'linux/arm64': 'complete' });
  await refusesSave(store, { names: [FAMILIAR], platforms: ['linux/amd64'], ...NO_AMD64 });
});

onEachStore('saves a root that is no index and no manifest as it is', async (open) => {
  const blobs = new BlobSet();
  const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
  const text = blobs.descriptor('just a text', 'text/plain');
  const store = await open();
  const config: Descriptor | undefined = blobs.links(manifest.digest).config;
  assert.ok(config);
  const records = [
    { name: 'docker.io/library/config:1', descriptor: config },
    { name: 'docker.io/library/text:1', descriptor: text },
  ];
  await fill(store, records, blobs);
  for (const { name, descriptor } of records) {
    const saved = await save(store, [name]);
    assert.deepEqual(saved.blobs, [blobPath(descriptor.digest)]);
    assert.deepEqual([saved.plan.warnings, saved.plan.incomplete, saved.dockerManifest], [[], false, undefined]);
    const again = await open();
    await load(again, saved.archive);
    const [record, ...more] = await again.list();
    assert.deepEqual([record?.name, record?.descriptor.digest, more], [name, descriptor.digest, []]);
    assert.deepEqual((await stateOf(again)).blobs, [descriptor.digest]);
  }
  const both = await save(store, ['config:1', 'text:1']);
  assert.deepEqual(
    both.plan.images.map(({ name }) => name),
    records.map(({ name }) => name),
  );
  const platforms = ['linux/amd64'];
  await refusesSave(store, { names: ['text:1'], platforms, code: 'ERR_PLATFORM_UNAVAILABLE' });
});

onEachStore('saves artifacts, and unknown content inside an index as bytes', async (open) => {
  const built = example({ platforms: ['linux/amd64'] });
  const opaque = built.blobs.descriptor('opaque', 'application/x-unknown');
  const absent = new BlobSet().descriptor('never stored', 'application/x-unknown');
  const root = buildIndex(built.blobs, [opaque, built.of('linux/amd64'), absent]);
  const artifact = buildArtifact(built.blobs, { seed: 1 });
  const store = await open();
  const records = [
    { name: NAME, descriptor: root },
    { name: 'docker.io/library/artifact:1', descriptor: artifact },
  ];
  await fill(store, records, built.blobs);
  const { blobs, plan, dockerManifest } = await save(store, [FAMILIAR, 'artifact:1']);
  const graphs = [root, artifact].flatMap((descriptor) => closureOf(built.blobs, descriptor));
  assert.deepEqual(blobs, pathsOf(graphs, opaque.digest));
  assert.deepEqual(plan.warnings, []);
  assert.deepEqual(
    dockerManifest?.map(({ RepoTags }) => RepoTags),
    [[FAMILIAR]],
  );
});

onEachStore('leaves out layers that may not be distributed, without a warning', async (open) => {
  const blobs = new BlobSet();
  const plain = buildManifest(blobs, { platform: 'windows(10.0.20348.1)/amd64', seed: 1 });
  const document = blobs.json(plain.digest) as { layers: Descriptor[] };
  const [first, second] = document.layers;
  assert.ok(first && second);
  const foreign = {
    ...first,
    mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
    urls: ['https://e.x'],
  };
  const manifest = blobs.document({ ...document, layers: [foreign, second] }, plain.mediaType);
  const store = await open();
  await fill(store, [{ name: NAME, descriptor: manifest }], blobs);
  const saved = await save(store, [FAMILIAR]);
  assert.ok(!saved.blobs.includes(blobPath(foreign.digest)));
  assert.ok(saved.blobs.includes(blobPath(second.digest)));
  assert.equal(saved.dockerManifest, undefined);
  assert.deepEqual(saved.plan.warnings, []);
});

onEachStore('refuses an unknown image, an invalid name, an invalid platform and no name at all', async (open) => {
  const store = await storeOf(open, example());
  await refusesSave(store, { names: ['nothing:1'], code: 'ERR_IMAGE_UNKNOWN' });
  await refusesSave(store, { names: [FAMILIAR, 'nothing:1'], code: 'ERR_IMAGE_UNKNOWN' });
  await refusesSave(store, { names: ['NOT A NAME'], code: 'ERR_REFERENCE_INVALID' });
  await refusesSave(store, { names: [FAMILIAR], platforms: ['linux/'], code: 'ERR_PLATFORM_INVALID' });
  await refusesSave(store, { names: [FAMILIAR], platforms: ['unknown/unknown'], code: 'ERR_PLATFORM_INVALID' });
  await refusesSave(store, { names: [], code: 'ERR_OPTION_INVALID' });
});
