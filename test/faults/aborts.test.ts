import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { seededRandom } from '../fixtures/seeded.js';
import { ABORTED_LOAD, abortLoads, abortSaves, cutInput, cutOutput, type Abort, type AbortReport } from './aborts.js';
import { forEachPoint, IS_ALL, IS_LONG, SEED, tell } from './form.js';
import { runProgram } from './program.js';
import { controlOf } from './recovery.js';
import { buildScene, type Scene } from './scene.js';

/** How often each kind of end is tried. */
const SHORT_TIMES = IS_ALL ? 12 : 4;
const TIMES = IS_LONG ? 200 : SHORT_TIMES;

const LEFT = { skip: !IS_ALL && 'left to npm run test:all' };

/** Seeded times from the start of a command until after its end, which comes after so many milliseconds. */
function abortsWithin(durationMs: number, seed: string): readonly Abort[] {
  const random = seededRandom(`${SEED} ${seed}`);
  return Array.from({ length: TIMES }, () => ({
    signal: random.pick(['SIGINT', 'SIGTERM', 'SIGHUP'] as const),
    // Two run at a time, and a busy machine takes longer than the one run that was measured.
    afterMs: (durationMs * random.int(1500)) / 1000,
  }));
}

async function durationOf(scene: Scene, args: readonly string[]): Promise<number> {
  const start = performance.now();
  const { status, stderr } = await runProgram(scene.main, args);
  assert.equal(status, 0, stderr);
  return performance.now() - start;
}

/**
 * Signals within the time that a run took. Where all of them came too late, since the machine was slow when that was measured,
 * the same again within shorter times.
 */
async function abortInTime(
  durationMs: number,
  seed: string,
  abort: (aborts: readonly Abort[]) => Promise<AbortReport>,
): Promise<AbortReport> {
  const report = await abort(abortsWithin(durationMs, seed));
  if (report.aborted > 0 || report.violations.length > 0 || durationMs < 1) return report;
  return await abortInTime(durationMs * 0.7, seed, abort);
}

function judgeReport(t: TestContext, what: string, { violations, ...counts }: AbortReport): void {
  tell(t, what, { ...counts, violations: violations.length });
  assert.deepEqual(violations, []);
  assert.ok(counts.aborted > 0, 'some signals came in time');
}

test('a load that gets a signal at any time leaves the store whole', LEFT, async (t) => {
  if (!requireTool(t, 'strace')) return;
  const scene = await buildScene(t);
  const durationMs = await durationOf(scene, [
    'load',
    '-i',
    scene.at('new.tar'),
    '--store',
    await scene.copyOf('base'),
  ]);
  const control = await controlOf(scene, ABORTED_LOAD);
  const abort = async (aborts: readonly Abort[]): Promise<AbortReport> => await abortLoads(scene, control, aborts);
  judgeReport(t, 'signals, load', await abortInTime(durationMs, 'load', abort));
});

test('a save that gets a signal at any time leaves a whole file or none', async (t) => {
  const scene = await buildScene(t);
  const args = ['save', 'example/app:1', '-o', scene.at('out.tar'), '--store', scene.at('full')];
  const abort = async (aborts: readonly Abort[]): Promise<AbortReport> => await abortSaves(scene, aborts);
  judgeReport(t, 'signals, save', await abortInTime(await durationOf(scene, args), 'save', abort));
});

test('a load whose input ends at any byte changes nothing', LEFT, async (t) => {
  const scene = await buildScene(t);
  const archive = await readFile(scene.at('new.tar'));
  const random = seededRandom(`${SEED} input`);
  // The archive ends with two blocks of zeros, of which the second may be missing.
  const offsets = Array.from({ length: TIMES }, () => random.int(archive.length - 1024));
  const violations = await forEachPoint(offsets, async (bytes) => await cutInput(scene, archive, bytes));
  tell(t, 'input cut', { offsets: offsets.length, violations: violations.flat().length });
  assert.deepEqual(violations.flat(), []);
});

test('a save whose reader goes away at any byte ends as a shell expects', LEFT, async (t) => {
  const scene = await buildScene(t);
  const random = seededRandom(`${SEED} output`);
  const offsets = Array.from({ length: TIMES }, () => random.int(1_200_000));
  const violations = await forEachPoint(offsets, async (bytes) => await cutOutput(scene, bytes));
  tell(t, 'reader gone', { offsets: offsets.length, violations: violations.flat().length });
  assert.deepEqual(violations.flat(), []);
});
