import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import pLimit from 'p-limit';
import { runCommand } from '../fixtures/command.js';
import { IS_ALL as IS_ALL_TESTS } from '../fixtures/extent.js';
import { seededRandom } from '../fixtures/seeded.js';

/** Whether every point is tried (`npm run faults`), or a seeded sample of them. */
export const IS_LONG = process.env['LADING_FAULTS'] === 'long';

/** Whether every operation and every trap is tried (`npm run test:all` too), or some of them (`npm test`). */
export const IS_ALL = IS_ALL_TESTS || IS_LONG;

/** The seed of all random choices. It is printed with each count, so that a run can be repeated. */
export const SEED = process.env['LADING_FAULTS_SEED'] ?? 'lading';

/** How many points are tried at the same time. Two, since the processes of one point mostly wait for each other. */
const AT_ONCE = 2;

/** All points in the long form; in the short form a sample of `short` points, the same for the same seed. */
export function chosen<T>(points: readonly T[], short: number, seed: string): readonly T[] {
  if (IS_LONG || points.length <= short) return points;
  return seededRandom(`${SEED} ${seed}`).shuffle(points).slice(0, short);
}

/** As {@link chosen}, but the sample has at least one point of each kind. */
export function chosenOfEach<T>(
  points: readonly T[],
  kindOf: (point: T) => string,
  short: number,
  seed: string,
): readonly T[] {
  if (IS_LONG || points.length <= short) return points;
  const shuffled = seededRandom(`${SEED} ${seed}`).shuffle(points);
  const first = new Map(shuffled.toReversed().map((point) => [kindOf(point), point]));
  const rest = shuffled.filter((point) => first.get(kindOf(point)) !== point);
  return [...first.values(), ...rest].slice(0, Math.max(short, first.size));
}

/** Calls `run` for each point, two at a time, and returns the results in the order of the points. */
export async function forEachPoint<T, R>(
  points: readonly T[],
  run: (point: T, at: number) => Promise<R>,
): Promise<R[]> {
  return await pLimit(AT_ONCE).map([...points], run);
}

/**
 * A folder that is removed after the test, with all mounts in it. It is in memory where the machine has `/dev/shm`, so
 * that faults wear out no disk.
 */
export async function faultFolder(t: TestContext): Promise<string> {
  const memory = process.env['LADING_TEST_MEMORY'] ?? '/dev/shm';
  const parent = existsSync(memory) ? memory : os.tmpdir();
  const folder = await mkdtemp(path.join(parent, 'lading-faults-'));
  t.after(async () => {
    for (const mount of await mountsIn(folder)) await runCommand('umount', ['-l', mount]);
    await rm(folder, { recursive: true, force: true });
  });
  return folder;
}

/** The mount points below a folder. Unmounting one also frees its loop device. */
async function mountsIn(folder: string): Promise<readonly string[]> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  return mounts.filter((mount) => mount.startsWith(`${folder}/`));
}

/** Prints how much was tried. `npm run faults` adds these lines up at its end. */
export function reportCounts(t: TestContext, what: string, counts: Readonly<Record<string, number>>): void {
  const list = Object.entries(counts).map(([name, count]) => `${name} ${count}`);
  t.diagnostic(`${COUNTED}${what}: ${list.join(', ')} (${IS_LONG ? 'long' : 'short'} form, seed ${SEED})`);
}

/** The start of each line that {@link reportCounts} prints. */
export const COUNTED = 'faults: ';
