import assert from 'node:assert/strict';
import { test } from 'node:test';
import { reportCounts } from './form.js';
import { buildMutant, MUTANTS } from './mutants.js';
import { buildScene } from './scene.js';
import { canSet, TRAPS } from './traps.js';

for (const mutant of MUTANTS) {
  test(`catches a program that ${mutant.title}`, async (t) => {
    const main = await buildMutant(t, mutant);
    let caught = 0;
    let skipped = 0;
    for (const trap of mutant.traps) {
      if (!(await canSet(t, trap))) {
        skipped += 1;
        continue;
      }
      const found = await TRAPS[trap](await buildScene(t, main));
      assert.notDeepEqual(found, [], `the trap ${trap} finds it`);
      t.diagnostic(`${trap}: ${found[0]?.slice(0, 160)}`);
      caught += 1;
    }
    reportCounts(t, 'mutants', { mutants: 1, caught: Math.min(caught, 1), traps: caught, skipped });
  });
}
