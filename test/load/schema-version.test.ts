import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { indexJson, layoutArchive, type LayoutImage } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { NAME } from '../fixtures/example.js';
import { codesOf, load, ORDERS } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { refuses } from '../fixtures/refusals.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { namesOf, onEachStore } from '../fixtures/stores.js';

/** The same document with another version: a number, null, or none at all. */
function withVersion(blobs: BlobSet, descriptor: Descriptor, schemaVersion: unknown, changes: object = {}): Descriptor {
  const document = JSON.parse(blobs.bytes(descriptor.digest).toString()) as object;
  const { digest: _digest, size: _size, mediaType, ...rest } = descriptor;
  return blobs.document({ ...document, schemaVersion, ...changes }, mediaType, rest);
}

/** An image of two platforms; every document has this version. */
function imageOf(schemaVersion: unknown) {
  const blobs = new BlobSet();
  const manifests = ['linux/amd64', 'linux/arm64'].map((platform) =>
    withVersion(blobs, buildManifest(blobs, { seed: platform, platform }), schemaVersion),
  );
  const root = withVersion(blobs, buildIndex(blobs, manifests), schemaVersion);
  const images: readonly LayoutImage[] = [{ root, name: NAME }];
  return { blobs, images, root, indexJson: { ...indexJson(images), schemaVersion } };
}

const CODE = 'WARN_SCHEMA_VERSION';

for (const [what, version] of [
  ['0', 0],
  ['null', null],
  ['none', undefined],
] as const) {
  for (const order of ORDERS) {
    onEachStore(
      `takes documents of schemaVersion ${what} as version 2, with warnings, in order ${order}`,
      async (open) => {
        const { blobs, images, root, indexJson: index } = imageOf(version);
        const archive = await layoutArchive(images, blobs, { order, indexJson: index });
        const store = await open();
        const { warnings } = await load(store, archive);
        assert.deepEqual(codesOf(warnings), [CODE, CODE, CODE, CODE]);
        assert.deepEqual(
          warnings.map(({ message }) => message.replace(/ (?:sha256:)[0-9a-f]{64} /, ' ')).toSorted(),
          ['index', 'index.json', 'manifest', 'manifest']
            .map((one) => `${one} states no schemaVersion; it was read as version 2`)
            .toSorted(),
        );
        assert.deepEqual(
          (await store.list()).map(({ descriptor }) => descriptor.digest),
          [root.digest],
        );
        assert.deepEqual((await verifyImages(store)).problems, []);
        // What is saved is the same image, under an index.json of version 2.
        const again = new MemoryStore();
        const saved = await bytesOf(exportImages(store, await planExport(store, [NAME])));
        assert.deepEqual(codesOf((await load(again, saved)).warnings), [CODE, CODE, CODE]);
      },
    );
  }

  onEachStore(`refuses schemaVersion ${what} if strict`, async (open) => {
    const { blobs, images, indexJson: index } = imageOf(version);
    const store = await open();
    for (const options of [{}, { indexJson: index }]) {
      const archive = await layoutArchive(images, blobs, options);
      const message = /^index(?:\.json| sha256:\w+): schemaVersion is not 2$/;
      await refuses(store, async () => await load(store, archive, { strict: true }), {
        code: 'ERR_DOCUMENT_INVALID',
        message,
      });
      const { problems } = await verifyArchive(
        (async function* () {
          yield archive;
        })(),
        { strict: true },
      );
      assert.ok(problems.length >= 3 && problems.every(({ code }) => code === 'ERR_DOCUMENT_INVALID'));
    }
  });
}

for (const version of [1, 3, -2, '2', '0', true, {}]) {
  onEachStore(
    `refuses schemaVersion ${JSON.stringify(version)} of a manifest, an index and index.json`,
    async (open) => {
      const store = await open();
      const good = imageOf(2);
      const bad = imageOf(version);
      const onlyIndex = { ...indexJson(good.images), schemaVersion: version };
      for (const archive of [
        await layoutArchive(bad.images, bad.blobs),
        await layoutArchive(good.images, good.blobs, { indexJson: onlyIndex }),
      ])
        await refuses(store, async () => await load(store, archive), { code: 'ERR_DOCUMENT_INVALID' });
    },
  );
}

test('an index that is written anew has version 2', async () => {
  const { blobs, images } = imageOf(0);
  const store = new MemoryStore();
  await load(store, await layoutArchive(images, blobs));
  const plan = await planExport(store, [NAME], { platforms: ['linux/arm64'], index: 'rewrite' });
  const again = new MemoryStore();
  const { warnings } = await load(again, await bytesOf(exportImages(store, plan)));
  // Only the manifest is as it was.
  assert.equal(warnings.length, 1);
  assert.match(warnings[0]?.message ?? '', /^manifest /);
  assert.deepEqual(await namesOf(again), [NAME]);
});
