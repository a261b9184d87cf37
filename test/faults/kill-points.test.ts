import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { chosen, IS_ALL, IS_LONG, reportCounts } from './form.js';
import { killAt } from './kill-points.js';
import { OPERATIONS } from './operations.js';
import { controlOf } from './recovery.js';
import { buildScene } from './scene.js';

/** The operations that `npm test` runs. */
const SOME: readonly string[] = ['load over images'];

/** Points of each operation in the short form, and the least number of kills in the long form, over all operations. */
const SHORT = 4;
const LONG_TOTAL = 300;

test('a process killed at any call that changes the store leaves the store whole', async (t) => {
  if (!requireTool(t, 'strace')) return;
  const scene = await buildScene(t);
  let total = 0;
  for (const operation of OPERATIONS.filter(({ title }) => IS_ALL || SOME.includes(title))) {
    await t.test(operation.title, async (t) => {
      const control = await controlOf(scene, operation);
      const points = chosen(control.points, SHORT, operation.title);
      const { killed, elsewhere, violations } = await killAt(scene, operation, control, points);
      total += killed;
      const counts = { killed, elsewhere, violations: violations.length };
      reportCounts(t, `kill points, ${operation.title}`, { of: control.points.length, ...counts });
      assert.deepEqual(violations, []);
      assert.ok(killed >= (IS_LONG ? points.length / 2 : 1), `only ${killed} of ${points.length} points were reached`);
    });
  }
  if (IS_LONG) assert.ok(total >= LONG_TOTAL, `${total} points`);
});
