import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { faultFolder, IS_LONG, reportCounts } from './form.js';
import { whyNoVolume } from './loop-volume.js';
import { controlSteps, powerCuts } from './power-cuts.js';
import { buildScene } from './scene.js';

/** Each round has two cuts for each of its steps. */
const ROUNDS = IS_LONG ? 6 : 1;
const STEPS = IS_LONG ? 6 : 4;

test('after a power cut the store has what a command reported, and nothing incomplete', async (t) => {
  if (!requireTool(t, 'mkfs.ext4', 'mount', 'umount')) return;
  const reason = await whyNoVolume(await faultFolder(t));
  if (reason !== undefined) {
    reportCounts(t, 'power cuts', { skipped: 1 });
    return t.skip(`cannot mount a loop device: ${reason}`);
  }
  const scene = await buildScene(t);
  const steps = await controlSteps(scene, STEPS);
  let cuts = 0;
  const violations: string[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const result = await powerCuts(scene, steps, round);
    cuts += result.cuts;
    violations.push(...result.violations);
  }
  reportCounts(t, 'power cuts', { cuts, violations: violations.length });
  assert.deepEqual(violations, []);
});
