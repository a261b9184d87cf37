import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { until } from '../fixtures/until.js';
import { runProgram, startUnderStrace } from './program.js';
import type { Scene, Template } from './scene.js';
import { judge, leftOver, type Judgement } from './store-oracle.js';
import { pointsOf, runTraced, traceArgs, type Point } from './traced-calls.js';

/** Two commands on one store: the first is stopped at some point, and the second runs to its end meanwhile. */
export interface Meeting {
  readonly title: string;
  readonly template: Template;
  readonly first: (scene: Scene) => readonly string[];
  readonly second: (scene: Scene) => readonly string[];
}

const LOAD = ({ at }: Scene): readonly string[] => ['load', '-i', at('new.tar')];
const LOAD_OLD = ({ at }: Scene): readonly string[] => ['load', '-i', at('old.tar')];
const PRUNE = (): readonly string[] => ['prune', '--grace', '0'];
const REMOVE = (): readonly string[] => ['rm', 'example/other:1'];
const TAG = (): readonly string[] => ['tag', 'example/other:1', 'example/other:2'];

/** The commands that may run during a load, and the loads that may run during a removal. */
export const MEETINGS = {
  loadThenPrune: { title: 'a prune during a load', template: 'base', first: LOAD, second: PRUNE },
  loadThenRemove: { title: 'a removal during a load', template: 'base', first: LOAD, second: REMOVE },
  loadThenTag: { title: 'a tag during a load', template: 'base', first: LOAD, second: TAG },
  loadThenLoad: { title: 'a first load during the same load', template: 'none', first: LOAD, second: LOAD },
  pruneThenLoad: {
    title: 'a load, during a prune, of what the prune removes',
    template: 'full',
    first: PRUNE,
    second: LOAD_OLD,
  },
  removeThenLoad: {
    title: 'a load, during a removal, of what is removed',
    template: 'base',
    first: REMOVE,
    second: LOAD_OLD,
  },
} as const satisfies Readonly<Record<string, Meeting>>;

/** Where the first command may be stopped, and the names that the images may have in the end: those of either order. */
export interface MeetingControl {
  readonly points: readonly Point[];
  readonly endings: readonly string[];
}

/** Runs the two commands one after the other, in both orders. */
export async function controlOfMeeting(scene: Scene, { title, template, ...two }: Meeting): Promise<MeetingControl> {
  const [first, second] = [two.first(scene), two.second(scene)];
  const [store, other] = [await scene.copyOf(template), await scene.copyOf(template)];
  const run = await runTraced(scene.main, [...first, '--store', store], scene.at(`${title}.control`));
  await runProgram(scene.main, [...second, '--store', store]);
  for (const args of [second, first]) await runProgram(scene.main, [...args, '--store', other]);
  const endings = [namesOf(await judge(store)), namesOf(await judge(other))];
  return { points: pointsOf(run.calls, store), endings };
}

/** Named images only: the prune may or may not have removed an unnamed one. */
function namesOf({ images }: Judgement): string {
  return images.filter((image) => !image.startsWith(' ')).join('\n');
}

/** Stops the first command right after the point, runs the second, and returns what is wrong in the end. */
export async function meetAt(
  scene: Scene,
  { title, template, ...two }: Meeting,
  control: MeetingControl,
  point: Point,
): Promise<{ readonly isStopped: boolean; readonly violations: readonly string[] }> {
  const store = await scene.copyOf(template);
  const log = `${store}.log`;
  const trace = traceArgs(log, { at: point, what: 'signal=SIGSTOP' });
  const { ended, kill, stdout } = startUnderStrace(scene.main, [...two.first(scene), '--store', store], trace);
  stdout.resume();
  try {
    const isStopped = await stopsOrEnds(log, ended);
    const second = await runProgram(scene.main, [...two.second(scene), '--store', store]);
    // More than once, since calls are counted in each thread, so each thread may be stopped once.
    const continuing = setInterval(() => isStopped && tryToContinue(mainThreadOf(log)), CONTINUE_MS);
    const first = await ended.finally(() => clearInterval(continuing));
    const pruned = await runProgram(scene.main, [...PRUNE(), '--store', store]);
    const failed = [first, second, pruned].filter(({ status }) => status !== 0);
    const wrong = [
      ...failed.map(({ status, stderr }) => `${status} ${stderr}`),
      ...wrongAtEnd(await judge(store), control),
    ];
    const violations = wrong.map((text) => `${title}, ${point.name} ${point.nth}: ${text}`);
    return { isStopped, violations };
  } finally {
    kill('SIGKILL');
    await Promise.all([store, log].map(async (name) => await rm(name, { recursive: true, force: true })));
  }
}

function wrongAtEnd(judgement: Judgement, { endings }: MeetingControl): readonly string[] {
  const { problems, missing, unneeded, seen } = judgement;
  return [
    ...problems,
    ...missing.map((digest) => `missing ${digest}`),
    ...unneeded.map((digest) => `no image needs ${digest}`),
    ...leftOver(judgement),
    ...seen.leases.map((name) => `leases/${name}`),
    ...(endings.includes(namesOf(judgement)) ? [] : [`the names are ${namesOf(judgement)}`]),
  ];
}

async function stopsOrEnds(log: string, ended: Promise<unknown>): Promise<boolean> {
  let isOver = false;
  void ended.then(() => (isOver = true));
  const isStopped = (): boolean => readLog(log).includes('--- stopped by SIGSTOP ---');
  await until(() => isOver || isStopped(), 'the first command stands still or ends');
  return isStopped();
}

function readLog(log: string): string {
  try {
    return readFileSync(log, 'utf8');
  } catch {
    return '';
  }
}

function tryToContinue(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // The process has just ended.
  }
}

/** Milliseconds between two SIGCONT to a stopped command. */
const CONTINUE_MS = 50;

/** The first line of the log is of the main thread. */
function mainThreadOf(log: string): number {
  return Number.parseInt(readLog(log), 10);
}
