import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { jsonOf, workspace, type PrintedError, type Workspace } from '../fixtures/cli-workspace.js';
import { runLading } from '../fixtures/command.js';
import { buildManifest } from '../fixtures/manifest-builder.js';

interface Space extends Workspace {
  readonly digests: readonly string[];
}

/** A store with an image of two names, one with a tag alone, one with no name, and one whose name was taken. */
async function filled(t: TestContext): Promise<Space> {
  const space = await workspace(t);
  const blobs = new BlobSet();
  const roots = ['a', 'b', 'c', 'd', 'e'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
  const [named, tagged, bare, old, young] = roots;
  const first = [
    { root: named!, name: 'docker.io/example/app:1' },
    { root: named!, name: 'docker.io/example/app:2' },
    { root: tagged!, refName: '3.0' },
    { root: bare! },
    { root: old!, name: 'docker.io/example/moved:1' },
  ];
  for (const images of [first, [{ root: young!, name: 'docker.io/example/moved:1' }]]) {
    await writeFile(space.archive, await layoutArchive(images, blobs));
    assert.equal((await space.run(['load', '-q', '-i', space.archive])).status, 0);
  }
  return { ...space, digests: roots.map(({ digest }) => digest) };
}

/** The names, tags and digests of what a second store has after it loaded the archive. */
async function restored(archive: string): Promise<readonly string[]> {
  const { status, stdout } = await runLading(['load', '--json', '-q', '-i', archive, '--store', `${archive}.store`]);
  assert.equal(status, 0);
  const { images } = jsonOf<{ images: readonly Record<'name' | 'tag' | 'digest', string>[] }>(stdout);
  return images.map(({ name, tag, digest }) => name ?? tag ?? digest).toSorted();
}

const NAMES = ['docker.io/example/app:1', 'docker.io/example/app:2', 'docker.io/example/moved:1'];

test('save --all saves every image that a prune keeps, under its names', async (t) => {
  const { run, at, digests } = await filled(t);
  const saved = await run(['save', '--all', '--json', '-o', at('all.tar')]);
  assert.deepEqual([saved.status, saved.stderr], [0, '']);
  assert.deepEqual(await restored(at('all.tar')), [...NAMES, '3.0', digests[2]!].toSorted());
  assert.ok(!saved.stdout.includes(digests[3]!), 'the image whose name another one took is left out');
});

test('save --all of a store without images fails, and writes no file', async (t) => {
  const { run, at } = await workspace(t);
  const { status, stderr } = await run(['save', '--all', '--json', '-o', at('all.tar')]);
  assert.deepEqual([status, jsonOf<PrintedError>(stderr).error.code], [4, 'ERR_IMAGE_UNKNOWN']);
});

test('save --from-file takes a list of images from a file and from stdin, beside names', async (t) => {
  const { run, at } = await filled(t);
  const list = '# every night\n\nexample/app:1   # the application\r\n<none>:3.0\n';
  await writeFile(at('list'), list);
  assert.equal((await run(['save', '--from-file', at('list'), '-o', at('one.tar')])).status, 0);
  assert.deepEqual(await restored(at('one.tar')), ['3.0', 'docker.io/example/app:1']);
  const args = ['save', '--from-file', '-', 'example/moved', '-o', at('other.tar')];
  assert.equal((await run(args, { input: Buffer.from(list) })).status, 0);
  assert.deepEqual(await restored(at('other.tar')), ['3.0', 'docker.io/example/app:1', NAMES[2]]);
});

/** Lists that are refused, with the exit status and what the message says. */
const REFUSED: readonly (readonly [list: string, status: number, message: RegExp])[] = [
  ['', 2, /no line with an image/],
  ['# nothing\n', 2, /no line with an image/],
  ['example/app:1\na b\n', 2, /list:2: a line is one image, not "a b"/],
  ['example/app:1\nexample/none:1\n', 4, /no image "example\/none:1"/],
  ['example/app:1\nEXAMPLE\n', 2, /EXAMPLE/],
];

test('save refuses lists that are wrong, and writes no file', async (t) => {
  const { run, at } = await filled(t);
  for (const [list, status, message] of REFUSED) {
    await writeFile(at('list'), list);
    const refused = await run(['save', '--from-file', at('list'), '-o', at('out.tar')]);
    assert.equal(refused.status, status);
    assert.match(refused.stderr, message);
  }
  for (const args of [
    ['--from-file', at('none')],
    ['--all', 'example/app:1'],
    ['--all', '--from-file', at('list')],
    [],
  ]) {
    assert.equal((await run(['save', ...args, '-o', at('out.tar')])).status, 2, args.join(' '));
  }
  assert.equal((await run(['inspect', '--archive', at('out.tar')])).status, 4);
});

test('load --image takes images, repositories and patterns out of a large archive, and stores nothing else', async (t) => {
  const { run, at } = await filled(t);
  await run(['save', '--all', '-o', at('all.tar')]);
  const choices: readonly (readonly [texts: readonly string[], names: readonly string[] | number])[] = [
    [['example/app'], NAMES.slice(0, 2)],
    [['example/app:2'], [NAMES[1]!]],
    [['example/*'], NAMES],
    [['*/app:[13]'], [NAMES[0]!]],
    [['docker.io/example/moved:1', '3.0'], [NAMES[2]!, '3.0'].toSorted()],
    [['example/app', 'example/none'], 4],
    [['none/*'], 4],
    [['example/['], 2],
  ];
  for (const [number, [texts, expected]] of choices.entries()) {
    const store = at(`store-${number}`);
    const chosen = texts.flatMap((text) => ['--image', text]);
    const loaded = await runLading(['load', '-q', '-i', at('all.tar'), ...chosen, '--store', store]);
    const listed = await runLading(['images', '--json', '--store', store]);
    const { images } = jsonOf<{ images: readonly Record<'name' | 'tag', string>[] }>(listed.stdout);
    const names = images.map(({ name, tag }) => name ?? tag).toSorted();
    if (typeof expected === 'number') assert.deepEqual([loaded.status, names], [expected, []], texts.join(' '));
    else assert.deepEqual([loaded.status, names], [0, expected], texts.join(' '));
    if (loaded.status !== 0) continue;
    const pruned = await runLading(['prune', '--json', '--grace', '0', '--resume', '0', '--store', store]);
    assert.deepEqual(jsonOf<{ blobs: readonly string[] }>(pruned.stdout).blobs, []);
  }
});
