import { readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { until } from '../fixtures/until.js';
import { runProgram, startUnderStrace } from './program.js';
import type { Scene, Template } from './scene.js';
import { judge, leftOver, type Judgement } from './store-oracle.js';
import { pointsOf, runTraced, traceArgs, type Point } from './traced-calls.js';

/** Two commands on one store: the first stands still somewhere in the middle while the second runs from start to end. */
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

/** Everything that may happen to a load, and everything that a removal must not do to one. */
export const MEETINGS = {
  loadThenPrune: { title: 'a load, and a prune meanwhile', template: 'base', first: LOAD, second: PRUNE },
  loadThenRemove: { title: 'a load, and a removal meanwhile', template: 'base', first: LOAD, second: REMOVE },
  loadThenTag: { title: 'a load, and a new name meanwhile', template: 'base', first: LOAD, second: TAG },
  loadThenLoad: { title: 'a first load, and the same one meanwhile', template: 'none', first: LOAD, second: LOAD },
  pruneThenLoad: {
    title: 'a prune, and a load of what it removes meanwhile',
    template: 'full',
    first: PRUNE,
    second: LOAD_OLD,
  },
  removeThenLoad: {
    title: 'a removal, and a load of what it removes meanwhile',
    template: 'base',
    first: REMOVE,
    second: LOAD_OLD,
  },
} as const satisfies Readonly<Record<string, Meeting>>;

/** Where the first command may stand still, and how the images may be named in the end: as one after the other names them. */
export interface MeetingControl {
  readonly points: readonly Point[];
  readonly endings: readonly string[];
}

/** Runs the two after each other, in both orders. */
export async function controlOfMeeting(scene: Scene, { title, template, ...two }: Meeting): Promise<MeetingControl> {
  const [first, second] = [two.first(scene), two.second(scene)];
  const [store, other] = [await scene.copyOf(template), await scene.copyOf(template)];
  const run = await runTraced(scene.main, [...first, '--store', store], scene.at(`${title}.control`));
  await runProgram(scene.main, [...second, '--store', store]);
  for (const args of [second, first]) await runProgram(scene.main, [...args, '--store', other]);
  const endings = [namesOf(await judge(store)), namesOf(await judge(other))];
  return { points: pointsOf(run.calls, store), endings };
}

/** An unnamed image may be there or not: that is up to the prune. */
function namesOf({ images }: Judgement): string {
  return images.filter((image) => !image.startsWith(' ')).join('\n');
}

/** Lets the two meet with the first standing still right after the point; gives what is wrong in the end. */
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
    // Again and again: calls are counted in each thread, and each may be stopped at its own.
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
    ...unneeded.map((digest) => `nobody needs ${digest}`),
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
    // It has just ended.
  }
}

/** How often a command that was stopped is told to go on. */
const CONTINUE_MS = 50;

/** The first line is of the thread that started the program. */
function mainThreadOf(log: string): number {
  return Number.parseInt(readLog(log), 10);
}
