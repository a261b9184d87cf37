import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LADING } from '../fixtures/cli-workspace.js';
import { buildScene } from './scene.js';
import { canSet, TRAPS, type TrapName } from './traps.js';

// What catches every mutant proves something only if it does not catch the program itself.
for (const trap of Object.keys(TRAPS) as TrapName[]) {
  test(`the trap ${trap} does not catch the built program`, async (t) => {
    if (!(await canSet(t, trap))) return;
    assert.deepEqual(await TRAPS[trap](await buildScene(t, LADING)), []);
  });
}
