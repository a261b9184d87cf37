import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { commandLine, type Operation } from './operations.js';
import { runProgram } from './program.js';
import type { Scene } from './scene.js';
import { judge, leftOver, passResumeTime, type Judgement, type StoreState } from './store-oracle.js';
import { pointsOf, runTraced, type Point, type TracedRun } from './traced-calls.js';

/** The results of an operation without a fault. */
export interface Control {
  readonly before: StoreState;
  readonly after: StoreState;
  /** The state after a prune. Every run with a fault must reach it in the end. */
  readonly end: StoreState;
  /** Blobs that may be missing, if the operation leaves out some platforms of an image. */
  readonly mayBeMissing: ReadonlySet<string>;
  readonly run: TracedRun;
  /** Every call that changes the store. */
  readonly points: readonly Point[];
  /** The same, and every call that closes a file of the store. */
  readonly heeded: readonly Point[];
}

/** Runs an operation once without a fault. */
export async function controlOf(scene: Scene, operation: Operation): Promise<Control> {
  const store = await scene.copyOf(operation.template);
  const before = stateOf(await judge(store));
  const run = await runTraced(scene.main, commandLine(operation, scene, store), scene.at(`${operation.title}.control`));
  assert.equal(run.status, 0, run.stderr);
  const after = stateOf(await judge(store));
  await lading(scene, [['prune', '--grace', '0']], store);
  const end = stateOf(await judge(store));
  await rm(store, { recursive: true });
  const whole = operation.isPartial === true ? (await judge(scene.at('full'))).blobs : [];
  const mayBeMissing = new Set(whole.filter((digest) => !after.blobs.includes(digest)));
  const [points, heeded] = [pointsOf(run.calls, store), pointsOf(run.calls, store, true)];
  return { before, after, end, mayBeMissing, run, points, heeded };
}

function stateOf({ images, blobs, missing, unneeded }: Judgement): StoreState {
  return { images, blobs, missing, unneeded };
}

/**
 * What is wrong with a store right after a fault: a problem that no store may have, an image that is not whole, or a
 * list of images that is neither the old nor the new one.
 */
export function wrongAfterFault(judgement: Judgement, control: Control, isDone: boolean): readonly string[] {
  const { problems, images, missing } = judgement;
  const allowed = isDone ? [control.after] : [control.before, control.after];
  const isKnown = allowed.some((state) => sameTexts(state.images, images));
  return [
    ...problems,
    ...missing.filter((digest) => !control.mayBeMissing.has(digest)).map((digest) => `missing ${digest}`),
    ...(isKnown ? [] : [`images are ${images.join(', ') || 'none'}`]),
  ];
}

/**
 * Runs the operation again, prunes, and lets the resume time pass. Returns what is wrong in between or at the end, when
 * the store must be that of a run without a fault.
 */
export async function wrongAfterRecovery(
  scene: Scene,
  operation: Operation,
  control: Control,
  store: string,
): Promise<readonly string[]> {
  const again = await runProgram(scene.main, commandLine(operation, scene, store));
  const wrong = operation.again.includes(again.status ?? -1) ? [] : [`again: ${again.status} ${again.stderr}`];
  wrong.push(...wrongAfterFault(await judge(store), control, true).map((text) => `again: ${text}`));
  wrong.push(...(await lading(scene, [['prune', '--grace', '0']], store)));
  const pruned = await judge(store);
  // Files of an unfinished opening belong to no session, so only their age shows that no process writes them.
  wrong.push(...leftOver(pruned).filter((name) => !name.startsWith('ingest/open.')));
  await passResumeTime(store);
  wrong.push(...(await lading(scene, [['prune', '--grace', '0'], ['verify']], store)));
  const end = await judge(store);
  return [...wrong, ...wrongAtEnd(end, control).map((text) => `at the end: ${text}`)];
}

/**
 * Nothing is left over, and every image has what it has after a run without a fault. It may have more: a load of some
 * platforms keeps documents of other platforms that an interrupted load left.
 */
function wrongAtEnd(end: Judgement, control: Control): readonly string[] {
  const lost = control.end.blobs.filter((digest) => !end.blobs.includes(digest));
  return [
    ...wrongAfterFault(end, { ...control, after: control.end }, true),
    ...leftOver(end),
    ...end.seen.leases.map((name) => `leases/${name}`),
    ...end.unneeded.map((digest) => `no image needs ${digest}`),
    ...lost.map((digest) => `lost ${digest}`),
  ];
}

async function lading(scene: Scene, commands: readonly (readonly string[])[], store: string): Promise<string[]> {
  const wrong: string[] = [];
  for (const args of commands) {
    const { status, stdout, stderr } = await runProgram(scene.main, [...args, '--store', store]);
    if (status !== 0) wrong.push(`${args.join(' ')}: ${status} ${stdout}${stderr}`);
  }
  return wrong;
}

function sameTexts(texts: readonly string[], others: readonly string[]): boolean {
  return texts.length === others.length && texts.every((text, at) => text === others[at]);
}
