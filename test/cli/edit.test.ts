import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatBytes } from '../../src/model/shown-text.js';
import type { Digest } from '../../src/model/digest.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { closureOf } from '../fixtures/blob-set.js';
import { jsonOf, workspace, type PrintedError } from '../fixtures/cli-workspace.js';
import { example, FAMILIAR, NAME, sorted } from '../fixtures/example.js';

test('tags an image, silently or with a JSON report, and says why it cannot', async (t) => {
  const { run, state, built } = await workspace(t, { loaded: true });
  const silent = await run(['tag', FAMILIAR, 'copy']);
  assert.deepEqual([silent.status, silent.stdout, silent.stderr], [0, '', '']);
  const tagged = await run(['tag', '--json', built.root.digest.slice(7, 19), 'copy:2']);
  const { digest } = built.root;
  const name = 'docker.io/library/copy:2';
  assert.deepEqual(jsonOf(tagged.stdout), { schema: 'lading.tag/1', name, digest, moved: [{ name, to: digest }] });
  const names = (await state()).images.map(({ name }) => name);
  assert.deepEqual(names, [NAME, 'docker.io/library/copy:2', 'docker.io/library/copy:latest']);
  assert.equal((await run(['tag', 'nothing', 'b'])).status, 4);
  assert.equal((await run(['tag', FAMILIAR, 'BAD'])).status, 2);
});

test('removes names first, and content with the last one', async (t) => {
  const { run, state, built } = await workspace(t, { loaded: true });
  await run(['tag', FAMILIAR, 'copy:1']);
  const first = await run(['rm', FAMILIAR]);
  assert.deepEqual([first.status, first.stdout], [0, `Untagged: ${FAMILIAR}\nFreed: 0 B\n`]);
  const last = await run(['rm', 'copy:1']);
  const [untagged, ...deleted] = last.stdout.trimEnd().split('\n');
  assert.equal(deleted.pop(), `Freed: ${formatBytes(bytesOf(built.blobs))}`);
  assert.equal(untagged, 'Untagged: copy:1');
  assert.deepEqual(
    deleted.toSorted(),
    sorted([...built.blobs.keys()]).map((digest) => `Deleted: ${digest}`),
  );
  assert.deepEqual(await state(), { images: [], blobs: [] });
  const none = await run(['rm', '--json', 'copy:1']);
  assert.deepEqual([none.status, jsonOf<PrintedError>(none.stderr).error.code], [4, 'ERR_IMAGE_UNKNOWN']);
});

/** The sizes of the blobs together. */
function bytesOf(blobs: ReadonlyMap<Digest, Buffer | undefined>): number {
  return [...blobs.values()].reduce((sum, bytes) => sum + (bytes?.length ?? Number.NaN), 0);
}

test('takes a name without a tag as latest, and as every tag with --all-tags', async (t) => {
  const { run, state } = await workspace(t, { loaded: true });
  const names = async (): Promise<readonly (string | undefined)[]> =>
    (await state()).images.map(({ name }) => name?.replace('docker.io/example/', ''));
  for (const other of ['example/app:2', 'example/app-2:1']) await run(['tag', FAMILIAR, other]);
  const unknown = await run(['rm', 'example/app']);
  assert.equal(unknown.status, 4);
  assert.match(unknown.stderr, /"example\/app" means its tag latest.*\[ERR_IMAGE_UNKNOWN\]/);
  assert.equal((await run(['rm', '--platform', 'linux/arm64', 'example/app'])).status, 4);
  assert.deepEqual(await names(), ['app-2:1', 'app:1', 'app:2']);
  await run(['tag', FAMILIAR, 'example/app']);
  assert.equal((await run(['rm', 'example/app'])).stdout, 'Untagged: example/app:latest\nFreed: 0 B\n');
  for (const wrong of [[FAMILIAR], ['example/app', FAMILIAR], [`example/app@sha256:${'0'.repeat(64)}`]]) {
    assert.equal((await run(['rm', '--all-tags', ...wrong])).status, 2, wrong.join(' '));
  }
  assert.equal((await run(['rm', '--all-tags', '--platform', 'linux/arm64', 'example/app'])).status, 2);
  assert.deepEqual(await names(), ['app-2:1', 'app:1', 'app:2']);
  const all = await run(['rm', '-a', 'example/app']);
  assert.equal(all.stdout, 'Untagged: example/app:1\nUntagged: example/app:2\nFreed: 0 B\n');
  assert.deepEqual(await names(), ['app-2:1']);
});

