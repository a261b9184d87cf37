import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { settle, standingClock } from '../fixtures/clock.js';
import { startEngine } from '../fixtures/engine.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { leasesOf, stateOf } from '../fixtures/stores.js';
import { openFds, until } from '../fixtures/until.js';
import { watchIngests } from '../fixtures/watch-ingests.js';
import { chunk, dial, uploadHead, type Wire } from '../fixtures/wire.js';

const ARCHIVE = async (layerBytes = 0): Promise<Buffer> => {
  const built = example({ layerBytes });
  return await layoutArchive(built.images, built.blobs);
};

test('cuts many connections whose headers trickle, and serves others meanwhile', async (t) => {
  const headersMs = 2000;
  const { socket, request } = await startEngine(t, { headersMs });
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
  assert.ok(performance.now() - started >= headersMs * 0.9, 'not before their time');
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

test('cancels an upload that brings no data, and keeps only its whole blobs for the next try', async (t) => {
  const engine = await startEngine(t, { idleMs: 150 });
  const before = await stateOf(engine.store);
  const archive = await ARCHIVE(100_000);
  for (const cut of [0, 700, 150_000, archive.length]) {
    const wire = await dial({ path: engine.socket });
    await wire.send(uploadHead());
    if (cut > 0) await wire.send(chunk(archive.subarray(0, cut)));
    await wire.received(/^HTTP\/1\.1 408 .*no data arrived for 0\.15 s/s);
    wire.socket.destroy();
    await engine.store.prune({ now: Date.now() + 1000, graceMs: 0, resumeMs: 0 });
    assert.deepEqual(await stateOf(engine.store), before);
    assert.deepEqual(await leasesOf(engine.store), []);
  }
  assert.deepEqual([...new Set(engine.audit.map(({ code }) => code))], ['HTTP_408']);
});

test('accepts a steady upload that takes many times the idle timeout', async (t) => {
  const { socket } = await startEngine(t, { idleMs: 400 });
  const clock = standingClock(t);
  const wire = await dial({ path: socket });
  await wire.send(uploadHead());
  const archive = await ARCHIVE();
  const size = Math.ceil(archive.length / 40);
  for (let at = 0; at < archive.length; at += size) {
    await settle();
    clock.pass(300);
    await wire.send(chunk(archive.subarray(at, at + size)));
  }
  await wire.send(chunk());
  await wire.received('Loaded image: example/app:1');
  assert.match(wire.text(), /^HTTP\/1\.1 200 /);
});

test('does not cut a load while the server itself is busy', async (t) => {
  const idleMs = 150;
  const clock = standingClock(t);
  // Takes its time for every commit.
  const beforeCommit = async (): Promise<void> => {
    await settle();
    clock.pass(idleMs * 3);
  };
  const { request } = await startEngine(t, { idleMs, store: watchIngests(new MemoryStore(), { beforeCommit }) });
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
  const stalledMs = 800;
  const { socket, store, audit } = await startEngine(t, { stalledMs });
  await load(store, await ARCHIVE(2_000_000));
  const clock = standingClock(t);
  const wire = await dial({ path: socket });
  let passedMs = 0;
  wire.socket.on('data', () => {
    wire.socket.pause();
    void settle().then(() => {
      clock.pass(stalledMs / 16);
      passedMs += stalledMs / 16;
      wire.socket.resume();
    });
  });
  await wire.send(SAVE);
  await until(() => audit.some(({ action }) => action === 'save'), 'the save is over');
  assert.equal(audit.at(-1)?.code, 'OK');
  assert.ok(passedMs > stalledMs * 2, `longer than the stall time: ${passedMs} ms`);
  wire.socket.destroy();
});

test('does not take its own slowness for that of the reader', async (t) => {
  const stalledMs = 60;
  const store = new MemoryStore();
  await load(store, await ARCHIVE());
  const clock = standingClock(t);
  const open = store.open.bind(store);
  store.open = async function* (digest, range) {
    await settle();
    clock.pass(stalledMs * 4);
    yield* open(digest, range);
  };
  const { socket, audit } = await startEngine(t, { stalledMs, store });
  const wire = await dial({ path: socket });
  await wire.send(SAVE);
  await until(() => audit.length > 0, 'the save is over');
  assert.equal(audit[0]?.code, 'OK');
  wire.socket.destroy();
});

test('keeps a listener for events, however long nothing happens', async (t) => {
  const headersMs = 300;
  const { socket, request } = await startEngine(t, { idleMs: 50, headersMs, stalledMs: 50 });
  const clock = standingClock(t);
  const wire = await listener(socket);
  clock.pass(10_000);
  // Node checks connections every headersMs, by the machine's clock: this is long enough for some checks.
  await delay(headersMs * 4);
  assert.equal(wire.isOver(), false);
  const body = await ARCHIVE();
  // A machine that stands still may be taken for a client whose headers are late.
  await until(async () => (await request('POST', '/v1.52/images/load', { body })).status === 200, 'a load is done');
  await wire.received('"Action":"load"');
  wire.socket.destroy();
});

/** A connection on which events come. */
async function listener(socket: string): Promise<Wire> {
  for (;;) {
    const wire = await dial({ path: socket });
    await wire.send('GET /v1.52/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await until(() => wire.isOver() || wire.text().includes('200 OK'), 'the events have begun');
    if (!wire.isOver()) return wire;
  }
}
