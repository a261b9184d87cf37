import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { sideBySide } from '../../src/flow/side-by-side.js';

test('does the work for every item, a few at a time', async () => {
  const done: number[] = [];
  let [running, most] = [0, 0];
  await sideBySide([1, 2, 3, 4, 5, 6, 7], 3, async (item) => {
    most = Math.max(most, (running += 1));
    for (let turns = 0; turns < 8 - item; turns += 1) await setImmediate();
    running -= 1;
    done.push(item);
  });
  assert.deepEqual([done.toSorted((a, b) => a - b), most], [[1, 2, 3, 4, 5, 6, 7], 3]);
});

test('throws the first error, and begins nothing after it', async () => {
  const begun: number[] = [];
  const work = sideBySide([1, 2, 3, 4], 1, async (item) => {
    begun.push(item);
    await setImmediate();
    if (item === 2) throw new Error('two');
  });
  await assert.rejects(work, /two/);
  assert.deepEqual(begun, [1, 2]);
});

test('has nothing to do for no items', async () => {
  await sideBySide([], 16, async () => assert.fail());
});
