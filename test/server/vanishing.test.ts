import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine, type Engine } from '../fixtures/engine.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { seededRandom } from '../fixtures/seeded.js';
import { leasesOf, stateOf } from '../fixtures/stores.js';
import { openFds, until } from '../fixtures/until.js';
import { chunk, dial, uploadHead } from '../fixtures/wire.js';

const OFFSETS = 60;
const HOUR = 60 * 60 * 1000;

/** No timeout helps the server: it has to see by itself that a client is gone. */
const NO_TIMEOUTS = { headersMs: HOUR, idleMs: HOUR, stalledMs: HOUR, lingerMs: HOUR };

/** What must be gone soon after a client: open files and sockets, its transfer, claims, half-written files. */
async function leavesNothing({ store, folder, request }: Engine, fds: number): Promise<void> {
  const what = 'everything of the client that is gone has been cleared away';
  await until(async () => (await activeTransfers(request)) === 0, what);
  await until(() => openFds() <= fds, what);
  // Whole blobs of an upload stay for the next try, under a lease that is over.
  await until(async () => (await leasesOf(store)).every((lease) => lease.endsWith('\nended\n')), what);
  await store.prune({ now: Date.now() + 1000, graceMs: 0, resumeMs: 0 });
  assert.deepEqual(await leasesOf(store), []);
  assert.deepEqual(await readdir(path.join(folder, '.lading', 'ingest')), []);
}

async function activeTransfers(request: Engine['request']): Promise<number> {
  const { text } = await request('GET', '/metrics', { agent: false });
  return [...text.matchAll(/^lading_transfers_active\{[^}]*\} (\d+)$/gm)].reduce((sum, [, n]) => sum + Number(n), 0);
}

async function fdsAtRest(request: Engine['request']): Promise<number> {
  await activeTransfers(request);
  return openFds();
}

const SAVE = `GET /v1.52/images/get?names=${FAMILIAR} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** A server with the example, and how many files it has open. */
async function loadedEngine(t: TestContext, layerBytes = 0): Promise<{ engine: Engine; fds: number }> {
  const engine = await startEngine(t, NO_TIMEOUTS);
  const built = example({ layerBytes });
  await load(engine.store, await layoutArchive(built.images, built.blobs));
  return { engine, fds: await fdsAtRest(engine.request) };
}

for (const ending of ['end', 'destroy'] as const) {
  test(`forgets clients that ${ending} their upload at any point, one by one`, async (t) => {
    const engine = await startEngine(t, NO_TIMEOUTS);
    const random = seededRandom(`upload-${ending}`);
    const built = example({ layerBytes: 20_000 });
    const archive = await layoutArchive(built.images, built.blobs);
    const before = await stateOf(engine.store);
    const fds = await fdsAtRest(engine.request);
    for (let n = 0; n < OFFSETS; n += 1) {
      await uploadUntil(engine, archive.subarray(0, random.int(archive.length)), ending);
      await until(() => engine.audit.length > n, 'the audit knows');
      assert.deepEqual((await stateOf(engine.store)).images, before.images);
    }
    await leavesNothing(engine, fds);
    assert.deepEqual(await stateOf(engine.store), before);
    assert.deepEqual([...new Set(engine.audit.map(({ code }) => code))], ['CLIENT_GONE']);
  });
}

async function uploadUntil({ socket }: Engine, bytes: Buffer, ending: 'end' | 'destroy'): Promise<void> {
  const wire = await dial({ path: socket });
  await wire.send(uploadHead());
  if (bytes.length > 0) await wire.send(chunk(bytes));
  const closed = once(wire.socket, 'close');
  wire.socket[ending]();
  await closed;
}

test('forgets many clients that go away at once in their uploads', async (t) => {
  const engine = await startEngine(t, NO_TIMEOUTS);
  const random = seededRandom('uploads');
  const built = example({ layerBytes: 20_000 });
  const archive = await layoutArchive(built.images, built.blobs);
  const fds = await fdsAtRest(engine.request);
  const cuts = Array.from({ length: OFFSETS }, () => random.int(archive.length));
  await Promise.all(cuts.map(async (cut) => await uploadUntil(engine, archive.subarray(0, cut), 'destroy')));
  await leavesNothing(engine, fds);
  assert.deepEqual(await engine.store.list(), []);
  assert.deepEqual((await stateOf(engine.store)).blobs, []);
});

test('forgets clients that go away at any point of their download', async (t) => {
  const { engine, fds } = await loadedEngine(t, 600_000);
  const random = seededRandom('download');
  const before = await stateOf(engine.store);
  const { headers } = await engine.request('HEAD', `/images/${FAMILIAR}/get`, { agent: false });
  const size = Number(headers['content-length']);
  for (let n = 0; n < OFFSETS; n += 1) {
    const wire = await dial({ path: engine.socket });
    const cut = random.int(size);
    wire.socket.on('data', () => {
      if (wire.socket.bytesRead > cut) wire.socket.destroy();
    });
    const closed = once(wire.socket, 'close');
    await wire.send(SAVE);
    await closed;
  }
  await leavesNothing(engine, fds);
  assert.deepEqual(await stateOf(engine.store), before);
});

test('forgets clients that go away before their archive begins', async (t) => {
  const { engine, fds } = await loadedEngine(t);
  for (let n = 0; n < OFFSETS; n += 1) {
    const wire = await dial({ path: engine.socket });
    await wire.send(SAVE);
    wire.socket.destroy();
  }
  await leavesNothing(engine, fds);
});

test('forgets clients that asked for several archives in a row and go away during the first', async (t) => {
  const { engine, fds } = await loadedEngine(t, 600_000);
  for (let n = 0; n < 5; n += 1) {
    const wire = await dial({ path: engine.socket });
    wire.socket.pause();
    await wire.send(SAVE.repeat(3));
    await until(async () => (await activeTransfers(engine.request)) > 0, 'the first is on its way');
    assert.equal(await activeTransfers(engine.request), 1, 'those behind it hold nothing');
    wire.socket.destroy();
  }
  await leavesNothing(engine, fds);
});
