import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { LoadReport } from '../../src/load/load-report.js';
import { entryNameOf } from '../../src/model/archive-layout.js';
import type { PruneReport } from '../../src/stores/prune-report.js';
import { jsonOf, startLading, statusOf, workspace, type Workspace } from '../fixtures/cli-workspace.js';
import { example } from '../fixtures/example.js';
import { until } from '../fixtures/until.js';

const LAYER_BYTES = 1_500_000;

/** A load that got the first part of an archive and stored its whole blobs; the rest is never sent. */
async function halfway(space: Workspace, part: number): Promise<ChildProcess> {
  const bytes = await readFile(space.archive);
  const child = startLading(['load', '--store', space.store]);
  child.stdin?.on('error', () => undefined);
  child.stdin?.write(bytes.subarray(0, Math.floor(bytes.length * part)));
  await until(
    async () => (await storedIn(space)).size > 0 && (await filesIn(space, 'ingest')).length === 1,
    'a layer is half there',
  );
  return child;
}

/** The layers in the store, with their inodes. */
async function storedIn({ store, built }: Workspace): Promise<ReadonlyMap<string, number>> {
  const found = [...built.blobs].map(async ([digest, { length }]) => {
    const file = await lstat(path.join(store, entryNameOf(digest))).catch(() => undefined);
    return file === undefined || length < LAYER_BYTES ? [] : [[digest, file.ino] as const];
  });
  return new Map((await Promise.all(found)).flat());
}

async function filesIn({ store }: Workspace, folder: string): Promise<readonly string[]> {
  return await readdir(path.join(store, '.lading', folder)).catch(() => []);
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
  for (const layout of [{ order: 'metadata-first' }, { order: 'blobs-first' }] as const) {
    test(`resumes a load that ${signal} ended, and writes nothing twice (${layout.order})`, async (t) => {
      const space = await workspace(t, { built: example({ layerBytes: LAYER_BYTES }), layout });
      const child = await halfway(space, 0.7);
      child.kill(signal);
      assert.equal(await statusOf(child), signal === 'SIGKILL' ? signal : 143);
      const before = await storedIn(space);
      assert.ok(before.size > 0);
      assert.equal((await space.run(['images'])).stdout.split('\n').length, 2, 'no image is seen');
      await space.run(['prune', '--grace', '0']);
      assert.deepEqual([(await filesIn(space, 'ingest')).length, await storedIn(space)], [0, before]);
      const again = await space.run(['load', '--json', '-i', space.archive]);
      const { blobs } = jsonOf<LoadReport>(again.stdout);
      assert.ok(blobs.present >= before.size, `${blobs.present} found, ${before.size} were there`);
      assert.equal(blobs.present + blobs.stored, space.built.blobs.size);
      const after = await storedIn(space);
      for (const [digest, inode] of before) assert.equal(after.get(digest), inode, digest);
      assert.equal((await space.run(['verify'])).status, 0);
    });
  }
}

test('reports what an interrupted load keeps, and deletes it after the resume time', async (t) => {
  const space = await workspace(t, { built: example({ layerBytes: LAYER_BYTES }) });
  const child = await halfway(space, 0.7);
  const held = await storedIn(space);
  const running = await space.run(['prune', '--grace', '0', '--dry-run']);
  assert.match(
    running.stdout,
    new RegExp(`^Kept for a running operation \\(process ${child.pid}, last seen \\d+s ago\\): \\d+ blobs, `, 'm'),
  );
  assert.doesNotMatch(running.stdout, /half-written/);
  child.kill('SIGKILL');
  await statusOf(child);
  const dry = await space.run(['prune', '--grace', '0', '--dry-run']);
  assert.match(dry.stdout, /^Would delete half-written: 1 file, /m);
  assert.match(
    dry.stdout,
    new RegExp(`^Kept for an interrupted load that can be resumed \\(process ${child.pid}, last seen `, 'm'),
  );
  const report = jsonOf<PruneReport>((await space.run(['prune', '--grace', '0', '--dry-run', '--json'])).stdout);
  assert.deepEqual([report.blobs, report.interrupted.count, report.kept.images.count], [[], 1, 0]);
  assert.deepEqual(
    report.kept.held.map(({ state, pid }) => [state, pid]),
    [['over', child.pid]],
  );
  assert.ok((report.kept.held[0]?.count ?? 0) >= held.size);
  assert.equal((await filesIn(space, 'ingest')).length, 1, 'a dry run changes nothing');
  const over = await space.run(['prune', '--grace', '0', '--resume', '0', '--dry-run', '--json']);
  assert.equal(jsonOf<PruneReport>(over.stdout).blobs.length, report.kept.held[0]?.count);
  const pruned = await space.run(['prune', '--grace', '0', '--resume', '0']);
  assert.match(pruned.stdout, /^Deleted half-written: 1 file, /m);
  assert.deepEqual(await space.state(), { images: [], blobs: [] });
  assert.deepEqual([await filesIn(space, 'leases'), await filesIn(space, 'ingest')], [[], []]);
});

test('keeps young, unused blobs for the grace time, and says so', async (t) => {
  const space = await workspace(t, { loaded: true });
  await space.run(['load'], { input: await readFile(space.archive) });
  const other = await workspace(t, { built: example({ seed: 'other' }) });
  await space.run(['load', '-i', other.archive]);
  const dry = await space.run(['prune', '--dry-run']);
  assert.match(dry.stdout, /^Kept for images: \d+ blobs, /m);
  const report = jsonOf<PruneReport>((await space.run(['prune', '--dry-run', '--json'])).stdout);
  assert.deepEqual([report.blobs, report.kept.held], [[], []]);
  assert.equal(report.kept.images.count, space.built.blobs.size + other.built.blobs.size);
});

test('plans a prune of a missing or read-only store without writing anything', async (t) => {
  const space = await workspace(t);
  const dry = await space.run(['prune', '--dry-run']);
  assert.deepEqual([dry.status, dry.stdout], [0, 'Total reclaimable space: 0 B\n']);
  await assert.rejects(lstat(space.store), { code: 'ENOENT' });
});
