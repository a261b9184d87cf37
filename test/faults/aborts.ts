import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import type { CommandResult } from '../fixtures/command.js';
import { forEachPoint } from './form.js';
import { commandLine, OPERATIONS, type Operation } from './operations.js';
import { runProgram, startProgram, type Ended } from './program.js';
import { wrongAfterFault, wrongAfterRecovery, type Control } from './recovery.js';
import type { Scene } from './scene.js';
import { judge } from './store-oracle.js';

/** A signal to a program, and when it is sent, in milliseconds from the program's start. */
export interface Abort {
  readonly signal: 'SIGINT' | 'SIGTERM' | 'SIGHUP';
  readonly afterMs: number;
}

/** The results of sending signals to programs. */
export interface AbortReport {
  /** Runs whose exit status shows that they handled the signal. */
  readonly aborted: number;
  /** All other runs: they had ended, or did not listen yet, when the signal came. */
  readonly untouched: number;
  readonly violations: readonly string[];
}

interface AbortedRun extends Ended {
  readonly stdout: string;
}

/** The exit status that a shell shows for each signal. */
const STATUS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The loads that are aborted: from a file, and from a pipe. */
export const ABORTED_LOADS = OPERATIONS.filter(({ title }) => ['load over images', 'load from a pipe'].includes(title));

/** Sends each signal to a load of its own. Whole blobs may stay under its lease, for a resume; nothing else may. */
export async function abortLoads(
  scene: Scene,
  operation: Operation,
  control: Control,
  aborts: readonly Abort[],
): Promise<AbortReport> {
  return await abortAll(aborts, async (abort) => {
    const store = await scene.copyOf(operation.template);
    const ended = await abortOne(scene, commandLine(operation, scene, store), abort);
    const judgement = await judge(store);
    // An aborted load has changed no image, nor has one that was killed before it listened for signals. While Node
    // shuts down it no longer listens, so a load that has printed success can still be killed.
    const isDone = ended.status === 0 || (ended.signal !== null && ended.stdout.includes('Loaded image'));
    const expected = isDone ? control : { ...control, after: control.before };
    const wrong = [
      ...wrongAfterFault(judgement, expected, true),
      ...judgement.seen.ingest.filter(() => ended.status !== null).map((name) => `ingest/${name} is left`),
      ...(await wrongAfterRecovery(scene, operation, control, store)),
    ];
    await rm(store, { recursive: true });
    return { ended, wrong };
  });
}

/** Sends each signal to a save into a file. The file is whole, or there is none. */
export async function abortSaves(scene: Scene, aborts: readonly Abort[]): Promise<AbortReport> {
  const args = ['save', 'example/app:1', 'example/large:1', '--store', scene.at('full'), '-o'];
  await runProgram(scene.main, [...args, scene.at('whole.tar')]);
  const whole = await readFile(scene.at('whole.tar'));
  return await abortAll(aborts, async (abort) => {
    const folder = await scene.copyOf('none');
    await mkdir(folder);
    const file = path.join(folder, 'out.tar');
    const ended = await abortOne(scene, [...args, file], abort);
    const names = await readdir(folder);
    const isWhole = names.join() === 'out.tar' && (await readFile(file)).equals(whole);
    const isGood = isWhole || (names.length === 0 && ended.status !== 0);
    await rm(folder, { recursive: true });
    return { ended, wrong: isGood ? [] : [`ended with ${ended.status} and left ${names.join() || 'nothing'}`] };
  });
}

async function abortAll(
  aborts: readonly Abort[],
  run: (abort: Abort) => Promise<{ readonly ended: Ended; readonly wrong: readonly string[] }>,
): Promise<AbortReport> {
  let aborted = 0;
  const violations = await forEachPoint(aborts, async (abort) => {
    const { ended, wrong } = await run(abort);
    if (ended.status === STATUS[abort.signal]) aborted += 1;
    const isKnown = ended.signal !== null || [0, STATUS[abort.signal]].includes(ended.status ?? -1);
    const all = isKnown ? wrong : [...wrong, `ended with ${ended.status}: ${ended.stderr}`];
    return all.map((what) => `${abort.signal} after ${Math.round(abort.afterMs)} ms: ${what}`);
  });
  return { aborted, untouched: aborts.length - aborted, violations: violations.flat() };
}

async function abortOne(scene: Scene, args: readonly string[], { signal, afterMs }: Abort): Promise<AbortedRun> {
  const program = startProgram(scene.main, args);
  const stdout = text(program.stdout);
  await delay(afterMs);
  program.kill(signal);
  return { ...(await program.ended), stdout: await stdout };
}

/**
 * A load whose input ends too early changes no image. Whole blobs may stay under its lease; nothing else may. The input
 * comes through a socket, or through a pipe.
 */
export async function cutInput(
  scene: Scene,
  operation: Operation,
  control: Control,
  input: Buffer,
): Promise<readonly string[]> {
  const store = await scene.copyOf(operation.template);
  const { status, stderr } = await loadBytes(scene, operation.args(scene).includes('<'), store, input);
  const judgement = await judge(store);
  const wrong = [
    ...(status === 5 ? [] : [`ended with ${status}: ${stderr}`]),
    ...wrongAfterFault(judgement, { ...control, after: control.before }, true),
    ...judgement.seen.ingest.map((name) => `ingest/${name} is left`),
    ...(await wrongAfterRecovery(scene, operation, control, store)),
  ];
  await rm(store, { recursive: true });
  return wrong.map((what) => `input cut at ${input.length}: ${what}`);
}

async function loadBytes({ main }: Scene, isPiped: boolean, store: string, input: Buffer): Promise<CommandResult> {
  const args = ['load', '--store', store];
  if (!isPiped) return await runProgram(main, args, { input });
  await writeFile(`${store}.input`, input);
  const result = await runProgram(main, [...args, '<', `${store}.input`]);
  await rm(`${store}.input`);
  return result;
}

/** A save whose reader closes the pipe after `bytes` exits as a shell expects, and leaves no lease. */
export async function cutOutput(scene: Scene, bytes: number): Promise<readonly string[]> {
  // Each save has its own store: two run at the same time, and a running save has a lease.
  const store = await scene.copyOf('full');
  const before = await judge(store);
  const program = startProgram(scene.main, ['save', 'example/app:1', 'example/large:1', '--store', store]);
  let read = 0;
  program.stdout.on('data', (chunk: Buffer) => {
    read += chunk.length;
    if (read >= bytes) program.stdout.destroy();
  });
  const { status, stderr } = await program.ended;
  const wrong = changesSince(before, await judge(store));
  await rm(store, { recursive: true });
  // Status 0: everything was written before the reader closed the pipe.
  const all = status === 141 || status === 0 ? wrong : [...wrong, `ended with ${status}: ${stderr}`];
  return all.map((what) => `reader gone after ${bytes}: ${what}`);
}

type Judged = Awaited<ReturnType<typeof judge>>;

function changesSince(before: Judged, after: Judged): readonly string[] {
  const isSame = before.images.join() === after.images.join() && before.blobs.join() === after.blobs.join();
  return [
    ...after.problems,
    ...(isSame ? [] : ['the store changed']),
    ...after.seen.ingest.map((name) => `ingest/${name} is left`),
    ...after.seen.leases.map((name) => `leases/${name} is left`),
  ];
}