test('removes one platform, but not the last one or one that the image does not have', async (t) => {
  const { run, state, built } = await workspace(t, { loaded: true });
  const { status, stdout } = await run(['rm', '--json', '--platform', 'linux/amd64,linux/arm64', FAMILIAR]);
  const own = ['linux/amd64', 'linux/arm64'].flatMap((platform) => closureOf(built.blobs, built.of(platform)));
  const report = jsonOf<{ untagged: string[]; deleted: Digest[]; bytes: number }>(stdout);
  assert.deepEqual([status, report.untagged, report.deleted.toSorted()], [0, [], sorted(own)]);
  assert.equal(report.bytes, bytesOf(new Map(report.deleted.map((digest) => [digest, built.blobs.get(digest)]))));
  const before = await state();
  assert.equal((await run(['rm', '--platform', 'linux/arm/v7', FAMILIAR])).status, 2);
  assert.equal((await run(['rm', '--platform', 'linux/s390x', FAMILIAR])).status, 4);
  assert.equal((await run(['rm', '--platform', 'linux/arm/v7', FAMILIAR, FAMILIAR])).status, 2);
  assert.deepEqual(await state(), before);
});

test('prunes unnamed images and blobs after the grace time, and only reports them with --dry-run', async (t) => {
  const { run, state, built } = await workspace(t, { loaded: true });
  const other = example({ seed: 'other', platforms: ['linux/amd64'] });
  await run(['load'], { input: await layoutArchive(other.images, other.blobs) });
  const before = await state();
  const young = await run(['prune']);
  assert.deepEqual([young.status, young.stdout], [0, 'Total reclaimed space: 0 B\n']);
  const dry = await run(['prune', '--grace', '0', '--dry-run']);
  const lines = dry.stdout.trimEnd().split('\n');
  assert.equal(lines[0], `Would delete image: ${built.root.digest}`);
  assert.equal(lines.length, 1 + built.blobs.size + 2);
  assert.match(lines.at(-2) ?? '', new RegExp(`^Kept for images: ${other.blobs.size} blobs, `));
  assert.match(lines.at(-1) ?? '', /^Total reclaimable space: \d/);
  assert.deepEqual(await state(), before);
  const real = await run(['prune', '--grace', '0', '--json']);
  const report = jsonOf<{ images: string[]; blobs: { digest: string }[]; bytes: number }>(real.stdout);
  const bytes = [...built.blobs.values()].reduce((sum, { length }) => sum + length, 0);
  assert.deepEqual([report.images, report.blobs.length, report.bytes], [[built.root.digest], built.blobs.size, bytes]);
  const after = await state();
  assert.deepEqual(
    after.images.map(({ name }) => name),
    [NAME],
  );
  assert.deepEqual(after.blobs, sorted([...other.blobs.keys()]));
  for (const grace of ['-1', '5', 'soon', '1y']) assert.equal((await run(['prune', '--grace', grace])).status, 2);
});

test('prune leaves an image that came without a name, says so, and removes it with --dangling', async (t) => {
  const { run, state } = await workspace(t);
  const { root, blobs } = example({ seed: 'nameless' });
  await run(['load'], { input: await layoutArchive([{ root }], blobs) });
  const kept = await run(['prune', '--grace', '0']);
  const line = 'Kept 1 image without a name; --dangling removes it too\n';
  assert.equal(kept.stdout, `${line}Total reclaimed space: 0 B\n`);
  const report = jsonOf<{ images: string[]; kept: { unnamed: number } }>((await run(['prune', '--json'])).stdout);
  assert.deepEqual([report.images, report.kept.unnamed], [[], 1]);
  assert.equal((await state()).images.length, 1);
  const dry = await run(['prune', '--grace', '0', '--dangling', '--dry-run']);
  assert.match(dry.stdout, new RegExp(`^Would delete image: ${root.digest}\n`));
  assert.equal((await run(['prune', '--grace', '0', '--dangling'])).status, 0);
  assert.deepEqual(await state(), { images: [], blobs: [] });
});
