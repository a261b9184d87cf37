import assert from 'node:assert/strict';
import { ANNOTATIONS, withAnnotations } from '../../src/model/descriptor.js';
import { digestOf } from '../../src/model/digest.js';
import { withReads } from '../../src/stores/with-reads.js';
import { buildReferrer } from '../fixtures/artifact-builder.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { fill, onEachStore, storeOf } from '../fixtures/stores.js';

onEachStore('resolves texts in their order, each to the images that it means', async (open) => {
  const built = example();
  const store = await storeOf(open, built);
  const [byName, byId] = await store.resolve([FAMILIAR, built.root.digest.slice(7, 19)]);
  assert.deepEqual(byName, { name: NAME, descriptor: built.root });
  assert.deepEqual(byId, { descriptor: built.root });
  await assert.rejects(store.resolve([FAMILIAR, 'nowhere']), { code: 'ERR_IMAGE_UNKNOWN' });
  assert.deepEqual(await store.resolve([]), []);
});

onEachStore('returns the holders of names, and leaves out a name that no image has', async (open) => {
  const built = example();
  const store = await storeOf(open, built);
  const holders = await store.holders([NAME, 'docker.io/example/other:1']);
  assert.deepEqual([...holders], [[NAME, built.root.digest]]);
  assert.deepEqual([...(await store.holders([]))], []);
});

onEachStore('finds referrers that were published after an earlier look for referrers', async (open) => {
  const built = example();
  const store = await storeOf(open, built);
  assert.deepEqual(await store.referrersOf(built.root.digest), []);
  const sbom = withAnnotations(buildReferrer(built.blobs, built.root, { seed: 'sbom' }), {
    [ANNOTATIONS.subject]: built.root.digest,
  });
  await fill(store, [{ descriptor: sbom }], built.blobs);
  assert.deepEqual(await store.referrersOf(built.root.digest), [sbom]);
  assert.deepEqual(await store.referrersOf(digestOf('nowhere')), []);
});

onEachStore('finds the images of a repository that belong to a digest by their names', async (open) => {
  const built = example();
  const store = await storeOf(open, built);
  const descriptor = built.of('linux/amd64');
  const tag = `${built.root.digest.replace(':', '-')}.sig`;
  const names = [`docker.io/example/app:${tag}`, `docker.io/example/app2:${tag}`];
  await fill(
    store,
    names.map((name) => ({ name, descriptor })),
    built.blobs,
  );
  const subjects = new Set([built.root.digest]);
  const found = await store.companionsOf('docker.io/example/app', subjects);
  assert.deepEqual(found, [{ name: names[0], descriptor }]);
  assert.deepEqual(await store.companionsOf('docker.io/example/app', new Set([descriptor.digest])), []);
});

onEachStore('passes bytes that are read from it and from its readers through a function', async (open) => {
  const built = example();
  const store = await storeOf(open, built);
  let passed = 0;
  const watched = withReads(store, (chunks) => {
    passed += 1;
    return chunks;
  });
  const reader = await watched.reader();
  for (const place of [watched, reader]) {
    const bytes = await bytesOf(place.open(built.root.digest, { kind: 'manifest' }));
    assert.ok(bytes.equals(built.blobs.bytes(built.root.digest)));
  }
  await reader.end();
  assert.equal(passed, 2);
});
