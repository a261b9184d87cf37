import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { exportImages } from '../../src/export/export-images.js';
import { planExport, type ExportPlan } from '../../src/export/plan-export.js';
import { canSend, sendArchive } from '../../src/export/send-archive.js';
import { BLOB_CHANNEL } from '../../src/flow/tracing.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { ImageSource } from '../../src/stores/store.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { example, FAMILIAR, type Example } from '../fixtures/example.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { fill, leasesOf, temporaryFolder } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';

const { signal } = new AbortController();

async function sent(source: ImageSource, plan: ExportPlan): Promise<Buffer | false> {
  const chunks: Buffer[] = [];
  const send = async (chunk: Buffer): Promise<void> => void chunks.push(Buffer.from(chunk));
  return (await sendArchive(source, plan, { send, signal })) && Buffer.concat(chunks);
}

const layoutStore = async (t: TestContext) => await OciLayoutStore.open(await temporaryFolder(t));

const records = ({ root }: Example) => [{ name: `docker.io/${FAMILIAR}`, descriptor: root }];

test('sends the bytes of the stream, and tells of each blob on the channels', async (t) => {
  const store = await layoutStore(t);
  const built = example();
  await fill(store, records(built), built.blobs);
  const plan = await planExport(store, [FAMILIAR]);
  const told: unknown[] = [];
  const listen = (event: unknown): void => void told.push(event);
  BLOB_CHANNEL.subscribe(listen);
  t.after(() => BLOB_CHANNEL.unsubscribe(listen));
  const bytes = await sent(store, plan);
  assert.ok(bytes !== false && bytes.equals(await bytesOf(exportImages(store, plan))));
  assert.ok(told.length >= plan.blobs.count);
  await until(async () => (await leasesOf(store)).length === 0, 'no claim is left');
});

test('is not worth a thread for a small archive', async (t) => {
  const store = await layoutStore(t);
  const built = example();
  await fill(store, records(built), built.blobs);
  assert.equal(canSend(await planExport(store, [FAMILIAR])), false);
});

test('leaves blobs that are in no file to the stream', async () => {
  const store = new MemoryStore();
  const built = example();
  await fill(store, records(built), built.blobs);
  assert.equal(await sent(store, await planExport(store, [FAMILIAR])), false);
});

test('sends nothing if a blob was removed since the plan was made', async (t) => {
  const store = await layoutStore(t);
  const built = example();
  await fill(store, records(built), built.blobs);
  const plan = await planExport(store, [FAMILIAR]);
  const [layer] = built.blobs.links(built.of('linux/arm/v7').digest).layers ?? [];
  await rm(path.join(store.directory, blobPath(layer?.digest ?? built.root.digest)));
  let isCalled = false;
  const send = async (): Promise<void> => void (isCalled = true);
  await assert.rejects(sendArchive(store, plan, { send, signal }), { code: 'ERR_BLOB_MISSING' });
  assert.equal(isCalled, false);
  assert.deepEqual(await leasesOf(store), []);
});
