import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameFilter } from '../../src/server/name-filter.js';
import { Pace } from '../../src/server/pace.js';
import { EngineError } from '../../src/server/statuses.js';

test('compiles a pattern before the first name, and refuses a malformed one', () => {
  assert.throws(() => nameFilter(new Map([['reference', ['a', '[']]]), new Pace()), EngineError);
});

test('lets other work have its turn while many patterns meet many names', async () => {
  let rests = 0;
  const rest = async (): Promise<void> => {
    rests += 1;
  };
  const patterns = Array.from({ length: 100 }, (_, at) => `${'*a'.repeat(100)}${at}`);
  const match = nameFilter(new Map([['reference', patterns]]), new Pace(rest));
  const names = Array.from({ length: 100 }, (_, at) => `docker.io/example/${'a'.repeat(100)}:${at}`);
  assert.equal(await match(names), undefined);
  // 100 names in 4 forms of about 120 characters, 100 patterns of 200 parts: 10^9 steps at most, 500 000 in a turn.
  assert.ok(rests > 1000, `${rests} rests`);
});

test('a turn has at most 500 000 steps, or one piece of work', async () => {
  const turns = [0];
  const pace = new Pace(async () => void turns.push(0));
  for (const steps of [300_000, 200_000, 1, 499_999, 2_000_000, 5, 0]) {
    await pace.take(steps);
    turns.push((turns.pop() ?? 0) + steps);
  }
  assert.deepEqual(turns, [500_000, 500_000, 2_000_000, 5]);
});
