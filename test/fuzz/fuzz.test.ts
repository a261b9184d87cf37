import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fuzz } from './fuzz.js';
import { targets } from './targets.js';

/** Seconds for each target, and where chance starts from. */
const SECONDS = Number(process.env['LADING_FUZZ_SECONDS'] ?? 2);
const SEED = process.env['LADING_FUZZ_SEED'] ?? '1';

for (const target of targets) {
  test(`keeps its rules for any input: ${target.name}`, async (t) => {
    const inputs = await fuzz(target, { seed: SEED, seconds: SECONDS });
    assert.ok(inputs > 0);
    t.diagnostic(`${inputs} inputs from seed ${SEED}`);
  });
}
