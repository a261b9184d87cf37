import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { requireTool } from '../fixtures/command.js';
import { seededRandom } from '../fixtures/seeded.js';
import { ABORTED_LOADS, abortLoads, abortSaves, cutInput, cutOutput, type Abort, type AbortReport } from './aborts.js';
import { forEachPoint, IS_ALL, IS_LONG, SEED, reportCounts } from './form.js';
import { commandLine } from './operations.js';
import { runProgram } from './program.js';
import { controlOf } from './recovery.js';
import { buildScene, type Scene } from './scene.js';

/** Runs of each test. */
const SHORT_TIMES = IS_ALL ? 12 : 4;
const TIMES = IS_LONG ? 200 : SHORT_TIMES;

const LEFT = { skip: !IS_ALL && 'left to npm run test:all' };

/** Signals at seeded times, up to one and a half times the duration of the command. */
function abortsWithin(durationMs: number, seed: string): readonly Abort[] {
  const random = seededRandom(`${SEED} ${seed}`);
  return Array.from({ length: TIMES }, () => ({
    signal: random.pick(['SIGINT', 'SIGTERM', 'SIGHUP'] as const),
    // Two runs at a time on a busy machine take longer than the single run that was measured.
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
 * Sends signals within the measured duration of a run. If all of them come too late, since the machine was slow during
 * the measurement, repeats with shorter times.
 */
async function abortInTime(
  durationMs: number,
  seed: string,
  abort: (aborts: readonly Abort[]) => Promise<AbortReport>,
): Promise<AbortReport> {
  const report = await abort(abortsWithin(durationMs, seed));
  if (report.aborted > 0 || report.violations.length > 0 || durationMs < 1) return report;
  return await abortInTime(durationMs * 0.9, `${seed}+`, abort);
}

function judgeReport(t: TestContext, what: string, { violations, ...counts }: AbortReport): void {
  reportCounts(t, what, { ...counts, violations: violations.length });
  assert.deepEqual(violations, []);
  assert.ok(counts.aborted > 0, 'some signals came in time');
}

for (const operation of ABORTED_LOADS) {
  test(`a ${operation.title} that receives a signal at any time leaves the store whole`, LEFT, async (t) => {
    if (!requireTool(t, 'strace')) return;
    const scene = await buildScene(t);
    const durationMs = await durationOf(scene, commandLine(operation, scene, await scene.copyOf('base')));
    const control = await controlOf(scene, operation);
    const abort = async (aborts: readonly Abort[]): Promise<AbortReport> =>
      await abortLoads(scene, operation, control, aborts);
    judgeReport(t, `signals, ${operation.title}`, await abortInTime(durationMs, 'load', abort));
  });

  test(`a ${operation.title} whose input ends at any byte changes no image, and can be resumed`, LEFT, async (t) => {
    if (!requireTool(t, 'strace')) return;
    const scene = await buildScene(t);
    const archive = await readFile(scene.at('new.tar'));
    const control = await controlOf(scene, operation);
    const random = seededRandom(`${SEED} input`);
    // Each cut lies before the two blocks of zeros that end the archive.
    const offsets = Array.from({ length: TIMES }, () => random.int(archive.length - 1024));
    const violations = await forEachPoint(
      offsets,
      async (bytes) => await cutInput(scene, operation, control, archive.subarray(0, bytes)),
    );
    reportCounts(t, `input cut, ${operation.title}`, {
      offsets: offsets.length,
      violations: violations.flat().length,
    });
    assert.deepEqual(violations.flat(), []);
  });
}

test('a save that receives a signal at any time leaves a whole file or none', async (t) => {
  const scene = await buildScene(t);
  const args = ['save', 'example/app:1', '-o', scene.at('out.tar'), '--store', scene.at('full')];
  const abort = async (aborts: readonly Abort[]): Promise<AbortReport> => await abortSaves(scene, aborts);
  judgeReport(t, 'signals, save', await abortInTime(await durationOf(scene, args), 'save', abort));
});

test('a save whose reader closes the pipe at any byte exits as a shell expects', LEFT, async (t) => {
  const scene = await buildScene(t);
  const random = seededRandom(`${SEED} output`);
  const offsets = Array.from({ length: TIMES }, () => random.int(1_200_000));
  const violations = await forEachPoint(offsets, async (bytes) => await cutOutput(scene, bytes));
  reportCounts(t, 'reader gone', { offsets: offsets.length, violations: violations.flat().length });
  assert.deepEqual(violations.flat(), []);
});
