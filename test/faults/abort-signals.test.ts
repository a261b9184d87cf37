import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { example, NAME } from '../fixtures/example.js';
import { chunksOf, load } from '../fixtures/loading.js';
import { HOST } from '../fixtures/saved-archive.js';
import { seededRandom } from '../fixtures/seeded.js';
import { openFds, until } from '../fixtures/until.js';
import { faultFolder, IS_ALL, SEED, reportCounts } from './form.js';
import { judge } from './store-oracle.js';

/** A run in this process takes milliseconds, so `npm run test:all` makes as many runs as the long form. */
const TIMES = IS_ALL ? 200 : 50;

/** The abort comes after at most this number of turns of the event loop. */
const TURNS = 1500;

async function abortAfter(turns: number, controller: AbortController): Promise<void> {
  for (let turn = 0; turn < turns && !controller.signal.aborted; turn += 1) await new Promise(setImmediate);
  controller.abort();
}

test('a load in this process, aborted at any time, leaves no file open, and only leases marked as ended', async (t) => {
  const { images, blobs } = example({ layerBytes: 100_000 });
  const archive = await layoutArchive(images, blobs);
  const random = seededRandom(`${SEED} aborts`);
  const folder = await faultFolder(t);
  const fds = openFds();
  let aborted = 0;
  for (let time = 0; time < TIMES; time += 1) {
    const store = await OciLayoutStore.open(path.join(folder, String(time)));
    const controller = new AbortController();
    const abort = abortAfter(random.int(TURNS), controller);
    const error: unknown = await load(store, chunksOf(archive), { signal: controller.signal }).then(
      () => undefined,
      (error: unknown) => error,
    );
    controller.abort();
    await abort;
    if (error !== undefined) aborted += 1;
    const { images, problems, missing, seen } = await judge(store.directory);
    assert.deepEqual({ problems, missing, ingest: seen.ingest }, { problems: [], missing: [], ingest: [] });
    assert.equal(images.length, error === undefined ? 1 : 0);
    for (const lease of seen.leases) {
      assert.match(await readFile(path.join(store.directory, '.lading/leases', lease), 'utf8'), /\nended\n$/);
    }
  }
  await until(() => openFds() <= fds, 'every file is closed');
  reportCounts(t, 'abort signals, load', { aborted, untouched: TIMES - aborted, violations: 0 });
  assert.ok(aborted > TIMES / 10, `${aborted} loads were aborted`);
});

test('a save in this process, aborted at any time, leaves no file open and no lease', async (t) => {
  const { images, blobs } = example({ layerBytes: 100_000 });
  const store = await OciLayoutStore.open(path.join(await faultFolder(t), 'store'));
  await load(store, await layoutArchive(images, blobs));
  const random = seededRandom(`${SEED} aborted saves`);
  const fds = openFds();
  let aborted = 0;
  for (let time = 0; time < TIMES; time += 1) {
    const controller = new AbortController();
    const { signal } = controller;
    const abort = abortAfter(random.int(TURNS / 10), controller);
    try {
      const plan = await planExport(store, [NAME], { hostPlatform: HOST, signal });
      for await (const chunk of exportImages(store, plan, { signal })) assert.ok(chunk);
    } catch {
      aborted += 1;
    }
    controller.abort();
    await abort;
  }
  await until(() => openFds() <= fds, 'every file is closed');
  assert.deepEqual(await readdir(path.join(store.directory, '.lading/leases')), []);
  reportCounts(t, 'abort signals, save', { aborted, untouched: TIMES - aborted, violations: 0 });
  assert.ok(aborted > TIMES / 10, `${aborted} saves were aborted`);
});
