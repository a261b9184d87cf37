import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IS_LONG, reportCounts } from './form.js';
import { runProgram } from './program.js';
import { buildScene, type Scene } from './scene.js';
import { judge, leftOver } from './store-oracle.js';

/** How long the actors compete. */
const FOR_MS = IS_LONG ? 60_000 : 8000;

/** Runs the same commands again and again on a store that other actors use too. */
interface Actor {
  readonly commands: readonly (readonly string[])[];
  /** Errors that a command may end with, since other actors remove images. */
  readonly refusals?: RegExp;
}

function actors({ at }: Scene): Readonly<Record<string, Actor>> {
  return {
    loader: { commands: ['new', 'old'].map((name) => ['load', '-i', at(`${name}.tar`)]) },
    'other loader': { commands: [['load', '-i', at('late.tar')]] },
    remover: {
      commands: [
        ['rm', 'example/extra:1'],
        ['rm', 'example/other:1'],
      ],
      refusals: /\[ERR_IMAGE_UNKNOWN\]/,
    },
    collector: { commands: [['prune', '--grace', '0']] },
    // Another actor may replace and prune the image while this one reads it.
    saver: {
      commands: [['save', '-o', at('saved.tar'), 'example/app:1', 'example/large:1']],
      refusals: /\[ERR_(?:BLOB_MISSING|IMAGE_UNKNOWN|PLATFORM_UNAVAILABLE)\]/,
    },
    verifier: { commands: [['verify']], refusals: /\[ERR_BLOB_MISSING\]/ },
  };
}

test('loaders, a remover, a collector, a saver and a verifier do each other no harm', async (t) => {
  const scene = await buildScene(t);
  const store = await scene.copyOf('full');
  const deadline = performance.now() + FOR_MS;
  const all = Object.entries(actors(scene)).map(
    async ([name, actor]) => await act(scene, name, actor, store, () => performance.now() < deadline),
  );
  const results = await Promise.all(all);
  const violations = [...results.flatMap(({ wrong }) => wrong), ...(await wrongAtEnd(scene, store))];
  const [commands, refused] = [sum(results.map(({ runs }) => runs)), sum(results.map((result) => result.refused))];
  reportCounts(t, 'competing', { seconds: FOR_MS / 1000, commands, refused, violations: violations.length });
  assert.deepEqual(violations, []);
  for (const { name, runs } of results) assert.ok(runs > 0, `${name} did something`);
});

async function act(scene: Scene, name: string, { commands, refusals }: Actor, store: string, isTime: () => boolean) {
  const wrong: string[] = [];
  let runs = 0;
  let refused = 0;
  while (isTime()) {
    const args = commands[runs % commands.length] ?? [];
    const { status, stdout, stderr } = await runProgram(scene.main, [...args, '--store', store]);
    runs += 1;
    if (status === 0) continue;
    if (refusals?.test(stderr) === true) refused += 1;
    else wrong.push(`${name}: ${args[0]} ended with ${status}: ${stdout}${stderr}`);
  }
  return { name, wrong, runs, refused };
}

async function wrongAtEnd(scene: Scene, store: string): Promise<readonly string[]> {
  const { problems, missing } = await judge(store);
  const wrong = [...problems, ...missing.map((digest) => `missing ${digest}`)];
  for (const args of [['verify'], ['prune', '--grace', '0']]) {
    const { status, stdout, stderr } = await runProgram(scene.main, [...args, '--store', store]);
    if (status !== 0) wrong.push(`at the end: ${args[0]} ${status} ${stdout}${stderr}`);
  }
  const end = await judge(store);
  return [...wrong, ...end.problems, ...end.unneeded, ...leftOver(end), ...end.seen.leases];
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
