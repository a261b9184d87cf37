import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { SideWork } from '../../src/flow/side-work.js';

test('runs at most the given number of pieces at a time, and returns every result once', async () => {
  const side = new SideWork<number>(3);
  let active = 0;
  let most = 0;
  const results: number[] = [];
  for (let piece = 0; piece < 20; piece += 1) {
    const ended = await side.start(async () => {
      most = Math.max(most, (active += 1));
      await delay(piece % 4);
      active -= 1;
      return piece;
    });
    results.push(...ended);
  }
  results.push(...(await side.finish()));
  assert.equal(most, 3);
  assert.deepEqual(
    results.toSorted((a, b) => a - b),
    Array.from({ length: 20 }, (_, piece) => piece),
  );
});

test('throws the error of the piece that was started first, after all pieces have ended', async () => {
  const side = new SideWork<void>(4);
  let over = 0;
  const failing = (ms: number, message: string) => async (): Promise<void> => {
    await delay(ms);
    over += 1;
    throw new Error(message);
  };
  await side.start(failing(40, 'slow'));
  await side.start(failing(1, 'quick'));
  await delay(10);
  await assert.rejects(
    side.start(async () => {}),
    { message: 'slow' },
  );
  assert.equal(over, 2);
  await assert.rejects(side.finish(), { message: 'slow' });
});

test('asks its pieces to end early', async () => {
  const side = new SideWork<boolean>(2);
  await side.start(async (signal) => {
    while (!signal.aborted) await delay(1);
    return signal.aborted;
  });
  side.giveUp();
  assert.deepEqual(await side.finish(), [true]);
});
