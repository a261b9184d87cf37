import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { LADING } from '../fixtures/cli-workspace.js';
import { requireTool } from '../fixtures/command.js';
import { faultFolder, tell } from './form.js';
import { whyNoVolume } from './loop-volume.js';
import { buildMutant, MUTANTS } from './mutants.js';
import { buildScene } from './scene.js';
import { TRAPS, type TrapName } from './traps.js';

/** What a trap needs of the machine. Where it is not there the trap is left out, with the reason. */
async function canSet(t: TestContext, trap: TrapName): Promise<boolean> {
  if (trap !== 'power') return requireTool(t, 'strace');
  if (!requireTool(t, 'mkfs.ext4', 'mount')) return false;
  const reason = await whyNoVolume(await faultFolder(t));
  if (reason !== undefined) t.diagnostic(`cannot mount a loop device: ${reason}`);
  return reason === undefined;
}

describe('a program that is wrong in one way is caught', () => {
  for (const mutant of MUTANTS) {
    test(`that ${mutant.title}`, async (t) => {
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
      tell(t, 'mutants', { mutants: 1, caught: Math.min(caught, 1), traps: caught, skipped });
    });
  }
});

describe('the built program is not caught', () => {
  for (const trap of Object.keys(TRAPS) as TrapName[]) {
    test(`by the trap ${trap}`, async (t) => {
      if (!(await canSet(t, trap))) return;
      assert.deepEqual(await TRAPS[trap](await buildScene(t, LADING)), []);
    });
  }
});
