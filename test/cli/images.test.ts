import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { BlobSet, removeLayers } from '../fixtures/blob-set.js';
import { jsonOf, LADING, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand } from '../fixtures/command.js';
import { example, FAMILIAR, PLATFORMS } from '../fixtures/example.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';

/** The cells of each row of a table, without its head. */
function rowsOf(stdout: string): readonly (readonly string[])[] {
  const lines = stdout.trimEnd().split('\n').slice(1);
  return lines.map((line) => line.split(/ {2,}/));
}

/** The first cell of each row. */
function namesIn(stdout: string): readonly string[] {
  return rowsOf(stdout).map(([name = '']) => name);
}

/** A year of a year with 365 days ago, as a config has it. */
function yearsAgo(years: number): string {
  return new Date(Date.now() - (years * 365 + 1) * 86_400_000).toISOString();
}

const YOUNG = { created: yearsAgo(2), config: { Labels: { stage: 'prod', team: 'a' } } };

/** A store with the example under several tags, a younger image of one platform, and one without a name or time. */
async function severalImages(t: TestContext): Promise<Workspace> {
  const space = await workspace(t, { loaded: true });
  for (const tag of ['1.10', '1.9', '1.2']) await space.run(['tag', FAMILIAR, `example/app:${tag}`]);
  const blobs = new BlobSet();
  const young = buildMultiPlatform(blobs, ['linux/amd64'], { seed: 'young', configExtra: YOUNG });
  const unnamed = buildMultiPlatform(blobs, ['linux/s390x'], {
    seed: 'unnamed',
    configExtra: { created: '0001-01-01T00:00:00Z' },
  });
  await writeFile(
    space.at('more.tar'),
    await layoutArchive(
      [{ root: young.root, name: 'registry.example.com/team/young:1' }, { root: unnamed.root }],
      blobs,
    ),
  );
  assert.equal((await space.run(['load', '-i', space.at('more.tar')])).status, 0);
  return space;
}

const APPS = ['example/app:1', 'example/app:1.2', 'example/app:1.9', 'example/app:1.10'];
const YOUNG_NAME = 'registry.example.com/team/young:1';

test('shows size and age, and orders tags as people do', async (t) => {
  const { run, built } = await severalImages(t);
  const { stdout } = await run(['images']);
  assert.deepEqual(namesIn(stdout), [...APPS, YOUNG_NAME, '<none>']);
  const bytes = [...built.blobs.values()].reduce((sum, { length }) => sum + length, 0);
  assert.deepEqual(
    rowsOf(stdout).map(([, , created]) => created),
    [...Array.from({ length: 4 }, () => rowsOf(stdout)[0]?.[2]), '2 years ago', 'N/A'],
  );
  assert.equal(rowsOf(stdout)[0]?.[3], `${(bytes / 1000).toFixed(1)} kB`);
  const { images } = jsonOf<{ images: { name?: string; size: number; created?: string }[] }>(
    (await run(['images', '--json'])).stdout,
  );
  assert.deepEqual([images[0]?.size, images[4]?.created], [bytes, YOUNG.created]);
  const quiet = (await run(['images', '-q'])).stdout.trimEnd().split('\n');
  assert.deepEqual([quiet.length, new Set(quiet).size], [6, 3]);
});

test('counts the size of complete platforms only', async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const { run } = await workspace(t, { loaded: true, built });
  const manifests = PLATFORMS.filter((platform) => platform !== 'linux/arm64').map((platform) => built.of(platform));
  const sizes = manifests.map(({ digest, size }) => {
    const { config, layers = [] } = built.blobs.links(digest);
    return size + (config?.size ?? 0) + layers.reduce((sum, layer) => sum + layer.size, 0);
  });
  const { images } = jsonOf<{ images: { size: number }[] }>((await run(['images', '--json'])).stdout);
  assert.equal(
    images[0]?.size,
    sizes.reduce((sum, size) => sum + size, built.root.size),
  );
});

