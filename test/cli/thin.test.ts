import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile, stat, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { BlobSet } from '../fixtures/blob-set.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { jsonOf, workspace, type PrintedError, type Workspace } from '../fixtures/cli-workspace.js';
import { runLading, type CommandResult } from '../fixtures/command.js';
import { IS_ALL, sampleOf } from '../fixtures/extent.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { readTar } from '../fixtures/saved-archive.js';

/* What is missing at the other end goes there by list, by file and by pipe. */

const PLATFORMS = ['linux/amd64', 'linux/arm64'];

interface Scene extends Workspace {
  /** Runs `lading` on the receiver's store. */
  readonly there: (args: readonly string[], input?: Buffer) => Promise<CommandResult>;
  /** Runs `lading`, which must succeed. */
  readonly ok: (args: readonly string[], input?: Buffer) => Promise<CommandResult>;
}

/** Two versions of an image in the store, and the first one at the receiver, whose archive is `1.tar`. */
async function scene(t: TestContext): Promise<Scene> {
  const made = await workspace(t);
  const { at, run } = made;
  const there = async (args: readonly string[], input?: Buffer): Promise<CommandResult> =>
    await runLading([...args, '--store', at('there')], input && { input });
  const ok = async (args: readonly string[], input?: Buffer): Promise<CommandResult> => {
    const result = await run(args, input && { input });
    assert.equal(result.status, 0, result.stderr);
    return result;
  };
  for (const version of [1, 2]) {
    const blobs = new BlobSet();
    const layers = ['os', 'runtime', `app ${version}`];
    const { root } = buildMultiPlatform(blobs, PLATFORMS, { layers, layerBytes: 50_000 });
    const image = { root, name: `docker.io/library/shop:${version}`, refName: String(version) };
    await writeFile(at(`${version}.tar`), await layoutArchive([image], blobs));
    await ok(['load', '-i', at(`${version}.tar`)]);
  }
  assert.equal((await there(['load', '-i', at('1.tar')])).status, 0);
  return { ...made, there, ok };
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

async function namesIn(file: string): Promise<readonly string[]> {
  return (await readTar(await readFile(file))).map(({ name }) => name);
}

test('what the receiver has is left out by its list, in a file and in a pipe', async (t) => {
  const { there, ok, at } = await scene(t);
  const have = await there(['have']);
  assert.match(have.stdout, /^# lading have 1\n(?:sha256:[0-9a-f]{64} \d+\n){3}$/);
  await writeFile(at('have'), have.stdout);
  const { output } = await ok(['save', 'shop:2', '--exclude-blobs', '-'], have.output);
  await ok(['save', 'shop:2', '--exclude-blobs', at('have'), '-o', at('thin.tar')]);
  assert.equal(sha256(await readFile(at('thin.tar'))), sha256(output));
  assert.deepEqual((await namesIn(at('thin.tar'))).slice(0, 2), ['lading-thin.json', 'thin/index.json']);
  const report = jsonOf<{ blobs: { stored: number; present: number } }>(
    (await there(['load', '--json'], output)).stdout,
  );
  assert.equal(report.blobs.present, 2);
  await ok(['save', 'shop:2', '-o', at('here.tar')]);
  assert.equal((await there(['save', 'shop:2', '-o', at('there.tar')])).status, 0);
  assert.deepEqual(await readFile(at('there.tar')), await readFile(at('here.tar')));
});

test('a base is read from an archive of every kind', async (t) => {
  const { there, ok, at } = await scene(t);
  await ok(['save', 'shop:1', '--compress', 'gzip', '-o', at('1.tar.gz')]);
  for (const base of IS_ALL ? [at('1.tar'), at('1.tar.gz')] : [at('1.tar.gz')]) {
    await ok(['save', 'shop:2', '--base', base, '-o', at('thin.tar')]);
    const list = jsonOf<{ base: object[]; from: string[] }>(
      String((await readTar(await readFile(at('thin.tar'))))[0]?.body),
    );
    assert.deepEqual([list.base.length, list.from], [2, [base.replace(/.*\//, '')]]);
  }
  // A thin archive counts for what it holds itself.
  await ok(['save', 'shop:2', '--base', at('thin.tar'), '-o', at('rest.tar')]);
  assert.equal(
    jsonOf<{ base: object[] }>(String((await readTar(await readFile(at('rest.tar'))))[0]?.body)).base.length,
    1,
  );
  await ok([
    'save',
    'shop:2',
    '--base',
    at('1.tar'),
    '--base',
    at('thin.tar'),
    '--compress',
    'gzip',
    '-o',
    at('none.tar.gz'),
  ]);
  const packed = await there(['load', '-i', at('none.tar.gz'), '--json']);
  const { missing } = jsonOf<PrintedError>(packed.stderr).error.details as { missing: object[] };
  assert.deepEqual([packed.status, missing.length], [4, 1]);
  assert.equal((await there(['load', '-i', at('thin.tar')])).status, 0);
  assert.equal((await there(['load', '-i', at('none.tar.gz')])).status, 0);
});

test('a docker-archive can be a base', async (t) => {
  const { run, at } = await workspace(t);
  const layers = [0, 1].map((n) => `layer ${n}`);
  const blobs = new BlobSet();
  const { root } = buildMultiPlatform(blobs, ['linux/amd64'], { layers, compression: 'none' });
  await writeFile(at('oci.tar'), await layoutArchive([{ root, name: 'docker.io/library/a:1' }], blobs));
  assert.equal((await run(['load', '-i', at('oci.tar')])).status, 0);
  assert.equal((await run(['copy', 'store:a:1', `docker-archive:${at('docker.tar')}`])).status, 0);
  const dry = await run(['save', 'a:1', '--base', at('docker.tar'), '--dry-run', '--json']);
  assert.equal(jsonOf<{ thin: { excluded: { count: number } } }>(dry.stdout).thin.excluded.count, 2);
});

test('a dry run tells what is left out, and its size is that of the file', async (t) => {
  const { ok, at } = await scene(t);
  const args = ['save', 'shop:2', '--base', at('1.tar')];
  const dry = jsonOf<{ size: number; thin: { excluded: { count: number; bytes: number }; full: { size: number } } }>(
    (await ok([...args, '--dry-run', '--json'])).stdout,
  );
  await ok([...args, '-o', at('thin.tar')]);
  await ok(['save', 'shop:2', '-o', at('full.tar')]);
  assert.deepEqual(
    [dry.size, dry.thin.full.size, dry.thin.excluded.count],
    [(await stat(at('thin.tar'))).size, (await stat(at('full.tar'))).size, 2],
  );
  assert.match(
    (await ok([...args, '--dry-run'])).stdout,
    /\nthin {6}leaves out 2 layers, \d+ kB; with them [\d ]+ bytes/,
  );
  const saved = jsonOf<{ thin: object }>((await ok([...args, '-o', at('thin.tar'), '--json'])).stdout);
  assert.deepEqual(saved.thin, dry.thin);
});

test('verify ends with 3 for a thin archive alone, and with 0 with its base', async (t) => {
  const { ok, run, there, at } = await scene(t);
  await ok(['save', 'shop:2', '--base', at('1.tar'), '-o', at('thin.tar')]);
  const alone = await run(['verify', '--archive', at('thin.tar')]);
  assert.equal(alone.status, 3);
  assert.match(
    alone.stdout,
    /\nnot judged: 2 layers, \d+ kB, that this thin archive leaves out; name what has them with --base\n/,
  );
  for (const base of [at('1.tar'), at('there')])
    assert.equal((await run(['verify', '--archive', at('thin.tar'), '--base', base])).status, 0, base);
  assert.equal((await run(['verify', '--archive', at('thin.tar'), '--base', at('thin.tar')])).status, 4);
  assert.equal((await run(['verify', '--base', at('1.tar')])).status, 2);
  assert.match((await run(['inspect', '--archive', at('thin.tar')])).stdout, /\(in base\)\n/);
  assert.equal((await there(['load', '--verify-base', '-i', at('thin.tar')])).status, 0);
});

test('every image, and some platforms, can be thin', async (t) => {
  const { ok, there, at } = await scene(t);
  await ok(['save', '--all', '--base', at('1.tar'), '-o', at('all.tar')]);
  assert.equal((await there(['load', '-i', at('all.tar')])).status, 0);
  assert.match((await there(['images'])).stdout, /shop:1[^]*shop:2/);
  const only = ['--platform', 'linux/arm64', '--index', 'rewrite'];
  await ok(['save', 'shop:2', ...only, '--base', at('1.tar'), '-o', at('arm.tar')]);
  const empty = await runLading(['load', '-i', at('arm.tar'), '--store', at('empty')]);
  assert.equal(empty.status, 4);
  assert.match(
    empty.stderr,
    /2 layers of \d+ bytes that are not in the store: .*; they are in "1\.tar" \[ERR_BASE_MISSING\]/,
  );
  assert.equal((await there(['load', '-i', at('arm.tar'), '--on-conflict', 'replace'])).status, 0);
});

const WRONG: readonly (readonly [what: string, list: string, line: number])[] = [
  ['no digest', '# lading have 1\n\nsha256:abc 5\n', 3],
  ['a cut line', `sha256:${'a'.repeat(64)} 5\nsha256:${'b'.repeat(50)}`, 2],
  ['a word behind the size', `sha256:${'a'.repeat(64)} 5 x\n`, 1],
  ['an answer of another program', 'bash: lading: command not found\n', 1],
];

for (const [what, list, line] of sampleOf(WRONG, 2, 'lists')) {
  test(`refuses a list with ${what}`, async (t) => {
    const { run, at } = await workspace(t, { loaded: true });
    await writeFile(at('list'), list);
    for (const args of [
      ['save', 'example/app:1', '--exclude-blobs', at('list'), '-o', at('x')],
      ['have', '--among', at('list')],
    ]) {
      const { status, stderr } = await run(args);
      assert.equal(status, 2, stderr);
      assert.ok(stderr.includes(`${at('list')}:${line}: a line is a digest and a size`), stderr);
    }
  });
}

test('refuses options that mean nothing together', async (t) => {
  const { run, at, archive } = await workspace(t, { loaded: true });
  const wrong = [
    ['save', 'example/app:1', '--exclude-blobs', '-', '--base', '-', '-o', at('x')],
    ['save', 'example/app:1', '--exclude-blobs', at('none'), '-o', at('x')],
    ['have', '--archive', archive, '--hold', '1m'],
    ['have', '--archive', archive, 'example/app:1'],
    ['have', '--hold', '25h'],
    ['have', '--hold', 'soon'],
  ];
  for (const args of wrong) assert.equal((await run(args)).status, 2, args.join(' '));
  assert.equal((await run(['have', 'example/other:1'])).status, 4);
});

test('a held layer outlives a prune, and others do not', async (t) => {
  const { there, ok, at } = await scene(t);
  await ok(['save', 'shop:2', '--base', at('1.tar'), '-o', at('thin.tar')]);
  const prune = ['prune', '--grace', '0', '--resume', '0'];
  const wish = (await there(['have'])).output;
  const held = await there(['have', '--among', '-', '--hold', '10m'], wish);
  assert.equal(held.stdout, wish.toString());
  await there(['rm', 'shop:1']);
  await there(prune);
  assert.equal((await there(['load', '-i', at('thin.tar')])).status, 0);
  await there(['rm', 'shop:2']);
  // Its time is over.
  const other = async (args: readonly string[]): Promise<CommandResult> =>
    await runLading([...args, '--store', at('other')]);
  await other(['load', '-i', at('1.tar')]);
  await other(['have', '--hold', '1s']);
  await other(['rm', 'shop:1']);
  await new Promise((resolve) => setTimeout(resolve, 1200));
  await other(prune);
  const refused = await other(['load', '-i', at('thin.tar')]);
  assert.deepEqual([refused.status, (await other(['have'])).stdout], [4, '# lading have 1\n']);
});

test('tells the layers of images, of platforms and of a list', async (t) => {
  const { run, built, archive } = await workspace(t, { loaded: true });
  const layers = (built.blobs.links(built.of('linux/arm64').digest).layers ?? []).map(
    ({ digest, size }) => `${digest} ${size}\n`,
  );
  const expected = `# lading have 1\n${layers.toSorted().join('')}`;
  const arm = ['--platform', 'linux/arm64'];
  assert.equal((await run(['have', 'example/app:1', ...arm])).stdout, expected);
  assert.equal((await run(['have', '--archive', archive, ...arm])).stdout, expected);
  const all = (await run(['have'])).stdout;
  assert.equal((await run(['have', '--archive', `${archive}:1`])).stdout, all);
  const wish = `${expected}sha256:${'0'.repeat(64)}\n`;
  assert.equal((await run(['have', '--among', '-'], { input: wish })).stdout, expected);
  const { layers: listed } = jsonOf<{ layers: object[] }>((await run(['have', '--json'])).stdout);
  assert.equal(listed.length, all.split('\n').length - 2);
});
