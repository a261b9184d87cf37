import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { DescriptionCache } from '../../src/inspect/description-cache.js';
import { memoryOf } from '../../src/inspect/memory-of.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** The bytes of the heap that the result of `make` takes. */
function takenBy(make: () => unknown): { readonly value: unknown; readonly bytes: number } {
  collect();
  const before = process.memoryUsage().heapUsed;
  const value = make();
  collect();
  return { value, bytes: process.memoryUsage().heapUsed - before };
}

/** What a document may be made of to take much memory for its length. */
const SHAPES: Readonly<Record<string, () => unknown>> = {
  'empty lists': () => JSON.parse(`[${'[],'.repeat(200_000)}0]`),
  'empty objects': () => JSON.parse(`[${'{},'.repeat(200_000)}0]`),
  'objects of one field': () => JSON.parse(`[${'{"a":1},'.repeat(100_000)}0]`),
  'one object of many fields': () => Object.fromEntries(Array.from({ length: 100_000 }, (_, at) => [`key${at}`, at])),
  'short texts': () => Array.from({ length: 100_000 }, (_, at) => `text${at}`),
  'one long text': () => JSON.parse(`"${'x'.repeat(4_000_000)}"`),
  fractions: () => Array.from({ length: 100_000 }, (_, at) => ({ size: at + 0.5 })),
  'a map': () => new Map(Array.from({ length: 100_000 }, (_, at) => [`key${at}`, at])),
};

for (const [shape, make] of Object.entries(SHAPES)) {
  test(`counts ${shape} to at least two thirds of the heap they take, and at most three times as much`, () => {
    const { value, bytes } = takenBy(make);
    const counted = memoryOf(value);
    assert.ok(counted >= bytes / 1.5 && counted <= bytes * 3, `${counted} counted, ${bytes} taken`);
  });
}

test('counts what is there twice once, follows circles, and stops at a limit', () => {
  const part = { text: 'x'.repeat(1000) };
  const one = memoryOf([part]);
  assert.ok(memoryOf([part, part]) < one + 100);
  const circle: unknown[] = [];
  circle.push(circle);
  assert.ok(memoryOf(circle) < 100);
  const many = Array.from({ length: 1000 }, () => ({ ...part }));
  assert.ok(memoryOf(many, 10_000) < 2 * 10_000);
});

test('a cache holds no more hostile values than its bytes', async () => {
  const store = new MemoryStore();
  const cache = new DescriptionCache<object>(8_000_000);
  let made = 0;
  const ask = async (key: string): Promise<object> =>
    await cache.get(key, store, async () => {
      made += 1;
      // 50 000 empty objects, which take 3 MB as objects and 150 KB as text.
      return { value: JSON.parse(`[${'{},'.repeat(50_000)}0]`) as object, isLasting: true };
    });
  for (const key of ['a', 'b', 'b', 'c', 'd']) await ask(key);
  assert.equal(made, 4);
  await ask('d');
  await ask('c');
  assert.equal(made, 4);
  await ask('a');
  assert.equal(made, 5);
});
