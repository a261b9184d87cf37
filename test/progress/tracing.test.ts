import assert from 'node:assert/strict';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import { test, type TestContext } from 'node:test';
import { copyImages } from '../../src/copy/copy-images.js';
import { exportImages } from '../../src/export/export-images.js';
import { loadImages } from '../../src/load/load-images.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { example, NAME } from '../fixtures/example.js';
import { chunksOf } from '../fixtures/loading.js';
import { bytesOf, HOST } from '../fixtures/saved-archive.js';
import { onEachStore, storeOf } from '../fixtures/stores.js';

const built = example();
const archive = await layoutArchive(built.images, built.blobs);

/** What the channel of an operation publishes: the event, and its context. */
function heard(t: TestContext, op: string): [event: string, context: Readonly<Record<string, unknown>>][] {
  const events: [string, Readonly<Record<string, unknown>>][] = [];
  const note = (event: string) => (context: unknown) =>
    void events.push([event, { ...(context as Readonly<Record<string, unknown>>) }]);
  const listeners = {
    start: note('start'),
    end: note('end'),
    asyncStart: note('asyncStart'),
    asyncEnd: note('asyncEnd'),
    error: note('error'),
  };
  const found = tracingChannel(`lading:${op}`);
  found.subscribe(listeners);
  t.after(() => found.unsubscribe(listeners));
  return events;
}

onEachStore('traces each operation with what was asked for, and its result', async (open, t) => {
  const [save, load, verify, prune] = ['save', 'load', 'verify', 'prune'].map((op) => heard(t, op));
  const store = await storeOf(open, built);
  await bytesOf(exportImages(store, [NAME], { hostPlatform: HOST, platforms: ['linux/amd64'] }));
  await loadImages(store, chunksOf(archive));
  await verifyImages(store, [NAME]);
  await store.prune({ graceMs: 0, now: 0 });
  await store.prune({ graceMs: 0, now: 0, dryRun: true });
  for (const events of [save, load, verify, prune])
    assert.deepEqual(
      events?.map(([event]) => event),
      ['start', 'end', 'asyncStart', 'asyncEnd'],
    );
  const [op, images, platforms] = ['op', 'images', 'platforms'].map((key) => save?.[0]?.[1][key]);
  assert.deepEqual([op, images, platforms, save?.[0]?.[1]['store']], ['save', [NAME], ['linux/amd64'], store]);
  assert.ok(Number((save?.[3]?.[1]['result'] as { size?: number } | undefined)?.size) > 0);
  assert.equal((load?.[3]?.[1]['result'] as { incomplete?: boolean } | undefined)?.incomplete, false);
});

onEachStore('traces a copy', async (open, t) => {
  const events = heard(t, 'copy');
  const [source, destination] = [await storeOf(open, built), new MemoryStore()];
  await copyImages(source, destination, [NAME], { platforms: ['linux/amd64'] });
  assert.deepEqual(
    events.map(([event]) => event),
    ['start', 'end', 'asyncStart', 'asyncEnd'],
  );
  const { op, images, platforms, store } = events[0]?.[1] ?? {};
  assert.deepEqual([op, images, platforms, store], ['copy', [NAME], ['linux/amd64'], destination]);
  assert.equal((events[3]?.[1]['result'] as { incomplete?: boolean } | undefined)?.incomplete, false);
});

onEachStore('traces an error', async (open, t) => {
  const events = heard(t, 'load');
  await assert.rejects(loadImages(await open(), chunksOf(archive.subarray(0, 3000))));
  assert.deepEqual(
    events.map(([event]) => event),
    ['start', 'end', 'error', 'asyncStart', 'asyncEnd'],
  );
  assert.equal((events[2]?.[1]['error'] as { code?: string } | undefined)?.code, 'ERR_ARCHIVE_TRUNCATED');
});

test('publishes blobs and warnings to whoever subscribes to them alone', async (t) => {
  const blobs: unknown[] = [];
  const note = (event: unknown): void => void blobs.push(event);
  channel('lading:blob').subscribe(note);
  t.after(() => channel('lading:blob').unsubscribe(note));
  await loadImages(new MemoryStore(), chunksOf(archive));
  assert.deepEqual(
    blobs.map((event) => (event as { state: string }).state),
    [...built.blobs.keys()].map(() => 'done'),
  );
});
