import assert from 'node:assert/strict';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { mock, test } from 'node:test';
import { storeNamed } from '../../examples/blob.js';
import { writeDemoArchive } from '../../examples/demo-image.js';
import { renameAndSlim } from '../../examples/edit.js';
import { entryNames } from '../../examples/entries.js';
import { loadIfWhole } from '../../examples/errors.js';
import { showImages } from '../../examples/inspect.js';
import { loadTwoPlatforms } from '../../examples/load.js';
import { identify } from '../../examples/names.js';
import { packTexts } from '../../examples/pack.js';
import { runnableOnArm } from '../../examples/platforms.js';
import { savePlatform } from '../../examples/save.js';
import { serve } from '../../examples/serve.js';
import { openAndPrune } from '../../examples/store.js';
import { repair } from '../../examples/verify.js';
import { listImages, loadImages, MemoryStore, parsePlatform, type Store } from '../../src/index.js';

const NAME = 'docker.io/example/demo:1';
const PLATFORMS = ['linux/amd64', 'linux/arm64', 'linux/s390x'];

/** The platforms of each image that are complete, by name. */
async function completeIn(store: Store): Promise<Readonly<Record<string, readonly string[]>>> {
  const { images } = await listImages(store);
  return Object.fromEntries(
    images.map(({ name, platforms }) => [
      name,
      platforms.filter(({ state }) => state === 'complete').map(({ platform }) => platform),
    ]),
  );
}

test('each example does what its comment says', async (t) => {
  const printed: string[] = [];
  const print = (...values: readonly unknown[]): void => void printed.push(values.join(' '));
  for (const method of ['log', 'warn', 'error'] as const) t.mock.method(console, method, mock.fn(print));
  const folder = await mkdtemp(path.join(tmpdir(), 'lading-examples-'));
  t.after(async () => await rm(folder, { recursive: true }));
  const file = path.join(folder, 'demo.tar');
  await writeDemoArchive(file, NAME, PLATFORMS);

  await t.test('load.ts', async () => {
    const store = new MemoryStore();
    await loadTwoPlatforms(store, file);
    assert.deepEqual(await completeIn(store), { [NAME]: ['linux/amd64', 'linux/arm64'] });
    assert.ok(printed.includes(`loaded ${NAME}`));
  });

  await t.test('save.ts', async () => {
    const [source, copy] = [new MemoryStore(), new MemoryStore()];
    await loadImages(source, file);
    const saved = path.join(folder, 'saved.tar');
    await savePlatform(source, NAME, createWriteStream(saved));
    await loadImages(copy, saved);
    assert.deepEqual(await completeIn(copy), { [NAME]: ['linux/arm64'] });
  });

  await t.test('inspect.ts', async () => {
    const store = new MemoryStore();
    await loadImages(store, file);
    await showImages(store, NAME);
    assert.ok(printed.some((line) => line.startsWith('example/demo:1: linux/amd64 (complete), ')));
  });

  await t.test('edit.ts', async () => {
    const store = new MemoryStore();
    await loadImages(store, file);
    await renameAndSlim(store, NAME, 'example/renamed:2');
    assert.deepEqual(await completeIn(store), { 'docker.io/example/renamed:2': ['linux/amd64', 'linux/arm64'] });
  });

  await t.test('store.ts, verify.ts and serve.ts', async () => {
    const store = await openAndPrune(path.join(folder, 'store'));
    await loadImages(store, file);
    await repair(store);
    assert.deepEqual(await completeIn(store), { [NAME]: PLATFORMS });
    const server = await serve(store, path.join(folder, 'lading.sock'));
    await server.stop({ graceMs: 0 });
    assert.ok(printed.includes(`listening on unix://${path.join(folder, 'lading.sock')}`));
  });

  await t.test('platforms.ts', () => {
    const candidates = ['linux/amd64', 'linux/arm/v6', 'linux/arm/v7'].map((text) => parsePlatform(text));
    assert.deepEqual(runnableOnArm(candidates), ['linux/arm/v7', 'linux/arm/v6']);
  });

  await t.test('names.ts', () => {
    const empty = 'sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    assert.deepEqual(identify('alpine', Buffer.alloc(0)), ['docker.io/library/alpine:latest', empty]);
  });

  await t.test('errors.ts', async () => {
    const report = await loadIfWhole(new MemoryStore(), file);
    assert.equal(report?.images.length, 1);
  });

  await t.test('blob.ts', async () => {
    const store = new MemoryStore();
    const { digest } = await storeNamed(store, NAME, 'application/vnd.oci.image.index.v1+json', Buffer.from('{}'));
    assert.deepEqual(
      (await store.list()).map(({ name, descriptor }) => [name, descriptor.digest]),
      [[NAME, digest]],
    );
  });

  await t.test('pack.ts', async () => {
    const packed = path.join(folder, 'texts.tar');
    await packTexts({ 'a.txt': 'a', 'b.txt': 'b' }, createWriteStream(packed));
    assert.deepEqual(await entryNames(createReadStream(packed)), ['a.txt', 'b.txt']);
  });

  await t.test('entries.ts', async () => {
    const names = await entryNames(createReadStream(file));
    assert.deepEqual(names.slice(0, 2), ['oci-layout', 'index.json']);
  });
});