const CASES: readonly (readonly [args: readonly string[], names: readonly string[] | number])[] = [
  [['example/app'], APPS],
  [
    ['example/app:1.9', YOUNG_NAME],
    ['example/app:1.9', YOUNG_NAME],
  ],
  [['example/app:1.*'], APPS.slice(1)],
  [['example/*'], APPS],
  [['*/app:1.?'], ['example/app:1.2', 'example/app:1.9']],
  [['docker.io/example/app:1.[2-3]'], ['example/app:1.2']],
  [['nothing/*'], []],
  [['nothing'], 4],
  [['BAD NAME'], 2],
  [['-f', 'dangling=true'], ['<none>']],
  [
    ['--filter', 'dangling=false'],
    [...APPS, YOUNG_NAME],
  ],
  [['-f', 'reference=*/*/young'], [YOUNG_NAME]],
  [
    ['-f', 'reference=example/app:1', '-f', 'reference=*/*/young'],
    ['example/app:1', YOUNG_NAME],
  ],
  [['-f', 'label=stage'], [YOUNG_NAME]],
  [['-f', 'label=stage=prod', '-f', 'label=team=b'], []],
  [
    ['-f', 'label!=stage'],
    [...APPS, '<none>'],
  ],
  [['-f', 'platform=linux/s390x'], ['<none>']],
  [['-f', 'platform=arm/v7'], APPS],
  [['-f', `since=example/app:1`], [YOUNG_NAME]],
  [
    ['-f', `before=${YOUNG_NAME}`],
    [...APPS, '<none>'],
  ],
  [['-f', 'dangling=false', 'example/app:1.9'], ['example/app:1.9']],
  [['-f', 'since=nothing'], 4],
  [['-f', 'color=red'], 2],
  [['-f', 'dangling=maybe'], 2],
  [['-f', 'reference=[z-a]'], []],
  [['-f', 'reference=[a-'], 2],
  [['example/[-x]'], 2],
  [['-f', `reference=${'*a'.repeat(2000)}b`], []],
];

test('lists what names, patterns and filters choose, of a store and of an archive alike', async (t) => {
  const { run, at, store } = await severalImages(t);
  for (const [args, expected] of CASES) {
    const { status, stdout, stderr } = await run(['images', ...args]);
    const label = args.join(' ');
    if (typeof expected === 'number') assert.equal(status, expected, label);
    else assert.deepEqual([status, namesIn(stdout), stderr], [0, expected, ''], label);
  }
  const all = await run(['images']);
  assert.equal((await run(['images', '--archive', store])).stdout, all.stdout);
  const [young] = rowsOf((await run(['images', YOUNG_NAME])).stdout);
  for (const source of [
    ['--archive', at('more.tar'), YOUNG_NAME],
    ['--archive', at('more.tar'), '-f', 'label=stage'],
  ]) {
    assert.deepEqual(rowsOf((await run(['images', ...source])).stdout), [young]);
  }
  const piped = await run(['images', '--archive', '-'], { input: await readFile(at('more.tar')) });
  assert.deepEqual(namesIn(piped.stdout), [YOUNG_NAME, '<none>']);
  assert.equal((await run(['images', '--archive', at('nothing.tar')])).status, 4);
  const ids = rowsOf(all.stdout).map(([, id = '']) => id);
  assert.deepEqual(namesIn((await run(['images', ids[0] ?? ''])).stdout), APPS);
});

