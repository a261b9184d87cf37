import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { fitLines, isUnicode } from '../../src/cli/drawing.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { jsonOf, LADING, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand } from '../fixtures/command.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { fill } from '../fixtures/stores.js';

const UTF8 = { env: { LC_ALL: 'C.UTF-8' } };
const ASCII = { env: { LC_ALL: 'C' } };

/** A store with amd64 complete, arm64 without its layers, and arm/v7 only listed; amd64 and arm64 share a layer. */
async function partlyThere(t: TestContext): Promise<Workspace> {
  const built = example({ sharedLayer: true, attestations: true, layerBytes: 100_000 });
  const space = await workspace(t, { built });
  const [shared, ...own] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  assert.ok(shared && own.length === 2);
  for (const { digest } of own) built.blobs.delete(digest);
  built.blobs.delete(built.of('linux/arm/v7').digest);
  await fill(await OciLayoutStore.open(space.store), [{ name: NAME, descriptor: built.root }], built.blobs);
  return space;
}

/** The text with digests as `<id>`. */
function withoutIds(text: string): string {
  return text.replaceAll(/\b[0-9a-f]{12}\b/g, '<id>');
}

test('draws an image as a tree: platforms, layers, what they share and what is missing', async (t) => {
  const { run } = await partlyThere(t);
  const { status, stdout, stderr } = await run(['inspect', '--tree', FAMILIAR], UTF8);
  assert.deepEqual([status, stderr], [0, '']);
  assert.equal(
    withoutIds(stdout),
    `example/app:1   <id>   1 of 3 platforms complete · 512 kB in distinct blobs · 102 kB shared
├─ ● linux/amd64    307 kB   complete
│  ├─ 1   102 kB  A <id>   layer 0
│  ├─ 2   102 kB    <id>   layer 1
│  ├─ 3   102 kB    <id>   layer 2
│  └─ attested by   provenance (SLSA)
├─ ◐ linux/arm64    307 kB   incomplete, 204 kB in 2 blobs missing
│  ├─ 1   102 kB  A <id>   layer 0
│  ├─ 2   102 kB    <id>   (missing) layer 1
│  ├─ 3   102 kB    <id>   (missing) layer 2
│  └─ attested by   provenance (SLSA)
└─ ○ linux/arm/v7        –   listed, not here
   └─ attested by   provenance (SLSA)
A  layers that several platforms use
`,
  );
  const short = await run(['inspect', '--tree', '--no-layers', FAMILIAR], ASCII);
  assert.match(short.stdout, /^\|- ! linux\/arm64 +307 kB +incomplete, 204 kB in 2 blobs missing$/m);
  assert.match(short.stdout, /^`- o linux\/arm\/v7 +- +listed, not here$/m);
  assert.doesNotMatch(short.stdout, /layer|[^ -~\n]/);
});

test('prints exact numbers with --bytes, wherever sizes are printed', async (t) => {
  const { run, built } = await partlyThere(t);
  const { layers = [] } = built.blobs.links(built.of('linux/amd64').digest);
  for (const args of [['inspect', '--tree', FAMILIAR], ['inspect', FAMILIAR], ['images', '--tree'], ['images']]) {
    const { stdout } = await run([...args, '--bytes'], UTF8);
    assert.doesNotMatch(stdout, /\d [kM]?B\b/, args.join(' '));
    if (args[0] === 'inspect') assert.ok(stdout.includes(` ${layers[0]?.size} `), args.join(' '));
  }
  assert.match((await run(['prune', '--dry-run', '--bytes'])).stdout, /space: \d+$/m);
  assert.match((await run(['verify', '--bytes'])).stdout, /blobs, \d+ hashed/);
});

test('draws a tree on a terminal of its width, and lines for a pipe', async (t) => {
  if (!requireTool(t, 'script')) return;
  const { run, store } = await partlyThere(t);
  assert.match((await run(['inspect', FAMILIAR])).stdout, /^ {2}digest/m);
  assert.doesNotMatch((await run(['inspect', '--no-layers', FAMILIAR])).stdout, /^ +layer /m);
  for (const width of [40, 60, 200]) {
    const command = `stty cols ${width}; LC_ALL=C.UTF-8 '${process.execPath}' '${LADING}' inspect ${FAMILIAR} --store '${store}'`;
    const { stdout } = await runCommand('script', ['-qec', command, '/dev/null']);
    const lines = stdout.replaceAll('\r', '').trimEnd().split('\n');
    assert.ok(lines.length > 10 && lines.every((line) => line.length <= width), `${width}:\n${stdout}`);
    assert.equal(stdout.includes('…'), width < 100, `${width}`);
  }
});

const HOSTILE = 'RUN echo \u001b[31mred\u001b]8;;http://evil.example\u0007 \u202Eabc\n && rm \u2028 x';

test('shows the text of strangers without what a terminal obeys', async (t) => {
  const built = example({
    layers: 1,
    configExtra: {
      history: [{ created_by: HOSTILE }],
      config: { Labels: { a: HOSTILE }, Cmd: [HOSTILE], User: HOSTILE },
      created: '\u001b[2J',
    },
  });
  const { run } = await workspace(t, { built, loaded: true });
  for (const args of [['inspect', '--tree'], ['inspect'], ['images', '--tree']]) {
    for (const environment of [UTF8, ASCII]) {
      const { status, stdout } = await run([...args, FAMILIAR], environment);
      assert.equal(status, 0);
      assert.doesNotMatch(stdout.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
    }
  }
  assert.match((await run(['inspect', '--tree', FAMILIAR], UTF8)).stdout, /RUN echo .*abc && rm/);
});

test('lists a row for each platform, with a dash for what is not here', async (t) => {
  const { run } = await partlyThere(t);
  await run(['tag', FAMILIAR, 'example/app:2']);
  const { status, stdout } = await run(['images', '--tree'], UTF8);
  const rows = withoutIds(stdout)
    .trimEnd()
    .split('\n')
    .map((line) => line.split(/ {2,}/));
  const ago = rows[1]?.[4];
  assert.ok(status === 0 && ago !== undefined);
  const platforms = [
    ['├─ linux/amd64', '<id>', '307 kB', '102 kB', ago],
    ['├─ linux/arm64', '<id>', '307 kB (incomplete)', '102 kB', ago],
    ['└─ linux/arm/v7', '<id>', '–', '–', '–'],
  ];
  const size = rows[1]?.[2];
  assert.deepEqual(rows, [
    ['IMAGE', 'ID', 'SIZE', 'SHARED', 'CREATED'],
    ['example/app:1', '<id>', size, '102 kB', ago],
    ...platforms,
    ['example/app:2', '<id>', size, '102 kB', ago],
    ...platforms,
  ]);
  assert.match((await run(['images', '--tree'], ASCII)).stdout, /^`- linux\/arm\/v7 +[0-9a-f]{12} +- +- +-$/m);
});

