import { readFile, writeFile } from 'node:fs/promises';
import type { TestContext } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { faultFolder } from './form.js';
import { killAt } from './kill-points.js';
import { whyNoVolume } from './loop-volume.js';
import { controlOfMeeting, meetAt, MEETINGS, type Meeting } from './meetings.js';
import { commandLine, OPERATIONS, type Operation } from './operations.js';
import { controlSteps, powerCuts } from './power-cuts.js';
import { runProgram } from './program.js';
import { wrongOrder } from './protocol-order.js';
import { controlOf } from './recovery.js';
import type { Scene } from './scene.js';
import { judge } from './store-oracle.js';
import { runTraced, type Point } from './traced-calls.js';

/** A small part of a fault test, aimed at the fault of a mutant. Returns what it found. */
export type Trap = (scene: Scene) => Promise<readonly string[]>;

/** The names of the traps. */
export type TrapName = 'order' | 'power' | 'pruneDuringLoad' | 'loadDuringPrune' | 'tagDuringLoad' | 'damage' | 'kill';

const LOAD_OVER = OPERATIONS.find(({ title }) => title === 'load over images') as Operation;

/** All traps. */
export const TRAPS: Readonly<Record<TrapName, Trap>> = {
  order: async (scene) => {
    const store = await scene.copyOf('base');
    return wrongOrder((await runTraced(scene.main, commandLine(LOAD_OVER, scene, store), `${store}.log`)).calls, store);
  },
  power: async (scene) => (await powerCuts(scene, await controlSteps(scene, 1), 0)).violations,
  pruneDuringLoad: async (scene) => await meet(scene, MEETINGS.loadThenPrune, /^link/),
  loadDuringPrune: async (scene) => await meet(scene, MEETINGS.pruneThenLoad, /^rename/),
  tagDuringLoad: async (scene) => await meet(scene, MEETINGS.loadThenTag, /^fsync/, -4),
  damage: async (scene) => await loadDamaged(scene),
  kill: async (scene) => {
    const control = await controlOf(scene, LOAD_OVER);
    const points = control.points.filter(({ name }) => /^(?:copy_file_range|sendfile|fchmod)/.test(name));
    return (await killAt(scene, LOAD_OVER, control, ends(points))).violations;
  },
};

/** Whether this machine has what a trap needs. If not, prints the reason. */
export async function canSet(t: TestContext, trap: TrapName): Promise<boolean> {
  if (trap !== 'power') return requireTool(t, 'strace');
  if (!requireTool(t, 'mkfs.ext4', 'mount')) return false;
  const reason = await whyNoVolume(await faultFolder(t));
  if (reason !== undefined) t.diagnostic(`cannot mount a loop device: ${reason}`);
  return reason === undefined;
}

/** Lets two commands meet at the first few of these calls, until something is wrong. */
async function meet(scene: Scene, meeting: Meeting, calls: RegExp, from = 0): Promise<readonly string[]> {
  const control = await controlOfMeeting(scene, meeting);
  const points = control.points.filter(({ name }) => calls.test(name)).slice(from);
  for (const point of points.slice(0, AT_MOST)) {
    const { violations } = await meetAt(scene, meeting, control, point);
    if (violations.length > 0) return violations;
  }
  return [];
}

/** The largest number of points that a trap tries. */
const AT_MOST = 4;

/** The first two and the last two. */
function ends(points: readonly Point[]): readonly Point[] {
  return points.length <= AT_MOST ? points : [...points.slice(0, 2), ...points.slice(-2)];
}

/** An archive with one byte changed in its largest layer must leave nothing behind. */
async function loadDamaged(scene: Scene): Promise<readonly string[]> {
  const bytes = await readFile(scene.at('new.tar'));
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(scene.at('damaged.tar'), bytes);
  const store = await scene.copyOf('base');
  const before = await judge(store);
  const { status } = await runProgram(scene.main, ['load', '-i', scene.at('damaged.tar'), '--store', store]);
  const { problems, images } = await judge(store);
  const isSame = images.join() === before.images.join();
  return [...problems, ...(status === 5 ? [] : [`ended with ${status}`]), ...(isSame ? [] : ['the images changed'])];
}
