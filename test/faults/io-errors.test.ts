import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { chosenOfEach, IS_LONG, tell } from './form.js';
import { failAt, type KernelError } from './io-errors.js';
import { OPERATIONS } from './operations.js';
import { controlOf } from './recovery.js';
import { buildScene } from './scene.js';
import type { Point } from './traced-calls.js';

/** Points of each operation and error in the short form; of one operation at least one for each call, though. */
const SHORT = 2;
const EACH_CALL = 'load over images';

/** A device may fail at any call; a full one, only at those that need room. */
const ERRORS: readonly [KernelError, RegExp][] = [
  ['EIO', /./],
  ['ENOSPC', /^(?:open|mkdir|writev?|pwrite|fsync|link|rename)/],
];

test('a call on the store that fails ends the operation with its code, and leaves the store whole', async (t) => {
  if (!requireTool(t, 'strace')) return;
  const scene = await buildScene(t);
  for (const operation of OPERATIONS) {
    await t.test(operation.title, async (t) => {
      const control = await controlOf(scene, operation);
      for (const [error, calls] of ERRORS) {
        const all = control.heeded.filter(({ name }) => calls.test(name));
        const kindOf = ({ name }: Point): string => (operation.title === EACH_CALL ? name : '');
        const points = chosenOfEach(all, kindOf, SHORT, `${operation.title} ${error}`);
        const { violations, ...counts } = await failAt(scene, operation, control, error, points);
        tell(t, `${error}, ${operation.title}`, { of: all.length, ...counts, violations: violations.length });
        assert.deepEqual(violations, []);
        assert.ok(counts.failed >= (IS_LONG ? points.length / 2 : 1), `only ${counts.failed} of ${points.length}`);
      }
    });
  }
});