test('lists an archive as the store that has loaded it, and what another image shares', async (t) => {
  const { run, at, store } = await workspace(t);
  const blobs = new BlobSet();
  const [a, b] = ['a', 'b'].map((seed) =>
    buildMultiPlatform(blobs, ['linux/amd64'], { seed, layers: ['base', `own-${seed}`], layerBytes: 50_000 }),
  );
  assert.ok(a && b);
  await writeFile(
    at('two.tar'),
    await layoutArchive(
      [
        { root: a.root, name: 'docker.io/library/a:1' },
        { root: b.root, name: 'docker.io/library/b:1' },
      ],
      blobs,
    ),
  );
  await run(['load', '-i', at('two.tar')]);
  const inStore = await run(['images', '--tree'], UTF8);
  const inArchive = await run(['images', '--tree', '--archive', at('two.tar')], UTF8);
  assert.equal(inArchive.stdout, inStore.stdout);
  assert.equal((await run(['images', '--tree', '--archive', store], UTF8)).stdout, inStore.stdout);
  assert.match(inStore.stdout, /^a:1 +[0-9a-f]{12} +1\d\d kB +5\d.\d kB/m);
  const one = await run(['images', '--tree', 'a:1'], UTF8);
  assert.deepEqual(one.stdout.trimEnd().split('\n').length, 3);
});

