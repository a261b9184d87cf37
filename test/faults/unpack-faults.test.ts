import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { chosenOfEach, IS_ALL, IS_LONG, reportCounts } from './form.js';
import type { Injection, Point } from './traced-calls.js';
import { faultAt, unpackScene } from './unpack-points.js';

/** Points of each fault in the short form. */
const SHORT = 6;

const STORAGE = ['ERR_STORAGE_IO'];

/** Each fault, the calls that may have it, and what the command may end with. */
const FAULTS: readonly (readonly [what: Injection, calls: RegExp, codes: readonly string[]])[] = [
  ['signal=SIGKILL', /./, []],
  ['error=EIO', /./, STORAGE],
  ['error=ENOSPC', /^(?:open|mkdir|writev?|pwrite|fsync|link|symlink|mknod|rename|.setxattr)/, ['ERR_NO_SPACE']],
  ['error=EACCES', /^(?!close|write|pwrite|fsync)/, STORAGE],
  ['error=EMFILE', /^open/, STORAGE],
];

/** At least one point of each call, unless only some are tried. */
const kindOf = ({ name }: Point): string => (IS_ALL ? name : '');

for (const options of [[], ['--bundle', '--sync']]) {
  const name = ['unpack', ...options].join(' ');
  test(`${name}: a fault at any call leaves no directory that is not whole`, async (t) => {
    if (!requireTool(t, 'strace')) return;
    if (process.geteuid?.() !== 0) return t.skip('needs root, who makes devices');
    const scene = await unpackScene(t, options);
    assert.ok(scene.points.length > 60, `${scene.points.length} calls`);
    for (const [what, calls, codes] of IS_ALL ? FAULTS : FAULTS.slice(0, 2)) {
      const all = scene.points.filter((point) => calls.test(point.name));
      const results = await faultAt(scene, what, chosenOfEach(all, kindOf, SHORT, `${name} ${what}`), codes);
      const violations = results.flatMap((result) => result.violations);
      const hit = results.filter(({ isHit }) => isHit).length;
      reportCounts(t, `${what}, ${name}`, { of: all.length, hit, violations: violations.length });
      assert.deepEqual(violations, []);
      assert.ok(hit >= (IS_LONG ? results.length / 2 : 1), `only ${hit} of ${results.length}`);
    }
  });
}
