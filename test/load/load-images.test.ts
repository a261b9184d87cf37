import assert from 'node:assert/strict';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf, removeBlob, removeLayers } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME, sorted } from '../fixtures/example.js';
import { codesOf, loadLayout, statesOf } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { namesOf, onEachStore, stateOf } from '../fixtures/stores.js';
import { refusesLayout } from './refused-loads.js';

onEachStore('loads every platform of an index when no list is given', async (open) => {
  const store = await open();
  const { images, blobs, root } = example();
  const report = await loadLayout(store, images, blobs);
  assert.deepEqual(
    report.images.map(({ name, digest }) => [name, digest]),
    [[NAME, root.digest]],
  );
  const states = { 'linux/amd64': 'complete', 'linux/arm64': 'complete', 'linux/arm/v7': 'complete' };
  assert.deepEqual(statesOf(report.images[0]), states);
  assert.deepEqual([report.warnings, report.incomplete], [[], false]);
  assert.deepEqual((await stateOf(store)).blobs, [...blobs.keys()].toSorted());
});

onEachStore('loads an index with some platforms missing, and names them', async (open) => {
  const store = await open();
  const { images, blobs, of } = example();
  removeLayers(blobs, of('linux/arm64'));
  removeBlob(blobs, of('linux/arm/v7'));
  const report = await loadLayout(store, images, blobs);
  const states = { 'linux/amd64': 'complete', 'linux/arm64': 'missing', 'linux/arm/v7': 'missing' };
  assert.deepEqual(statesOf(report.images[0]), states);
  const [arm64, armv7] = report.warnings.map(({ message }) => message);
  assert.deepEqual(codesOf(report.warnings), ['WARN_PLATFORM_MISSING', 'WARN_PLATFORM_MISSING']);
  const [firstLayer] = (example().blobs.links(of('linux/arm64').digest).layers ?? []).map(({ digest }) => digest);
  assert.equal(arm64, `${FAMILIAR}: linux/arm64 is listed, but ${firstLayer} is missing`);
  assert.equal(armv7, `${FAMILIAR}: linux/arm/v7 is listed, but ${of('linux/arm/v7').digest} is missing`);
  assert.equal(report.incomplete, false);
});

onEachStore('refuses an index without a complete platform', async (open) => {
  const store = await open();
  const { images, blobs, of } = example({ platforms: ['linux/amd64', 'linux/arm64'] });
  removeLayers(blobs, of('linux/amd64'));
  removeBlob(blobs, of('linux/arm64'));
  await refusesLayout(store, { images, blobs, code: 'ERR_BLOB_MISSING' });
});

onEachStore('refuses an archive whose only manifest lacks a layer', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
  removeLayers(blobs, root);
  await refusesLayout(store, { images: [{ root, name: NAME }], blobs, code: 'ERR_BLOB_MISSING' });
});

onEachStore('loads nothing of two images when one of them has nothing complete', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const broken = buildManifest(blobs, { platform: 'linux/amd64', seed: 'broken' });
  removeLayers(blobs, broken);
  await refusesLayout(store, {
    images: [...images, { root: broken, name: 'docker.io/example/b:1' }],
    blobs,
    code: 'ERR_BLOB_MISSING',
    message: /^image example\/b:1 was not loaded/,
  });
});

onEachStore('refuses an index that names a root which is not there', async (open) => {
  const store = await open();
  const { images, blobs, root } = example();
  removeBlob(blobs, root);
  await refusesLayout(store, { images, blobs, code: 'ERR_BLOB_MISSING', message: new RegExp(root.digest) });
});

onEachStore('loads an empty index without a list, and refuses it with one', async (open) => {
  const store = await open();
  const blobs = new BlobSet();
  const root = buildIndex(blobs, []);
  const images = [{ root, name: NAME }];
  await refusesLayout(store, {
    images,
    blobs,
    platforms: ['linux/amd64'],
    code: 'ERR_PLATFORM_UNAVAILABLE',
    message: `image ${FAMILIAR} was not loaded: it doesn't provide the requested platform ([linux/amd64])`,
  });
  const report = await loadLayout(store, images, blobs);
  assert.deepEqual(statesOf(report.images[0]), {});
  assert.deepEqual(await stateOf(store), { images: [{ name: NAME, descriptor: root }], blobs: [root.digest] });
});

onEachStore('counts blobs that the store already has as complete', async (open) => {
  const store = await open();
  const { images, blobs, of } = example();
  await loadLayout(store, images, blobs, { platforms: ['linux/amd64'] });
  const without = new Set(closureOf(blobs, of('linux/amd64')));
  const report = await loadLayout(store, images, blobs, { layout: { without } });
  assert.equal(statesOf(report.images[0])['linux/amd64'], 'complete');
  assert.deepEqual(report.warnings, []);
  assert.deepEqual((await stateOf(store)).blobs, [...blobs.keys()].toSorted());
});

onEachStore('uses blobs of the store for a requested platform that the archive lacks', async (open) => {
  const store = await open();
  const { images, blobs, root } = example();
  await loadLayout(store, images, blobs, { platforms: ['linux/amd64'] });
  const only = new Set([root.digest]);
  const report = await loadLayout(store, images, blobs, { platforms: ['linux/amd64'], layout: { only } });
  assert.deepEqual([report.blobs.stored, report.incomplete], [0, false]);
});

onEachStore('loads artifacts, and unknown content inside an index as bytes', async (open) => {
  const store = await open();
  const { blobs, of } = example();
  const opaque = blobs.descriptor('not a document', 'text/plain');
  const absent = { ...opaque, digest: closureOf(blobs, opaque)[0] ?? opaque.digest };
  const missing = new BlobSet().descriptor('nobody packed this', 'application/x-unknown');
  const root = buildIndex(blobs, [of('linux/amd64'), absent, missing]);
  const artifact = buildArtifact(blobs, { seed: 1 });
  const images = [
    { root, name: NAME },
    { root: artifact, name: 'docker.io/example/artifact:1' },
    { root: opaque, name: 'docker.io/example/text:1' },
  ];
  const report = await loadLayout(store, images, blobs);
  const text = 'docker.io/example/text:1';
  assert.deepEqual(await namesOf(store), [NAME, 'docker.io/example/artifact:1', text].toSorted());
  assert.deepEqual(
    report.images.map(({ name }) => name),
    [NAME, 'docker.io/example/artifact:1', text],
  );
  assert.deepEqual(
    report.warnings.map(({ code, image }) => [code, image]),
    [['WARN_ROOT_UNREAD', 'example/text:1']],
  );
  const kept = [root, of('linux/amd64'), artifact].flatMap((descriptor) => closureOf(blobs, descriptor));
  assert.deepEqual((await stateOf(store)).blobs, sorted(opaque.digest, kept));
});

onEachStore('does not keep blobs that no image refers to', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const before = [...blobs.keys()].toSorted();
  blobs.add('nobody refers to this');
  const report = await loadLayout(store, images, blobs, { layout: { order: 'blobs-first' } });
  assert.deepEqual((await stateOf(store)).blobs, before);
  assert.equal(report.blobs.skipped, 1);
});