test('fits a table to the width of the terminal, and cuts nothing in a pipe', async (t) => {
  if (!requireTool(t, 'script')) return;
  const platforms = ['linux/amd64', 'linux/arm64', 'linux/arm/v7', 'linux/ppc64le', 'linux/s390x', 'linux/riscv64'];
  const built = example({ platforms });
  const { run, store } = await workspace(t, { loaded: true, built });
  await run(['tag', FAMILIAR, `registry.example.com/${'long/'.repeat(10)}name:1.2.3`]);
  const whole = (await run(['images'])).stdout;
  assert.ok(whole.includes(platforms.join(', ')) && !whole.includes('…'));
  for (const width of [80, 100, 120, 400]) {
    const command = `stty cols ${width}; '${process.execPath}' '${LADING}' images --store '${store}'`;
    const { stdout } = await runCommand('script', ['-qec', command, '/dev/null']);
    const lines = stdout.replaceAll('\r', '').trimEnd().split('\n');
    assert.ok(lines.length === 3 && lines.every((line) => line.length <= width), `${width}:\n${stdout}`);
    if (width === 400) assert.equal(lines.join('\n'), whole.trimEnd());
    else assert.match(stdout, /\+\d|in all/);
    if (width === 80) assert.match(stdout, /…\S*:1\.2\.3 /);
  }
});

test('inspects an image once, however many names it has', async (t) => {
  const { run, at, store } = await severalImages(t);
  const { stdout } = await run(['inspect', 'example/app']);
  assert.equal(stdout.match(/^\S/gm)?.length, 1);
  assert.match(stdout, /^ {2}also named {2}example\/app:1\.2, example\/app:1\.9, example\/app:1\.10$/m);
  const { schema, images } = jsonOf<{ schema: string; images: { names: string[] }[] }>(
    (await run(['inspect', '--json', 'example/app'])).stdout,
  );
  assert.deepEqual([schema, images.length, images[0]?.names.length], ['dev.lading.inspection.v1', 1, 4]);
  const archived = await run(['inspect', '--json', '--archive', store]);
  assert.equal(jsonOf<{ images: object[] }>(archived.stdout).images.length, 3);
  assert.equal((await run(['inspect', '--archive', at('more.tar')])).status, 0);
});

test('counts a layer as shared if another image has it', async (t) => {
  const { run, at } = await workspace(t);
  const blobs = new BlobSet();
  const [a, b] = ['a', 'b'].map((seed) =>
    buildMultiPlatform(blobs, ['linux/amd64'], { seed, layers: ['base', `own-${seed}`] }),
  );
  assert.ok(a && b);
  const named = [
    { root: a.root, name: 'a:1' },
    { root: b.root, name: 'b:1' },
  ];
  await writeFile(at('two.tar'), await layoutArchive(named, blobs));
  await writeFile(at('one.tar'), await layoutArchive(named.slice(0, 1), blobs));
  await run(['load', '-i', at('two.tar')]);
  const [layer] = blobs.links(a.manifests.get('linux/amd64')?.digest ?? a.root.digest).layers ?? [];
  const sharedIn = async (...args: readonly string[]): Promise<number | undefined> => {
    const text = (await run(['inspect', '--json', ...args])).stdout;
    return jsonOf<{ images: { platforms: { sharedBytes: number }[] }[] }>(text).images[0]?.platforms[0]?.sharedBytes;
  };
  assert.equal(await sharedIn('a:1'), layer?.size);
  assert.equal(await sharedIn('--archive', at('two.tar')), layer?.size);
  assert.equal(await sharedIn('--archive', at('one.tar')), 0);
});

test('every report in JSON is an object with a schema', async (t) => {
  const { run, archive, at } = await workspace(t, { loaded: true });
  for (const [kind, ...args] of [
    ['load', '-i', archive],
    ['images'],
    ['inspect', FAMILIAR],
    ['tag', FAMILIAR, 'example/app:2'],
    ['save', '-o', at('out.tar'), FAMILIAR],
    ['verify'],
    ['prune'],
    ['rm', FAMILIAR],
  ] as const) {
    const { status, stdout } = await run([kind, '--json', ...args]);
    const schema = kind === 'inspect' ? 'dev.lading.inspection.v1' : `lading.${kind}/1`;
    assert.deepEqual([status, jsonOf<{ schema: string }>(stdout).schema], [0, schema]);
  }
  const { stderr } = await run(['rm', '--json', 'nothing']);
  assert.equal(jsonOf<{ schema: string }>(stderr).schema, 'lading.error/1');
});
