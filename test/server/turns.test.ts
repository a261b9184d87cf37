import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { digestOf } from '../../src/model/digest.js';
import { Turns } from '../../src/server/turns.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { leasesOf, temporaryFolder } from '../fixtures/stores.js';

const MIB = 1024 * 1024;

async function* endless(bytes = MIB / 4): AsyncGenerator<Buffer> {
  const chunk = Buffer.alloc(bytes);
  for (;;) yield chunk;
}

/** Takes chunks until it is stopped. Returns how many it took. */
async function takeAll(turns: Turns, isOver: () => boolean): Promise<number> {
  let taken = 0;
  for await (const _chunk of turns.deal(endless())) {
    if (isOver()) break;
    taken += 1;
  }
  return taken;
}

test('gives every turn of the event loop no more than its share', async () => {
  const turns = new Turns();
  let taken = 0;
  let isOver = false;
  const transfers = Array.from({ length: 50 }, async () => {
    for await (const chunk of turns.deal(endless())) {
      if (isOver) return;
      taken += chunk.length;
    }
  });
  for (let turn = 1; turn <= 20; turn += 1) {
    await setImmediate();
    assert.ok(taken <= (turn + 1) * 2 * MIB, `${taken} bytes after ${turn} turns`);
  }
  isOver = true;
  await Promise.all(transfers);
});

test('treats all transfers alike', async () => {
  const turns = new Turns();
  let isOver = false;
  const transfers = Array.from({ length: 30 }, async () => await takeAll(turns, () => isOver));
  for (let turn = 0; turn < 100; turn += 1) await setImmediate();
  isOver = true;
  const taken = await Promise.all(transfers);
  assert.ok(Math.max(...taken) - Math.min(...taken) <= 1, taken.join(' '));
});

test('lets a transfer that is alone go on in every turn', async () => {
  const turns = new Turns();
  let isOver = false;
  const transfer = takeAll(turns, () => isOver);
  for (let turn = 0; turn < 50; turn += 1) await setImmediate();
  isOver = true;
  assert.ok((await transfer) >= 50 * 4);
});

test('gives a chunk larger than a turn a turn of its own', async () => {
  const turns = new Turns();
  for (let at = 0; at < 5; at += 1) await turns.take(16 * MIB);
});

test('lets a transfer of large chunks pay for all of their bytes', async () => {
  const turns = new Turns();
  let taken = 0;
  let isOver = false;
  const transfer = (async () => {
    for await (const chunk of turns.deal(endless(MIB))) {
      if (isOver) return;
      taken += chunk.length;
    }
  })();
  for (let turn = 1; turn <= 20; turn += 1) {
    await setImmediate();
    assert.ok(taken <= (turn + 1) * 2 * MIB + MIB, `${taken} bytes after ${turn} turns`);
  }
  isOver = true;
  await transfer;
});

/** Every method that an object has, its own and inherited ones. */
function methodsOf(object: object): readonly string[] {
  const names = new Set<string>();
  for (let at: object | null = object; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  }
  names.delete('constructor');
  return [...names].filter((name) => typeof Reflect.get(object, name) === 'function').toSorted();
}

test('gives the reader of a dealt store every method that the reader of the store has', async (t) => {
  const stores = [new MemoryStore(), await OciLayoutStore.open(await temporaryFolder(t))];
  for (const store of stores) {
    const [own, dealt] = [await store.reader(), await new Turns().dealReads(store).reader()];
    assert.deepEqual(methodsOf(dealt), methodsOf(own));
    await own.end();
    await dealt.end();
  }
});

test('claims through the reader of a dealt store', async (t) => {
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  const reader = await new Turns().dealReads(store).reader();
  const claimed = ['a', 'b'].map((text) => digestOf(text));
  await reader.claim(claimed);
  const [lease = ''] = await leasesOf(store);
  assert.deepEqual(lease.trim().split('\n').slice(1), claimed);
  await reader.end();
});
