import assert from 'node:assert/strict';
import { test } from 'node:test';
import { UnreadEvents } from '../../src/server/unread-events.js';
import { tagImage } from '../../src/edit/tag-image.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { startEngine } from '../fixtures/engine.js';
import { example, NAME } from '../fixtures/example.js';
import { fill } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';
import { dial } from '../fixtures/wire.js';

/** A reader that leaves bytes unread until it is cut. */
function readerOf(unread: number) {
  return {
    isCut: false,
    unread: () => unread,
    cut() {
      this.isCut = true;
    },
  };
}

test('cuts the slowest readers until half of the limit is left', () => {
  const events = new UnreadEvents(1000);
  const readers = [100, 400, 0, 450, 51].map(readerOf);
  for (const reader of readers) events.add(reader);
  events.wrote(1000);
  assert.ok(readers.every(({ isCut }) => !isCut));
  events.wrote(1);
  assert.deepEqual(
    readers.map(({ isCut }) => isCut),
    [false, true, false, true, false],
  );
});

test('cuts nobody while readers read, however much is written', () => {
  const events = new UnreadEvents(1000);
  const readers = Array.from({ length: 100 }, () => readerOf(9));
  for (const reader of readers) events.add(reader);
  for (let time = 0; time < 1000; time += 1) events.wrote(500);
  assert.ok(readers.every(({ isCut }) => !isCut));
});

test('does not count readers that are gone', () => {
  const events = new UnreadEvents(1000);
  const [gone, stays] = [readerOf(5000), readerOf(10)];
  const forget = events.add(gone);
  events.add(stays);
  forget();
  events.wrote(5000);
  assert.deepEqual([gone.isCut, stays.isCut], [false, false]);
});

test('many readers that read nothing are disconnected together, one that reads is not', async (t) => {
  const { blobs, root } = example();
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: root }], blobs);
  const { socket, request } = await startEngine(t, { store, maxUnreadBytes: 4_000_000 });
  // Of 256 events of 2 KB each, the system holds some 200 KB for each reader, the server the rest.
  const host = 'h'.repeat(2000);
  for (let at = 0; at < 256; at += 1) {
    assert.equal((await request('POST', `/images/example/app:1/tag?repo=${host}.test/a&tag=${at}`)).status, 201);
  }
  const reading = await dial({ path: socket });
  await reading.send('GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await reading.received('200 OK');
  const wires = await Promise.all(Array.from({ length: 8 }, async () => await dial({ path: socket })));
  for (const wire of wires) {
    wire.socket.pause();
    await wire.send('GET /events?since=0 HTTP/1.1\r\nHost: localhost\r\n\r\n');
  }
  await tagImage(store, NAME, 'example/other:1');
  await until(async () => {
    for (const wire of wires) wire.socket.resume();
    return wires.some((wire) => wire.isOver());
  }, 'some are cut');
  await request('POST', '/images/example/app:1/tag?repo=last');
  await reading.received('last:latest');
  for (const wire of [reading, ...wires]) wire.socket.destroy();
});
