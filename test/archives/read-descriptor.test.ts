import assert from 'node:assert/strict';
import { closeSync, writeSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { test, type TestContext } from 'node:test';
import { readDescriptor } from '../../src/archives/open-archive.js';
import { pipeEnds } from '../fixtures/named-pipe.js';

/** A named pipe whose reading end is closed after the test. */
async function namedPipe(t: TestContext): Promise<{ readonly read: number; readonly write: number }> {
  const ends = await pipeEnds(t);
  t.after(() => closeSync(ends.read));
  return ends;
}

for (const bytes of [0, 1, 4096, 60_000])
  test(`a named pipe of ${bytes} bytes ends if its writer went before it is read`, { timeout: 20_000 }, async (t) => {
    const { read, write } = await namedPipe(t);
    writeSync(write, Buffer.alloc(bytes, 7));
    closeSync(write);
    const found = await buffer(await readDescriptor(read));
    assert.deepEqual(found, Buffer.alloc(bytes, 7));
  });

test('a named pipe ends if its writer goes while it is read', { timeout: 20_000 }, async (t) => {
  const { read, write } = await namedPipe(t);
  writeSync(write, 'first');
  const found = buffer(await readDescriptor(read));
  await wait(50);
  writeSync(write, 'second');
  closeSync(write);
  assert.equal((await found).toString(), 'firstsecond');
});

test('a named pipe does not end before its writer goes', { timeout: 20_000 }, async (t) => {
  const { read, write } = await namedPipe(t);
  const stream = await readDescriptor(read);
  let hasEnded = false;
  stream.once('end', () => (hasEnded = true)).resume();
  await wait(100);
  assert.equal(hasEnded, false);
  closeSync(write);
  await new Promise((resolve) => stream.once('close', resolve));
  assert.equal(hasEnded, true);
});
