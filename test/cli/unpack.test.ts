import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { jsonOf, type PrintedError } from '../fixtures/cli-workspace.js';
import { runCommand, runLading, type CommandResult } from '../fixtures/command.js';
import { asNobody } from '../fixtures/other-user.js';
import { mountTmpfs } from '../fixtures/small-disk.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { flatOf, storeWith } from '../fixtures/unpacking.js';

const NAME = 'example/rootfs:1';
const LAYERS = ['bin/ bin/app=run{04755} etc/ etc/c→/etc/d l⇒bin/app ro/{0555} ro/x=1{0000,u7}', 'ro/y=2 etc/.wh.c'];

interface Place {
  readonly folder: string;
  readonly run: (...args: readonly string[]) => Promise<CommandResult>;
  readonly at: (name: string) => string;
}

async function place(t: TestContext, layers: readonly string[] = LAYERS): Promise<Place> {
  const folder = await temporaryFolder(t);
  const at = (name: string): string => path.join(folder, name);
  await storeWith(layers, {}, await OciLayoutStore.open(at('store')));
  const run = async (...args: readonly string[]): Promise<CommandResult> =>
    await runLading(['unpack', '--platform', 'linux/amd64', '--store', at('store'), ...args]);
  return { folder, run, at };
}

interface Printed {
  readonly schema: string;
  readonly target: { readonly kind: string; readonly path?: string };
  readonly tree: { readonly files: number; readonly hardLinks: number };
}

test('unpack - writes the flat tar of the library to stdout, and the report to stderr', async (t) => {
  const { run } = await place(t);
  const { status, output, stderr } = await run('--json', NAME, '-');
  assert.equal(status, 0, stderr);
  assert.ok(output.equals(await flatOf(LAYERS)));
  const { schema, target, tree } = jsonOf<Printed>(stderr);
  assert.deepEqual([schema, target.kind, tree.files, tree.hardLinks], ['lading.unpack/1', 'tar', 3, 1]);
});

test('unpack DIR makes the directory and reports its path', async (t) => {
  const { run, at } = await place(t);
  const { status, stdout, stderr } = await run('--json', NAME, at('rootfs'));
  assert.equal(status, 0, stderr);
  assert.deepEqual(jsonOf<Printed>(stdout).target, { kind: 'directory', path: at('rootfs') });
  assert.deepEqual((await readdir(at('rootfs'))).toSorted(), ['bin', 'etc', 'l', 'ro']);
  const again = await run(NAME, at('rootfs'));
  assert.deepEqual([again.status, again.stderr.includes('[ERR_TARGET_EXISTS]')], [7, true]);
});

test('unpack as an ordinary user gives the files to that user and says what is lost', async (t) => {
  const { folder, at } = await place(t);
  const run = await asNobody(t, folder);
  if (run === undefined) return;
  const args = ['unpack', '--platform', 'linux/amd64', '--store', at('store')];
  const { status, stdout, stderr } = await run([...args, '--json', NAME, at('rootfs')]);
  assert.equal(status, 0, stderr);
  const { ownership, skipped } = jsonOf<{ ownership: string; skipped: readonly object[] }>(stdout);
  assert.deepEqual(
    [ownership, skipped],
    [
      'caller',
      [
        { what: 'owner', count: 1, first: 'ro/x' },
        { what: 'set-id', count: 1, first: 'l' },
      ],
    ],
  );
  const stats = await Promise.all(['ro', 'ro/x', 'bin/app'].map(async (name) => await stat(at(`rootfs/${name}`))));
  assert.deepEqual(
    stats.map(({ uid, mode }) => [uid, mode & 0o7777]),
    [0o555, 0, 0o755].map((mode) => [65_534, mode]),
  );
  const strict = await run([...args, '--strict', NAME, at('other')]);
  assert.deepEqual([strict.status, strict.stderr.includes('[ERR_UNPACK_INCOMPLETE]')], [1, true]);
  const keep = await run([...args, '--owner', 'keep', NAME, at('other')]);
  assert.deepEqual([keep.status, keep.stderr.includes('[ERR_OPTION_INVALID]')], [2, true]);
});

test('unpack to a disk that is too small leaves nothing there', async (t) => {
  const disk = await mountTmpfs(t, '64k');
  if (disk === undefined) return;
  const large = await place(t, [`x=${'y'.repeat(100_000)}`]);
  const known = await large.run('--json', NAME, path.join(disk, 'rootfs'));
  assert.deepEqual([known.status, jsonOf<PrintedError>(known.stderr).error.code], [8, 'ERR_NO_SPACE']);
  // Each file takes a whole page, which the plan does not know of.
  const many = await place(t, [Array.from({ length: 40 }, (_, at) => `f${at}=1`).join(' ')]);
  const found = await many.run('--json', NAME, path.join(disk, 'rootfs'));
  assert.deepEqual([found.status, jsonOf<PrintedError>(found.stderr).error.code], [8, 'ERR_NO_SPACE']);
  assert.deepEqual(await readdir(disk), []);
});

test('unpack ends silently with 141 when the reader of the tar goes away', async (t) => {
  const { at } = await place(t, [`x=${'y'.repeat(2_000_000)}`]);
  const main = path.resolve('dist/bin/main.js');
  const args = `unpack --platform linux/amd64 --store '${at('store')}' ${NAME} -`;
  const script = `set -o pipefail; ${process.execPath} '${main}' ${args} | head -c 10 > /dev/null; exit $?`;
  const { status, stderr } = await runCommand('bash', ['-c', script]);
  assert.deepEqual([status, stderr], [141, '']);
});

test('unpack refuses wrong command lines', async (t) => {
  const { run, at } = await place(t);
  for (const args of [
    ['--order', 'parents-first', NAME, at('rootfs')],
    ['--owner', 'keep', NAME, '-'],
    ['--max-names', 'many', NAME, '-'],
    ['--bundle', NAME, '-'],
    [NAME],
  ]) {
    const { status, stderr } = await run(...args);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
  }
  await mkdir(at('empty'));
  const other = await run('--platform', 'linux/s390x', NAME, at('empty'));
  assert.deepEqual([other.status, other.stderr.includes('linux/amd64')], [4, true]);
  assert.deepEqual(await readdir(at('empty')), []);
  await assert.rejects(readFile(at('rootfs')));
});