test('sorts by name, by size and by age', async (t) => {
  const { run, at } = await workspace(t);
  const blobs = new BlobSet();
  const facts = [
    ['a:1', 3, '2020-01-01T00:00:00Z'],
    ['b:1', 1, '2022-01-01T00:00:00Z'],
    ['c:1', 2, undefined],
    ['d:1', 2, undefined],
  ] as const;
  const images = facts.map(([name, layers, created]) => ({
    name: `docker.io/library/${name}`,
    root: buildMultiPlatform(blobs, ['linux/amd64'], { seed: name, layers, configExtra: { created } }).root,
  }));
  await writeFile(at('all.tar'), await layoutArchive(images, blobs));
  await run(['load', '-i', at('all.tar')]);
  const sorted = async (...args: readonly string[]): Promise<string> => {
    const { images: shown } = jsonOf<{ images: { name: string }[] }>((await run(['images', '--json', ...args])).stdout);
    return shown.map(({ name }) => name.replace(/^.*\/(\w):1$/, '$1')).join('');
  };
  assert.deepEqual(
    [await sorted(), await sorted('--sort', 'name'), await sorted('--sort', 'size'), await sorted('--sort', 'created')],
    ['abcd', 'abcd', 'acdb', 'bacd'],
  );
  assert.equal((await run(['images', '--sort', 'color'])).status, 2);
});

test('inspects several images and several archives, with what they share', async (t) => {
  const { run, at, archive, built } = await workspace(t, { loaded: true });
  const other = example({ seed: 'other', layers: ['common'] });
  other.blobs.delete(other.of('linux/arm64').digest);
  await writeFile(
    at('other.tar'),
    await layoutArchive([{ root: other.root, name: 'docker.io/library/other:1' }], other.blobs),
  );
  const both = await run(['inspect', '--json', '--archive', archive, at('other.tar')]);
  assert.equal(both.stderr, '');
  const { images, summary, sharedLayers } = jsonOf<{
    images: { name: string }[];
    summary: { platforms: object };
    sharedLayers: { letter: string; platforms: number; savedBytes: number; size: number }[];
  }>(both.stdout);
  assert.deepEqual(
    images.map(({ name }) => name),
    [NAME, 'docker.io/library/other:1'],
  );
  assert.deepEqual(summary.platforms, { listed: 6, complete: 5 });
  assert.deepEqual(
    sharedLayers.map(({ letter, platforms, savedBytes, size }) => [letter, platforms, savedBytes === size]),
    [['A', 2, true]],
  );
  assert.equal((await run(['load', '-i', at('other.tar')])).status, 0);
  await run(['tag', FAMILIAR, 'example/app:2']);
  const named = await run(['inspect', '--json', 'other', 'example/app:2', FAMILIAR]);
  assert.deepEqual(
    jsonOf<{ images: { digest: string }[] }>(named.stdout).images.map(({ digest }) => digest),
    [other.root.digest, built.root.digest],
  );
  assert.equal((await run(['inspect', FAMILIAR, 'nothing'])).status, 4);
});

test('knows UTF-8 by the first variable that is set', () => {
  assert.equal(isUnicode({ LANG: 'en_US.UTF-8' }), true);
  assert.equal(isUnicode({ LANG: 'en_US.UTF-8', LC_ALL: 'C' }), false);
  assert.equal(isUnicode({ LC_CTYPE: 'C.utf8', LANG: 'C' }), true);
  assert.equal(isUnicode({}), false);
});

test('cuts lines to a width, with a mark of as many characters as it takes', () => {
  const lines = ['abcdef', '├─ é'];
  assert.deepEqual(fitLines(lines, { width: 5, unicode: true }), ['abcd…', '├─ é']);
  assert.deepEqual(fitLines(lines, { width: 5, unicode: false }), ['ab...', '|- ?']);
  assert.deepEqual(fitLines(lines, { unicode: false }), ['abcdef', '|- ?']);
});
