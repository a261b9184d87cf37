import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { entryNameOf } from '../../src/model/archive-layout.js';
import { jsonOf, LADING, workspace, type PrintedError } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand, runLading } from '../fixtures/command.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { mountTmpfs } from '../fixtures/small-disk.js';

test('refuses a path where no store can be made', async (t) => {
  const { at, archive } = await workspace(t);
  await writeFile(at('file'), 'a file');
  for (const store of [at('file/store'), at('file'), '/proc/lading']) {
    const { status, stdout, stderr } = await runLading(['load', '--json', '-i', archive, '--store', store]);
    assert.deepEqual([store, status, stdout], [store, 8, '']);
    assert.equal(jsonOf<PrintedError>(stderr).error.category, 'storage');
  }
});

test('refuses a folder that is something else, and leaves it alone', async (t) => {
  const { at, archive } = await workspace(t);
  await mkdir(at('documents'));
  await writeFile(at('documents/letter'), 'dear');
  const { status, stderr } = await runLading(['load', '-i', archive, '--store', at('documents')]);
  assert.equal(status, 8);
  assert.match(stderr, /\[ERR_STORE_TAMPERED\]\n$/);
  assert.deepEqual(await readdir(at('documents')), ['letter']);
});

test('reports a full disk, and leaves no half-written file', async (t) => {
  const small = await mountTmpfs(t, '2m');
  if (small === undefined) return;
  const { archive, run } = await workspace(t, { loaded: true, built: example({ platforms: ['linux/amd64'] }) });
  const big = await workspace(t, { built: example({ seed: 'big', layerBytes: 1_500_000 }) });
  const store = path.join(small, 'store');
  const full = await runLading(['load', '-i', big.archive, '--store', store]);
  assert.equal(full.status, 8);
  assert.match(full.stderr, /\[ERR_NO_SPACE\]\n$/);
  for (const folder of ['.lading/ingest', '.lading/leases', 'blobs/sha256']) {
    assert.deepEqual(await readdir(path.join(store, folder)), [], folder);
  }
  assert.equal((await runLading(['images', '-q', '--store', store])).stdout, '');
  const again = await runLading(['load', '-i', archive, '--store', store]);
  assert.deepEqual([again.status, again.stdout], [0, `Loaded image: ${FAMILIAR}\n`]);
  await writeFile(path.join(small, 'rest'), Buffer.alloc(4_000_000)).catch(() => undefined);
  const saved = await run(['save', '-o', path.join(small, 'out.tar'), FAMILIAR]);
  assert.equal(saved.status, 8);
  assert.match(saved.stderr, /\[ERR_NO_SPACE\]\n$/);
  assert.deepEqual((await readdir(small)).toSorted(), ['rest', 'store']);
});

test('reports a full device behind stdout and behind -o', async (t) => {
  if (!requireTool(t, 'bash')) return;
  const { run, store } = await workspace(t, { loaded: true });
  const filed = await run(['save', '-o', '/dev/full', FAMILIAR]);
  assert.equal(filed.status, 8);
  assert.match(filed.stderr, /\[ERR_NO_SPACE\]\n$/);
  const piped = await runCommand('bash', [
    '-c',
    'node "$0" save --store "$1" "$2" > /dev/full',
    LADING,
    store,
    FAMILIAR,
  ]);
  assert.equal(piped.status, 8);
  assert.match(piped.stderr, /\[ERR_NO_SPACE\]\n$/);
});

test('removes nothing if a document cannot be read', async (t) => {
  if (!requireTool(t, 'strace')) return;
  if ((await runCommand('strace', ['true'])).status !== 0) return t.skip('may not trace processes');
  const { at, built, store, state, run } = await workspace(t, { loaded: true });
  const other = await workspace(t, { built: example({ seed: 'other' }) });
  const named = await run(['load', '-i', other.archive, '--on-conflict', 'replace']);
  assert.equal(named.status, 0);
  await run(['load', '-i', at('archive.tar')]);
  const before = await state();
  const manifest = path.join(store, entryNameOf(built.of('linux/amd64').digest));
  for (const args of [
    ['prune', '--grace', '0'],
    ['rm', FAMILIAR],
  ]) {
    const traced = ['-f', '-qq', '-o', '/dev/null', '-P', manifest, '-e', 'inject=open,openat:error=EIO'];
    const { status, stderr } = await runCommand('strace', [...traced, 'node', LADING, ...args, '--store', store]);
    assert.deepEqual([args[0], status], [args[0], 8]);
    assert.match(stderr, /\[ERR_STORAGE_IO\]\n$/);
    const after = await state();
    assert.deepEqual(after.blobs, before.blobs);
    assert.deepEqual(after.images, before.images);
  }
});
