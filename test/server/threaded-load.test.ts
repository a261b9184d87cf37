import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import type { ServerOptions } from '../../src/server/index.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine, type Engine } from '../fixtures/engine.js';
import { startEngineStand } from '../fixtures/engine-process.js';
import { example } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { leasesOf, stateOf, temporaryFolder } from '../fixtures/stores.js';
import { openFds, until } from '../fixtures/until.js';
import { chunk, dial, uploadHead } from '../fixtures/wire.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';

/*
 * Loads whose large layers go into their files as they come, and are hashed there by threads.
 */

/** Enough for threads to start: beyond 16 MiB. */
const built = example({
  platforms: ['linux/amd64', 'linux/arm64'],
  layers: 2,
  layerBytes: 5_000_000,
  compression: 'none',
});
const archive = await layoutArchive(built.images, built.blobs);

const HOUR = 60 * 60 * 1000;
const NO_TIMEOUTS: ServerOptions = { headersMs: HOUR, idleMs: HOUR, stalledMs: HOUR, lingerMs: HOUR };

const LOAD = '/images/load?quiet=1';

async function leavesNothing({ store, folder }: Engine, fds: number): Promise<void> {
  await until(() => openFds() <= fds, 'all files are closed');
  await until(async () => (await leasesOf(store)).every((lease) => lease.endsWith('\nended\n')), 'the leases are over');
  assert.deepEqual(await readdir(path.join(folder, '.lading', 'ingest')), []);
}

test('loads what the library loads, in chunks and with a length, again and again', async (t) => {
  const engine = await startEngine(t);
  const plain = await OciLayoutStore.open(await temporaryFolder(t));
  await load(plain, archive);
  const headers = [{ 'content-length': archive.length }, {}];
  for (const header of [...headers, ...headers]) {
    const { status, text } = await engine.request('POST', LOAD, { body: archive, headers: header });
    assert.equal(status, 200, text);
    assert.deepEqual(await stateOf(engine.store), await stateOf(plain));
  }
});

test('refuses an archive with a damaged layer, and leaves nothing', async (t) => {
  const layers = [...built.blobs].filter(([, bytes]) => bytes.length > 1_000_000);
  assert.equal(layers.length, 4);
  for (const [, bytes] of [layers[0], layers[3]].filter((layer) => layer !== undefined)) {
    const engine = await startEngine(t);
    await engine.request('GET', '/_ping', { agent: false });
    const fds = openFds();
    const damaged = Buffer.from(archive);
    const at = damaged.indexOf(bytes) + bytes.length - 7;
    damaged[at] = (damaged[at] ?? 0) ^ 1;
    const { status, text } = await engine.request('POST', LOAD, { body: damaged, agent: false });
    assert.equal(status, 422, text);
    assert.match(text, /hashes to/);
    assert.deepEqual(await stateOf(engine.store), { images: [], blobs: [] });
    await leavesNothing(engine, fds);
  }
});

async function uploadUntil(engine: Engine, bytes: Buffer, ending: 'end' | 'destroy'): Promise<void> {
  const wire = await dial({ path: engine.socket });
  await wire.send(uploadHead());
  if (bytes.length > 0) await wire.send(chunk(bytes));
  const closed = once(wire.socket, 'close');
  wire.socket[ending]();
  await closed;
}

test('forgets clients that go away at any byte, and resumes', async (t) => {
  const engine = await startEngine(t, NO_TIMEOUTS);
  await engine.request('GET', '/_ping', { agent: false });
  const fds = openFds();
  const limits = [0, 100, 600, 2_000_000, 7_000_000, 19_000_000];
  for (const [at, limit] of limits.entries()) {
    await uploadUntil(engine, archive.subarray(0, limit), at % 2 === 0 ? 'end' : 'destroy');
    await until(() => engine.audit.length > at, 'the audit knows');
    assert.deepEqual(await engine.store.list(), []);
    await leavesNothing(engine, fds);
  }
  assert.deepEqual([...new Set(engine.audit.map(({ code }) => code))], ['CLIENT_GONE']);
  assert.equal((await engine.request('POST', LOAD, { body: archive, agent: false })).status, 200);
});

test('cancels an upload that falls silent in a layer', async (t) => {
  const engine = await startEngine(t, { idleMs: 200 });
  const wire = await dial({ path: engine.socket });
  await wire.send(uploadHead());
  await wire.send(chunk(archive.subarray(0, 7_000_000)));
  assert.match(await wire.over(), /^HTTP\/1\.1 408 /);
  assert.deepEqual(await engine.store.list(), []);
});

test('ends a load in a layer if the server stops without waiting', async (t) => {
  const engine = await startEngine(t, NO_TIMEOUTS);
  const wire = await dial({ path: engine.socket });
  await wire.send(uploadHead());
  await wire.send(chunk(archive.subarray(0, 7_000_000)));
  await engine.server.stop({ graceMs: 0 });
  await wire.over();
  assert.deepEqual(await engine.store.list(), []);
  assert.equal(engine.audit.length, 1);
});

test('a kill in a layer leaves a store that the next server uses', async (t: TestContext) => {
  const { engine, store } = await startEngineStand(t);
  const wire = await dial({ path: engine.socket });
  await wire.send(uploadHead());
  await wire.send(chunk(archive.subarray(0, 15_000_000)));
  await engine.stop('SIGKILL');
  const opened = await OciLayoutStore.open(store);
  assert.deepEqual(await opened.list(), []);
  await load(opened, archive);
  assert.equal((await opened.list()).length, 1);
});
