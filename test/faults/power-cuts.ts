import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { seededRandom } from '../fixtures/seeded.js';
import { SEED } from './form.js';
import { openCut, openVolume } from './loop-volume.js';
import { runProgram, startProgram } from './program.js';
import type { Scene } from './scene.js';
import { judge, leftOver, passResumeTime } from './store-oracle.js';

/** The commands of one round, one after the other on the same store. */
const STEPS: readonly ((scene: Scene) => readonly string[])[] = [
  ({ at }) => ['load', '-i', at('old.tar')],
  ({ at }) => ['load', '-i', at('new.tar')],
  () => ['tag', 'example/extra:1', 'example/extra:2'],
  () => ['rm', 'example/extra:1', 'example/other:1'],
  ({ at }) => ['load', '-i', at('late.tar')],
  () => ['prune', '--grace', '0'],
];

/** The results of a step without a fault. */
interface ControlStep {
  readonly args: readonly string[];
  readonly durationMs: number;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

/** A copy of the device at a power cut, and the lists of images that it may hold. */
interface Cut {
  readonly file: string;
  readonly title: string;
  readonly allowed: readonly (readonly string[])[];
  readonly step: ControlStep;
}

/** Runs the first `count` steps without a fault. */
export async function controlSteps(scene: Scene, count = STEPS.length): Promise<readonly ControlStep[]> {
  const store = await scene.copyOf('none');
  const steps: ControlStep[] = [];
  for (const step of STEPS.slice(0, count)) {
    const args = step(scene);
    const before = (await judge(store)).images;
    const start = performance.now();
    await runProgram(scene.main, [...args, '--store', store]);
    steps.push({ args, durationMs: performance.now() - start, before, after: (await judge(store)).images });
  }
  return steps;
}

/** One round: cuts the power once during each step, and once right after it. Returns what was lost. */
export async function powerCuts(
  scene: Scene,
  steps: readonly ControlStep[],
  round: number,
): Promise<{ readonly cuts: number; readonly violations: readonly string[] }> {
  const random = seededRandom(`${SEED} power ${round}`);
  const volume = await openVolume(scene.at(`volume-${round}`));
  const cuts: Cut[] = [];
  for (const [at, step] of steps.entries()) {
    const [during, after] = ['during', 'after'].map((when) => scene.at(`cut-${round}-${at}-${when}.img`)) as [
      string,
      string,
    ];
    const program = startProgram(scene.main, [...step.args, '--store', path.join(volume.folder, 'store')]);
    program.stdout.resume();
    // In the first quarter of its time the program only starts.
    await delay(step.durationMs * (0.25 + random.int(750) / 1000));
    program.kill('SIGSTOP');
    await volume.cut(during);
    program.kill('SIGCONT');
    const { status, stderr } = await program.ended;
    if (status !== 0) throw new Error(`${step.args.join(' ')}: ${status} ${stderr}`);
    await volume.cut(after);
    const title = `round ${round}, ${step.args[0]} (step ${at})`;
    cuts.push({ file: during, title: `during ${title}`, allowed: [step.before, step.after], step });
    cuts.push({ file: after, title: `after ${title}`, allowed: [step.after], step });
  }
  await volume.close();
  const violations: string[] = [];
  for (const cut of cuts) violations.push(...(await lostIn(scene, cut)).map((text) => `${cut.title}: ${text}`));
  return { cuts: cuts.length, violations };
}

/** Mounts the copy of a cut, and checks its store; then runs the step again, and prunes. */
async function lostIn(scene: Scene, { file, allowed, step }: Cut): Promise<readonly string[]> {
  const volume = await openCut(file);
  try {
    const store = path.join(volume.folder, 'store');
    const { images, problems, missing } = await judge(store);
    const isKnown = allowed.some((one) => one.join() === images.join());
    const wrong = [...problems, ...missing.map((digest) => `missing ${digest}`)];
    if (!isKnown) wrong.push(`the images are ${images.join(', ') || 'none'}`);
    return wrong.length > 0 ? wrong : await wrongLater(scene, store, step);
  } finally {
    await volume.close();
  }
}

async function wrongLater(scene: Scene, store: string, { args, after }: ControlStep): Promise<readonly string[]> {
  const again = await runProgram(scene.main, [...args, '--store', store]);
  // Status 4 of `rm`: the images were already removed before the cut.
  const isDone = again.status === 0 || (args[0] === 'rm' && again.status === 4);
  await passResumeTime(store);
  const pruned = await runProgram(scene.main, ['prune', '--grace', '0', '--store', store]);
  const end = await judge(store);
  return [
    ...(isDone ? [] : [`again: ${again.stderr}`]),
    ...(pruned.status === 0 ? [] : [`prune: ${pruned.stderr}`]),
    ...[...end.problems, ...end.missing, ...end.unneeded, ...leftOver(end)].map((text) => `later: ${text}`),
    ...(namedOf(end.images) === namedOf(after) ? [] : [`later the images are ${end.images.join(', ')}`]),
  ];
}

/** Named images only: the prune may have removed an unnamed one. */
function namedOf(images: readonly string[]): string {
  return images.filter((image) => !image.startsWith(' ')).join();
}
