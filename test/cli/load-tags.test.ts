import assert from 'node:assert/strict';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { jsonOf, workspace, type PrintedError, type Workspace } from '../fixtures/cli-workspace.js';
import { output } from '../fixtures/command.js';
import { buildManifest } from '../fixtures/manifest-builder.js';

/** Two images with the tags 1.0, latest (of the first) and 2.0, as an archive and unpacked as a folder. */
async function tagged(
  t: TestContext,
): Promise<Workspace & { readonly digests: readonly string[]; readonly dir: string }> {
  const space = await workspace(t);
  const blobs = new BlobSet();
  const roots = ['first', 'second'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
  const [first, second] = roots;
  const images = [
    { root: first!, refName: '1.0' },
    { root: first!, refName: 'latest' },
    { root: second!, refName: '2.0' },
  ];
  await writeFile(space.archive, await layoutArchive(images, blobs));
  const dir = space.at('dir');
  await mkdir(dir);
  await output('tar', ['-xf', space.archive, '-C', dir]);
  return { ...space, dir, digests: roots.map(({ digest }) => digest) };
}

test('load tells of tags once and keeps them; images and inspect show them, and every command takes them', async (t) => {
  const { run, archive, digests, at } = await tagged(t);
  const loaded = await run(['load', '-i', archive]);
  assert.deepEqual(loaded.stdout, digests.map((digest) => `Loaded image ID: ${digest}\n`).join(''));
  assert.equal(loaded.stderr.trimEnd().split('\n').length, 1);
  assert.match(loaded.stderr, /^lading: warning: 3 images have only a tag.*lading tag sha256:\S+ REPO:1\.0/);
  const listed = await run(['images']);
  assert.deepEqual(
    listed.stdout
      .split('\n')
      .flatMap((line) => /^<none>:(\S+)/.exec(line)?.[1] ?? [])
      .toSorted(),
    ['1.0', '2.0', 'latest'],
  );
  const { stdout } = await run(['inspect', '<none>:2.0']);
  assert.ok(stdout.startsWith(`<none>:2.0\n  digest      ${digests[1]}\n`));
  assert.equal((await run(['save', '-o', at('one.tar'), '<none>:2.0'])).status, 0);
  const again = await run(['load', '--json', '-i', at('one.tar'), '--store', at('other')]);
  assert.deepEqual(jsonOf<{ images: { tag: string }[] }>(again.stdout).images[0]?.tag, '2.0');
  assert.equal((await run(['load', '-q', '-i', archive])).stderr, '');
  assert.equal((await run(['tag', '<none>:2.0', 'example/app:2.0'])).status, 0);
  assert.doesNotMatch((await run(['images'])).stdout, /<none>:2\.0/);
  assert.equal((await run(['rm', '<none>:1.0'])).status, 0);
  assert.match((await run(['images'])).stdout, /<none>:latest/);
});

test('load -i FILE:TAG and DIR:TAG load one image, and --name names it', async (t) => {
  const { run, archive, dir, state, at } = await tagged(t);
  const names = async (): Promise<readonly string[]> =>
    (await state()).images.map(({ name, tag }) => name ?? `<none>:${tag}`);
  assert.equal((await run(['load', '-q', '-i', `${archive}:2.0`])).status, 0);
  assert.deepEqual(await names(), ['<none>:2.0']);
  assert.equal((await run(['load', '-i', `${dir}:1.0`, '--name', 'example/app'])).status, 0);
  assert.deepEqual(await names(), ['docker.io/example/app:1.0', '<none>:2.0']);
  const named = await run(['load', '-i', `${dir}:2.0`, '--name', 'registry.example:5000/app:3']);
  assert.equal(named.stdout, 'Loaded image: registry.example:5000/app:3\n');
  await copyFile(archive, `${archive}:2.0`);
  assert.match((await run(['load', '-i', `${archive}:2.0`])).stderr, /2 images/, 'a path that exists means itself');
  for (const [args, status, code] of [
    [['-i', `${dir}:9`], 4, 'ERR_IMAGE_UNKNOWN'],
    [['-i', `${dir}:`], 4, 'ERR_SOURCE_UNKNOWN'],
    [['-i', at('none:1')], 4, 'ERR_SOURCE_UNKNOWN'],
    [['-i', archive, '--name', 'app:1'], 2, 'ERR_OPTION_INVALID'],
    [['-i', archive, '--name', 'BAD'], 2, 'ERR_REFERENCE_INVALID'],
  ] as const) {
    const refused = await run(['load', '--json', ...args]);
    assert.deepEqual([refused.status, jsonOf<PrintedError>(refused.stderr).error.code], [status, code]);
  }
});
