import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { quarantineDamaged } from '../../src/edit/quarantine-damaged.js';
import { listImages } from '../../src/inspect/list-images.js';
import { decorated } from '../../src/model/decorated.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages, type VerifyReport } from '../../src/verify/verify-images.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { DAMAGES } from '../fixtures/damage.js';
import { example, FAMILIAR, type Example } from '../fixtures/example.js';
import { load, statesOf } from '../fixtures/loading.js';
import { onEachStore, temporaryFolder } from '../fixtures/stores.js';

const DAY = 24 * 60 * 60 * 1000;

interface OnDisk {
  readonly store: OciLayoutStore;
  readonly built: Example;
  readonly archive: Buffer;
  readonly fileOf: (digest: Digest) => string;
  readonly trash: () => Promise<readonly string[]>;
}

async function onDisk(t: TestContext): Promise<OnDisk> {
  const directory = path.join(await temporaryFolder(t), 'store');
  const store = await OciLayoutStore.open(directory);
  const built = example();
  const archive = await layoutArchive(built.images, built.blobs);
  await load(store, archive);
  const trash = async (): Promise<readonly string[]> => {
    const names = await readdir(path.join(directory, '.lading', 'trash'), { recursive: true });
    return names.filter((name) => name.startsWith('damaged/') && name.split('/').length === 2);
  };
  return { store, built, archive, fileOf: (digest) => path.join(directory, blobPath(digest)), trash };
}

function partsOf({ blobs, root, of }: Example): Readonly<Record<string, Digest>> {
  const manifest = of('linux/arm64');
  const { config, layers = [] } = blobs.links(manifest.digest);
  assert.ok(config && layers[0]);
  return { layer: layers[0].digest, config: config.digest, manifest: manifest.digest, index: root.digest };
}

function damagedIn({ problems }: VerifyReport): readonly Digest[] {
  return problems.flatMap(({ digest }) => digest ?? []);
}

for (const [what, damage] of Object.entries(DAMAGES)) {
  for (const part of ['layer', 'config', 'manifest', 'index']) {
    test(`finds a ${part} that ${what}, moves it away, and loads it again`, async (t) => {
      const { store, built, archive, fileOf, trash } = await onDisk(t);
      const digest = partsOf(built)[part] as Digest;
      await damage(fileOf(digest));
      const report = await verifyImages(store);
      assert.deepEqual(damagedIn(report), [digest]);
      assert.deepEqual(damagedIn(await verifyImages(store, [FAMILIAR])), [digest]);
      assert.ok((await listImages(store)).images.length > 0, 'a listing goes on');
      assert.deepEqual(await quarantineDamaged(store, built.blobs.keys()), [digest]);
      assert.equal(await store.stat(digest), undefined);
      assert.deepEqual(damagedIn(await verifyImages(store)), [digest], 'it is missing now');
      assert.equal((await trash()).length, 1);
      const { blobs } = await load(store, archive);
      assert.deepEqual([blobs.stored, blobs.present], [1, built.blobs.size - 1]);
      const after = await verifyImages(store);
      assert.deepEqual(
        [damagedIn(after), new Set(Object.values(statesOf(after.images[0])))],
        [[], new Set(['complete'])],
      );
      await store.prune({ now: Date.now() + DAY / 2, graceMs: DAY });
      assert.equal((await trash()).length, 1, 'kept for the grace time');
      await store.prune({ now: Date.now() + DAY * 2, graceMs: DAY });
      assert.deepEqual(await trash(), []);
    });
  }

  for (const part of ['manifest', 'index']) {
    test(`replaces a ${part} that ${what} when its image is loaded again`, async (t) => {
      const { store, built, archive, fileOf, trash } = await onDisk(t);
      await damage(fileOf(partsOf(built)[part] as Digest));
      await load(store, archive);
      assert.deepEqual([damagedIn(await verifyImages(store)), await trash()], [[], []]);
    });
  }

  if (what !== 'has a flipped bit') {
    test(`replaces a layer that ${what} when its image is loaded again`, async (t) => {
      const { store, built, archive, fileOf } = await onDisk(t);
      await damage(fileOf(partsOf(built)['layer'] as Digest));
      await load(store, archive);
      assert.deepEqual(damagedIn(await verifyImages(store)), []);
    });
  }
}

test('finds many damaged blobs in one go, and leaves good ones where they are', async (t) => {
  const { store, built, fileOf } = await onDisk(t);
  const parts = Object.values(partsOf(built));
  const kinds = Object.values(DAMAGES);
  for (const [at, digest] of parts.entries()) await kinds[at]?.(fileOf(digest));
  assert.deepEqual(damagedIn(await verifyImages(store)).toSorted(), parts.toSorted());
  assert.deepEqual((await quarantineDamaged(store, built.blobs.keys())).toSorted(), parts.toSorted());
});

onEachStore('leaves good blobs where they are, and ignores absent ones', async (open) => {
  const store = await open();
  const { images, blobs, root } = example();
  await load(store, await layoutArchive(images, blobs));
  const absent: Digest = example({ seed: 'absent' }).root.digest;
  assert.deepEqual(await quarantineDamaged(store, [absent, root.digest, ...blobs.keys()]), []);
  assert.equal((await verifyImages(store)).blobs.count, blobs.size);
});

test('passes over blobs that are removed while it reads', async (t) => {
  const { store, built } = await onDisk(t);
  const digests = async function* (): AsyncGenerator<Digest> {
    yield* store.digests();
    yield example({ seed: 'gone' }).root.digest;
  };
  const report = await verifyImages(decorated<Store>(store, { digests }));
  assert.deepEqual([report.problems, report.blobs.count], [[], built.blobs.size]);
});

test('an archive is damaged if the first of two copies of a blob is, also of one that no image needs', async (t) => {
  const { images, blobs } = example();
  const file = path.join(await temporaryFolder(t), 'archive.tar');
  const spare = Buffer.from('a blob that no image needs');
  const digest = digestOf(spare);
  const name = blobPath(digest);
  const wrong = Buffer.from(spare).fill('x');
  for (const order of ['metadata-first', 'blobs-first'] as const) {
    const extra = [
      { name, body: wrong },
      { name, body: spare },
    ];
    await writeFile(file, await layoutArchive(images, blobs, { order, extra }));
    for (const source of [file, createReadStream(file)]) {
      const { problems } = await verifyArchive(source);
      assert.deepEqual(
        problems.map((problem) => [problem.code, problem.digest]),
        [['ERR_DIGEST_MISMATCH', digest]],
      );
    }
    assert.equal((await load(new MemoryStore(), file)).images.length, 1);
  }
});
