import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IS_ALL } from '../fixtures/extent.js';
import { seededRandom } from '../fixtures/seeded.js';
import { differenceOf } from './allowed-differences.js';
import { outcomeOf, type Committed } from './outcome.js';
import { smallArchives } from './small-archives.js';

/** Bits to flip in each archive, chosen by a seed. `LADING_SWEEPS=full` flips every bit (about 4 minutes). */
const SOME = IS_ALL ? 1500 : 500;
const SAMPLE = process.env['LADING_SWEEPS'] === 'full' ? Number.POSITIVE_INFINITY : SOME;

/** The archive with one bit changed. */
function flipped(archive: Buffer, bit: number): Buffer {
  const copy = Buffer.from(archive);
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

function bitsOf(kind: string, archive: Buffer): readonly number[] {
  const bits = archive.length * 8;
  if (bits <= SAMPLE) return Array.from({ length: bits }, (_, bit) => bit);
  const random = seededRandom(`flips of a ${kind}`);
  return Array.from({ length: SAMPLE }, () => random.int(bits));
}

for (const [kind, archive] of await smallArchives()) {
  test(`refuses a ${kind} with any bit changed, or commits the same image`, async () => {
    const good = await outcomeOf(archive);
    assert.ok('blobs' in good);
    const counts = { refused: 0, same: 0, different: 0 };
    for (const bit of bitsOf(kind, archive)) {
      const outcome = await outcomeOf(flipped(archive, bit));
      if ('code' in outcome) counts.refused += 1;
      else counts[judge(good, outcome, bit)] += 1;
    }
    assert.ok(counts.refused > 0 && counts.same > 0, JSON.stringify(counts));
  });
}

/** Fails for a difference that is not allowed. */
function judge(good: Committed, outcome: Committed, bit: number): 'same' | 'different' {
  const difference = differenceOf(good, outcome);
  const where = `bit ${bit & 7} of byte ${bit >> 3}`;
  assert.notEqual(difference, 'unexpected', `${where} made another image: ${JSON.stringify(outcome)}`);
  return difference === 'none' ? 'same' : 'different';
}
