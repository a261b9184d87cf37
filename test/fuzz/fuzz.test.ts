import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IS_ALL } from '../fixtures/extent.js';
import { fuzz } from './fuzz.js';
import { targets } from './targets.js';

/** How long each target gets inputs in `npm run test:all`; `npm test` gives it {@link INPUTS} inputs. */
const SECONDS = Number(process.env['LADING_FUZZ_SECONDS'] ?? (IS_ALL ? 2 : 0));
const INPUTS = 100;

/** The seed of all random choices. */
const SEED = process.env['LADING_FUZZ_SEED'] ?? '1';

for (const target of targets) {
  test(`keeps its rules for any input: ${target.name}`, async (t) => {
    const inputs = await fuzz(target, { seed: SEED, seconds: SECONDS, atLeast: INPUTS });
    assert.ok(inputs > 0);
    t.diagnostic(`${inputs} inputs from seed ${SEED}`);
  });
}
