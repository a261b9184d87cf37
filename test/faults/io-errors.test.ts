import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { chosenOfEach, IS_LONG, reportCounts } from './form.js';
import { failAt, type KernelError } from './io-errors.js';
import { OPERATIONS } from './operations.js';
import { controlOf } from './recovery.js';
import { buildScene } from './scene.js';
import type { Point } from './traced-calls.js';

/** Points of each operation and error in the short form. One operation has at least one point for each call. */
const SHORT = 3;
const EACH_CALL = 'load over images';

/** A bad device may fail any call; a full one fails only calls that need space. */
const ERRORS: readonly [KernelError, RegExp][] = [
  ['EIO', /./],
  ['ENOSPC', /^(?:open|mkdir|writev?|pwrite|fsync|link|rename)/],
];

test('a failed call on the store ends the operation with the right code, and leaves the store whole', async (t) => {
  if (!requireTool(t, 'strace')) return;
  const scene = await buildScene(t);
  for (const operation of OPERATIONS) {
    await t.test(operation.title, async (t) => {
      const control = await controlOf(scene, operation);
      const seen = { points: 0, failed: 0 };
      for (const [error, calls] of ERRORS) {
        const all = control.heeded.filter(({ name }) => calls.test(name));
        const kindOf = ({ name }: Point): string => (operation.title === EACH_CALL ? name : '');
        const points = chosenOfEach(all, kindOf, SHORT, `${operation.title} ${error}`);
        const { violations, ...counts } = await failAt(scene, operation, control, error, points);
        reportCounts(t, `${error}, ${operation.title}`, { of: all.length, ...counts, violations: violations.length });
        assert.deepEqual(violations, []);
        seen.points += points.length;
        seen.failed += counts.failed;
      }
      // Threads come to their calls in another order each time, so a few points may all be met elsewhere.
      assert.ok(seen.failed >= (IS_LONG ? seen.points / 2 : 1), `only ${seen.failed} of ${seen.points}`);
    });
  }
});
