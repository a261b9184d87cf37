import assert from 'node:assert/strict';
import { cp, mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { runCommand } from '../fixtures/command.js';
import { seededRandom } from '../fixtures/seeded.js';
import { faultFolder, IS_LONG, SEED, reportCounts } from './form.js';
import { commandLine, OPERATIONS, type Operation } from './operations.js';
import { runProgram } from './program.js';
import { controlOf, wrongAfterFault, wrongAfterRecovery, type Control } from './recovery.js';
import { buildScene, type Scene } from './scene.js';
import { judge } from './store-oracle.js';

/** Number of loads that get too little space, or just enough. A load needs about 1.3 MB. */
const TIMES = IS_LONG ? 60 : 6;
const NEEDED = 1_300_000;

const LOADS = OPERATIONS.filter(({ title }) => ['load over images', 'load from a pipe'].includes(title));

for (const operation of LOADS) {
  test(`a ${operation.title} that runs out of space at any byte reports it, and leaves the store whole`, async (t) => {
    const volume = await mountTmpfs(t);
    if (volume === undefined) return;
    const scene = await buildScene(t);
    const control = await controlOf(scene, operation);
    const random = seededRandom(`${SEED} space`);
    const results: { readonly isFull: boolean; readonly wrong: readonly string[] }[] = [];
    for (let time = 0; time < TIMES; time += 1)
      results.push(await loadWithin({ scene, operation, control, volume }, random.int(NEEDED)));
    const violations = results.flatMap(({ wrong }) => wrong);
    const full = results.filter(({ isFull }) => isFull).length;
    reportCounts(t, `full volume, ${operation.title}`, { full, enough: TIMES - full, violations: violations.length });
    assert.deepEqual(violations, []);
    assert.ok(full > TIMES / 2, `${full} loads ran out of space`);
  });
}

/** A load on a small volume. */
interface Attempt {
  readonly scene: Scene;
  readonly operation: Operation;
  readonly control: Control;
  readonly volume: string;
}

/** Loads with `free` bytes of space; then frees the rest, and loads again. */
async function loadWithin({ scene, operation, control, volume }: Attempt, free: number) {
  const store = path.join(volume, 'store');
  await cp(scene.at(operation.template), store, { recursive: true, preserveTimestamps: true });
  const { bavail, bsize } = await statfs(volume);
  await writeFile(path.join(volume, 'rest'), Buffer.alloc(Math.max(0, bavail * bsize - free)));
  const { status, stderr } = await runProgram(scene.main, [...commandLine(operation, scene, store)]);
  const judgement = await judge(store);
  const isFull = status !== 0;
  const wrong = wrongAfterFault(judgement, isFull ? { ...control, after: control.before } : control, true).concat(
    isFull && (status !== 8 || !stderr.endsWith('[ERR_NO_SPACE]\n')) ? [`${status} ${stderr}`] : [],
    judgement.seen.ingest.map((name) => `ingest/${name} is left`),
    isFull ? judgement.unneeded.map((digest) => `${digest} is left`) : [],
  );
  await rm(path.join(volume, 'rest'));
  wrong.push(...(await wrongAfterRecovery(scene, operation, control, store)));
  await rm(store, { recursive: true });
  return { isFull, wrong: wrong.map((text) => `${free} bytes free: ${text}`) };
}

/** Mounts a small file system. Where mounting is not allowed: skips the test and returns undefined. */
async function mountTmpfs(t: TestContext): Promise<string | undefined> {
  const folder = path.join(await faultFolder(t), 'volume');
  await mkdir(folder);
  const { status, stderr } = await runCommand('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', folder]);
  if (status === 0) return folder;
  reportCounts(t, 'full volume', { skipped: 1 });
  t.skip(`cannot mount a small tmpfs: ${stderr.trim()}`);
  return undefined;
}
