import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine } from '../fixtures/engine.js';
import { example, FAMILIAR, leasesOf, load, stateOf } from '../fixtures/load-helpers.js';
import { openFds, until } from '../fixtures/until.js';
import { watchIngests } from '../fixtures/watch-ingests.js';
import { chunk, dial, uploadHead, type Wire } from '../fixtures/wire.js';

const ARCHIVE = async (layerBytes = 0): Promise<Buffer> => {
  const built = example({ layerBytes });
  return await layoutArchive(built.images, built.blobs);
};

test('cuts many connections whose headers trickle, and serves others meanwhile', async (t) => {
  const { socket, request } = await startEngine(t, { headersMs: 200 });
  await request('GET', '/livez', { agent: false });
  const fds = openFds();
  const wires = await Promise.all(Array.from({ length: 100 }, async () => await dial({ path: socket })));
  const started = performance.now();
  await Promise.all(wires.map(async (wire) => await wire.send('GET /livez HTTP/1.1\r\nHost: localhost\r\n')));
  const trickling = setInterval(() => {
    for (const { socket: one } of wires) if (one.writable) one.write('X-Slow: 1\r\n');
  }, 20);
  assert.equal((await request('GET', '/livez', { agent: false })).status, 200);
  await Promise.all(wires.map(async (wire) => await wire.over()));
  clearInterval(trickling);
  assert.ok(performance.now() - started >= 190);
  for (const wire of wires) assert.match(wire.text(), /^(?:HTTP\/1\.1 408 |$)/);
  await until(() => openFds() <= fds, 'the server has closed all of them');
});

test('cuts a silent connection, though its client never closes it', async (t) => {
  const { socket, request } = await startEngine(t, { headersMs: 100 });
  await request('GET', '/livez', { agent: false });
  const fds = openFds();
  const wires = await Promise.all([1, 2, 3].map(async () => await dial({ path: socket, allowHalfOpen: true })));
  await Promise.all(wires.map(async (wire) => await wire.over()));
  // The test's own ends are still open.
  await until(() => openFds() <= fds + wires.length, 'the server has closed its ends');
  for (const wire of wires) wire.socket.destroy();
});

test('cancels an upload that brings no data, and leaves nothing of it', async (t) => {
  const engine = await startEngine(t, { idleMs: 150 });
  const before = await stateOf(engine.store);
  const archive = await ARCHIVE(100_000);
  for (const cut of [0, 700, 150_000, archive.length]) {
    const wire = await dial({ path: engine.socket });
    await wire.send(uploadHead());
    if (cut > 0) await wire.send(chunk(archive.subarray(0, cut)));
    await wire.received(/^HTTP\/1\.1 408 .*no data arrived for 0\.15 s/s);
    wire.socket.destroy();
    assert.deepEqual(await stateOf(engine.store), before);
    assert.deepEqual(await leasesOf(engine.store), []);
  }
  assert.deepEqual([...new Set(engine.audit.map(({ code }) => code))], ['HTTP_408']);
});

/** Sends pieces with a pause before each, then the end. */
async function trickle(wire: Wire, archive: Buffer, pieces: number, pauseMs: number): Promise<void> {
  const size = Math.ceil(archive.length / pieces);
  for (let at = 0; at < archive.length; at += size) {
    await delay(pauseMs);
    await wire.send(chunk(archive.subarray(at, at + size)));
  }
  await wire.send(chunk());
}

test('accepts a steady upload that takes many times the idle timeout', async (t) => {
  const { socket } = await startEngine(t, { idleMs: 400, headersMs: 400 });
  const wire = await dial({ path: socket });
  await wire.send(uploadHead());
  await trickle(wire, await ARCHIVE(), 40, 60);
  await wire.received('Loaded image: example/app:1');
  assert.match(wire.text(), /^HTTP\/1\.1 200 /);
});

/** A store whose commits are slow. */
function slowStore(busyMs: number): Store {
  const store = new MemoryStore();
  return watchIngests(store, { beforeCommit: async () => await delay(busyMs) });
}

test('does not cut a load while the server itself is busy', async (t) => {
  const idleMs = 150;
  const { request } = await startEngine(t, { idleMs, store: slowStore(idleMs * 3) });
  const built = example({ platforms: ['linux/amd64'], layerBytes: 300_000 });
  const body = await layoutArchive(built.images, built.blobs);
  const { status, text } = await request('POST', '/v1.52/images/load', { body });
  assert.deepEqual([status, text], [200, '{"stream":"Loaded image: example/app:1\\n"}\r\n']);
});

const SAVE = `GET /v1.52/images/get?names=${FAMILIAR} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

test('cuts a reader who reads nothing', async (t) => {
  const { socket, store, audit, request } = await startEngine(t, { stalledMs: 100 });
  await load(store, await ARCHIVE(500_000));
  await request('GET', '/livez', { agent: false });
  const fds = openFds();
  const wire = await dial({ path: socket });
  wire.socket.pause();
  await wire.send(SAVE);
  await until(() => audit.some(({ action }) => action === 'save'), 'the save is over');
  assert.equal(audit.at(-1)?.code, 'CLIENT_GONE');
  wire.socket.destroy();
  await until(() => openFds() <= fds, 'everything is closed');
});

test('does not cut a reader who is slow and steady', async (t) => {
  const { socket, store, audit } = await startEngine(t, { stalledMs: 800 });
  await load(store, await ARCHIVE(2_000_000));
  const wire = await dial({ path: socket });
  wire.socket.on('data', () => {
    wire.socket.pause();
    setTimeout(() => wire.socket.resume(), 12);
  });
  const started = performance.now();
  await wire.send(SAVE);
  await until(() => audit.some(({ action }) => action === 'save'), 'the save is over');
  assert.equal(audit.at(-1)?.code, 'OK');
  assert.ok(performance.now() - started > 1600, 'longer than the stall time');
  wire.socket.destroy();
});

test('does not take its own slowness for that of the reader', async (t) => {
  const store = new MemoryStore();
  await load(store, await ARCHIVE());
  const open = store.open.bind(store);
  store.open = async function* (digest, range) {
    await delay(250);
    yield* open(digest, range);
  };
  const { socket, audit } = await startEngine(t, { stalledMs: 60, store });
  const wire = await dial({ path: socket });
  await wire.send(SAVE);
  await until(() => audit.length > 0, 'the save is over');
  assert.equal(audit[0]?.code, 'OK');
  wire.socket.destroy();
});

test('keeps a listener for events, however long nothing happens', async (t) => {
  const { socket, request } = await startEngine(t, { idleMs: 50, headersMs: 50, stalledMs: 50 });
  const wire = await dial({ path: socket });
  await wire.send('GET /v1.52/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await wire.received('200 OK');
  // Node checks connections every headersMs: this is long enough for many checks.
  await delay(500);
  assert.equal(wire.isOver(), false);
  await request('POST', '/v1.52/images/load', { body: await ARCHIVE() });
  await wire.received('"Action":"load"');
  wire.socket.destroy();
});
