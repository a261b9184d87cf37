import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { faultFolder, IS_LONG, tell } from './form.js';
import { whyNoVolume } from './loop-volume.js';
import { controlSteps, powerCuts } from './power-cuts.js';
import { buildScene } from './scene.js';

/** Each has two cuts for each of its steps. */
const ROUNDS = IS_LONG ? 6 : 1;
const STEPS = IS_LONG ? 6 : 4;

test('what a command has reported is there after a power cut, and nothing is there by half', async (t) => {
  if (!requireTool(t, 'mkfs.ext4', 'mount', 'umount')) return;
  const reason = await whyNoVolume(await faultFolder(t));
  if (reason !== undefined) {
    tell(t, 'power cuts', { skipped: 1 });
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
  tell(t, 'power cuts', { cuts, violations: violations.length });
  assert.deepEqual(violations, []);
});
