import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LADING } from '../fixtures/cli-workspace.js';
import { IS_ALL } from './form.js';
import { buildScene } from './scene.js';
import { canSet, TRAPS, type TrapName } from './traps.js';

// A trap proves something only if it does not catch the correct program.
const SOME: readonly TrapName[] = ['order', 'damage'];

for (const trap of IS_ALL ? (Object.keys(TRAPS) as TrapName[]) : SOME) {
  test(`the trap ${trap} does not catch the built program`, async (t) => {
    if (!(await canSet(t, trap))) return;
    assert.deepEqual(await TRAPS[trap](await buildScene(t, LADING)), []);
  });
}
