import assert from 'node:assert/strict';
import { readFile, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { LoadOptions } from '../../src/load/load-images.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { layoutArchive, layoutEntries } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { example } from '../fixtures/example.js';
import { sampleOf } from '../fixtures/extent.js';
import { load, ORDERS } from '../fixtures/loading.js';
import { stateOf, temporaryFolder } from '../fixtures/stores.js';
import { tarOf } from '../fixtures/tar-builder.js';
import { openFds, until } from '../fixtures/until.js';
import { refusesLoad } from './refused-loads.js';

/** Large enough for threads to be started. */
const LARGE = 24 * 1024 * 1024;

async function fileWith(t: TestContext, bytes: Uint8Array): Promise<string> {
  const file = path.join(await temporaryFolder(t), 'archive.tar');
  await writeFile(file, bytes);
  return file;
}

async function newStore(t: TestContext): Promise<OciLayoutStore> {
  return await OciLayoutStore.open(await temporaryFolder(t));
}

/** Loads bytes as a stream and as a file, each into a store of its own, and asserts that the results are equal. */
async function loadsAlike(t: TestContext, bytes: Buffer, options: LoadOptions = {}): Promise<void> {
  const [streamed, read] = [await newStore(t), await newStore(t)];
  const byStream = await load(streamed, bytes, options);
  const byFile = await load(read, await fileWith(t, bytes), options);
  assert.deepEqual({ ...byFile, blobs: byFile.blobs.stored }, { ...byStream, blobs: byStream.blobs.stored });
  assert.deepEqual(await stateOf(read), await stateOf(streamed));
}

for (const order of sampleOf(ORDERS, 1, 'orders of files')) {
  test(`loads the same from a file as from a stream, order ${order}`, async (t) => {
    const built = example({ layerBytes: 300_000, attestations: true });
    const bytes = await layoutArchive(built.images, built.blobs, { order });
    await loadsAlike(t, bytes);
    await loadsAlike(t, bytes, { platforms: ['linux/arm64'] });
    await loadsAlike(t, bytes, { platforms: ['linux/arm64'], referrers: 'drop' });
  });

  test(`copies large blobs on threads, order ${order}`, async (t) => {
    const built = example({ platforms: ['linux/amd64'], layerBytes: LARGE });
    await loadsAlike(t, await layoutArchive(built.images, built.blobs, { order }));
  });

  test(`finds damage in a large blob of a file, order ${order}`, async (t) => {
    const built = example({ platforms: ['linux/amd64'], layerBytes: LARGE });
    const [, layer] = built.blobs.links(built.of('linux/amd64').digest).layers ?? [];
    const entries = layoutEntries(built.images, built.blobs, { order });
    const body = entries.find(({ name }) => layer !== undefined && name === blobPath(layer.digest))?.body;
    assert.ok(layer && body);
    body[body.length - 7] = 1 + (body[body.length - 7] ?? 0);
    const store = await newStore(t);
    const file = await fileWith(t, await tarOf(entries));
    await refusesLoad(store, { archive: file, code: 'ERR_DIGEST_MISMATCH', message: new RegExp(layer.digest) });
  });
}

test('loads a docker-archive from a file, with links and layers of other names', async (t) => {
  const built = example({ platforms: ['linux/amd64'], compression: 'none' });
  for (const prefix of ['', './'] as const) {
    await loadsAlike(t, await layoutArchive(built.images, built.blobs, { prefix }));
  }
  const manifest = built.of('linux/amd64');
  await loadsAlike(t, await dockerArchive([dockerImageOf(built.blobs, manifest, ['example/app:1'])]));
});

test('limits the entries that are not blobs in a file as in a stream', async (t) => {
  const built = example({ platforms: ['linux/amd64'] });
  const extra = Array.from({ length: 20_001 }, (_, at) => ({ name: `other/${at}` }));
  const bytes = await layoutArchive(built.images, built.blobs, { extra });
  const store = await newStore(t);
  const file = await fileWith(t, bytes);
  for (const source of [file, bytes]) {
    await refusesLoad(store, { archive: source, code: 'ERR_LIMIT_ENTRIES' });
  }
});

/** Bytes that this process has read so far, by read(2) and similar calls. */
async function bytesRead(): Promise<number> {
  return Number(/rchar: (\d+)/.exec(await readFile('/proc/self/io', 'utf8'))?.[1]);
}

test('reads no blob that is not wanted or that the store already has', async (t) => {
  const built = example({ layerBytes: 4_000_000 });
  for (const order of ORDERS) {
    const file = await fileWith(t, await layoutArchive(built.images, built.blobs, { order }));
    const store = await newStore(t);
    const { size } = await stat(file);
    const before = await bytesRead();
    await load(store, file, { platforms: ['linux/amd64'] });
    const read = (await bytesRead()) - before;
    assert.ok(read < size / 2, `${read} of ${size}`);
    const again = await bytesRead();
    await load(store, file, { platforms: ['linux/amd64'] });
    assert.ok((await bytesRead()) - again < 500_000);
  }
});

test('refuses a file that is cut at any place', async (t) => {
  const built = example({ platforms: ['linux/amd64'], layerBytes: 5_000 });
  const bytes = await layoutArchive(built.images, built.blobs);
  const file = await fileWith(t, bytes);
  const store = await newStore(t);
  for (let length = bytes.length - 513; length >= 512; length -= 1024) {
    await truncate(file, length);
    await refusesLoad(store, { archive: file, code: 'ERR_ARCHIVE_TRUNCATED' });
  }
});

test('stops copies when it is aborted, and leaves nothing open', async (t) => {
  const built = example({ platforms: ['linux/amd64'], layerBytes: LARGE });
  const file = await fileWith(t, await layoutArchive(built.images, built.blobs));
  const before = openFds();
  for (const ms of [0, 30, 80]) {
    const store = await newStore(t);
    const controller = new AbortController();
    const loading = load(store, file, { signal: controller.signal });
    await delay(ms);
    controller.abort();
    await loading.catch((error: unknown) => assert.equal((error as { code?: string }).code, 'ERR_ABORTED'));
    await until(() => openFds() <= before, 'everything is closed');
    if (
      await loading.then(
        () => false,
        () => true,
      )
    )
      assert.deepEqual((await stateOf(store)).images, []);
    await load(store, file);
    assert.equal((await stateOf(store)).images.length, 1);
  }
});
