import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { removeImages } from '../../src/edit/remove-images.js';
import { exportImages } from '../../src/export/export-images.js';
import { planExport, type ExportPlan } from '../../src/export/plan-export.js';
import { decorated } from '../../src/model/decorated.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { load, loadLayout, statesOf } from '../fixtures/loading.js';
import { bytesOf, HOST } from '../fixtures/saved-archive.js';
import { leasesOf, onEachStore, temporaryFolder } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';
import { digestsIn } from '../suites/stored.js';

const PRUNE_ALL = { now: Date.now() + 60 * 60 * 1000, graceMs: 0 };

/** The plan of the example, with layers too large for the buffers between store and reader. */
async function planned(store: Store): Promise<ExportPlan> {
  const { images, blobs } = example({ layerBytes: 1_500_000 });
  await loadLayout(store, images, blobs);
  return await planExport(store, [FAMILIAR], { hostPlatform: HOST });
}

async function leaseEnds(store: Store): Promise<void> {
  await until(async () => (await leasesOf(store)).length === 0, 'the claims of the export are gone');
}

onEachStore('finishes an archive whose image is removed and pruned meanwhile', async (open) => {
  const store = await open();
  const plan = await planned(store);
  const archive = exportImages(store, plan);
  const reader = archive[Symbol.asyncIterator]();
  const first = (await reader.next()) as IteratorResult<Buffer, undefined>;
  assert.deepEqual((await removeImages(store, [FAMILIAR])).deleted, []);
  await store.prune(PRUNE_ALL);
  const rest: Buffer[] = [];
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) rest.push(next.value as Buffer);
  const bytes = Buffer.concat([first.value ?? Buffer.alloc(0), ...rest]);
  assert.equal(bytes.length, plan.size);
  const copy = new MemoryStore();
  assert.deepEqual(new Set(Object.values(statesOf((await load(copy, bytes)).images[0]))), new Set(['complete']));
  await leaseEnds(store);
  await store.prune(PRUNE_ALL);
  assert.deepEqual(await digestsIn(store), []);
});

onEachStore('fails before the first byte if a blob was removed since the plan was made', async (open) => {
  const store = await open();
  const plan = await planned(store);
  await removeImages(store, [FAMILIAR]);
  let bytes = 0;
  const read = async (): Promise<void> => {
    for await (const chunk of exportImages(store, plan)) bytes += (chunk as Buffer).length;
  };
  await assert.rejects(read, { code: 'ERR_BLOB_MISSING' });
  assert.equal(bytes, 0);
  await leaseEnds(store);
});

onEachStore('refuses to plan an image that is removed meanwhile', async (open) => {
  const store = await open();
  await planned(store);
  const racing = decorated<Store>(store, {
    stat: async (digest, kind) => {
      if ((await store.list()).length > 0) await removeImages(store, [FAMILIAR]);
      return await store.stat(digest, kind);
    },
  });
  await assert.rejects(planExport(racing, [FAMILIAR], { hostPlatform: HOST }), { category: 'not-found' });
});

test('claims blobs while it reads, and releases them however the stream ends', async (t) => {
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  const plan = await planned(store);
  assert.deepEqual(await leasesOf(store), [], 'a plan that is never executed holds nothing');
  const blobs = plan.entries.filter(({ content }) => 'digest' in content).length;
  const controller = new AbortController();
  const endings: Readonly<Record<string, (archive: ReturnType<typeof exportImages>) => unknown>> = {
    'read to its end': async (archive) => await bytesOf(archive),
    destroyed: (archive) => archive.destroy(),
    'destroyed with an error': (archive) => archive.once('error', () => {}).destroy(new Error('enough')),
    aborted: (archive) => {
      archive.once('error', () => {});
      controller.abort();
    },
  };
  for (const [how, end] of Object.entries(endings)) {
    const archive = exportImages(store, plan, { signal: controller.signal });
    await until(() => archive.readableLength > 0, 'the archive has begun');
    const lines = (await leasesOf(store)).flatMap((text) => text.trim().split('\n'));
    assert.equal(lines.length, 1 + blobs, how);
    await end(archive);
    await leaseEnds(store);
  }
});

test('releases its claims if a blob is damaged or the plan fails', async (t) => {
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  const plan = await planned(store);
  const last = plan.entries.at(-1)?.content;
  assert.ok(last !== undefined && 'digest' in last);
  await rm(path.join(store.directory, blobPath(last.digest)));
  await assert.rejects(bytesOf(exportImages(store, plan)), { code: 'ERR_BLOB_MISSING' });
  await assert.rejects(bytesOf(exportImages(store, ['nothing:1'])), { code: 'ERR_IMAGE_UNKNOWN' });
  await leaseEnds(store);
});

test('claims blobs of a read-only store only with claimReads', async (t) => {
  const directory = await temporaryFolder(t);
  const plan = await planned(await OciLayoutStore.open(directory));
  for (const claimReads of [false, true]) {
    const store = await OciLayoutStore.open(directory, { readOnly: true, claimReads });
    const archive = exportImages(store, plan);
    await until(() => archive.readableLength > 0, 'the archive has begun');
    assert.equal((await leasesOf(store)).length, claimReads ? 1 : 0);
    assert.equal((await bytesOf(archive)).length, plan.size);
    await leaseEnds(store);
  }
  assert.deepEqual(
    (await (await OciLayoutStore.open(directory)).list()).map(({ name }) => name),
    [NAME],
  );
});
