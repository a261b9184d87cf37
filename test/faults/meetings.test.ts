import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { chosen, forEachPoint, IS_LONG, reportCounts } from './form.js';
import { controlOfMeeting, meetAt, MEETINGS } from './meetings.js';
import { buildScene } from './scene.js';

/** Points of each pair of commands in the short form. */
const SHORT = 4;

test('two commands that run at once leave the store as they would one after the other', async (t) => {
  if (!requireTool(t, 'strace')) return;
  const scene = await buildScene(t);
  for (const meeting of Object.values(MEETINGS)) {
    await t.test(meeting.title, async (t) => {
      const control = await controlOfMeeting(scene, meeting);
      const points = chosen(control.points, SHORT, meeting.title);
      const results = await forEachPoint(points, async (point) => await meetAt(scene, meeting, control, point));
      const violations = results.flatMap((result) => result.violations);
      const met = results.filter(({ isStopped }) => isStopped).length;
      const counts = { of: control.points.length, met, missed: points.length - met, violations: violations.length };
      reportCounts(t, `meetings, ${meeting.title}`, counts);
      assert.deepEqual(violations, []);
      assert.ok(met >= (IS_LONG ? points.length / 2 : 1), `only ${met} of ${points.length}`);
    });
  }
});
