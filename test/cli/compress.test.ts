import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import zlib from 'node:zlib';
import { jsonOf, LADING, workspace, type PrintedError } from '../fixtures/cli-workspace.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { until } from '../fixtures/until.js';

const built = example({ layers: 2, layerBytes: 600_000, compression: 'none' });
const hasZstd = 'createZstdCompress' in zlib;

test('packs a save into a file and into a pipe, with the same bytes, and a load reads it', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const plain = (await space.run(['save', FAMILIAR])).output;
  const file = space.at('a.tar.gz');
  const saved = await space.run(['save', FAMILIAR, '-o', file, '--compress', 'gzip']);
  assert.deepEqual([saved.status, saved.stderr], [0, '']);
  const bytes = await readFile(file);
  assert.ok(zlib.gunzipSync(bytes).equals(plain));
  assert.ok((await space.run(['save', FAMILIAR, '--compress', 'gzip:6'])).output.equals(bytes));
  const loaded = await space.run(['load', '-i', file]);
  assert.deepEqual([loaded.status, loaded.stdout], [0, `Loaded image: ${FAMILIAR}\n`]);
});

test('tells progress by the bytes of the tar', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const { output, stderr } = await space.run(['save', FAMILIAR, '--compress', 'gzip', '--progress', 'json']);
  const lines = stderr
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { type: string; total?: number; current?: number });
  const last = lines.findLast(({ type }) => type === 'progress');
  assert.ok((last?.total ?? 0) > output.length && last?.current === last?.total);
});

test('says in the report how the archive is packed', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const { stdout } = await space.run(['save', FAMILIAR, '-o', space.at('a.tgz'), '--compress', 'gzip:9', '--json']);
  const { archive } = jsonOf<{ archive: { compression: object } }>(stdout);
  assert.deepEqual(archive.compression, { format: 'gzip', level: 9 });
});

test('warns of a file name that promises another format', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const codes = async (...args: readonly string[]): Promise<readonly string[]> => {
    const { stdout } = await space.run(['save', FAMILIAR, '--json', ...args]);
    return jsonOf<{ warnings: { code: string }[] }>(stdout).warnings.map(({ code }) => code);
  };
  assert.deepEqual(await codes('-o', space.at('a.tar.gz')), ['WARN_PLAIN_TAR']);
  assert.deepEqual(await codes('-o', space.at('a.tar.zst'), '--compress', 'gzip'), ['WARN_FILE_ENDING']);
  assert.deepEqual(await codes('-o', space.at('a.tar'), '--compress', 'gzip'), ['WARN_FILE_ENDING']);
  assert.deepEqual(await codes('-o', space.at('a'), '--compress', 'gzip'), []);
});

test('warns where nearly all layers are compressed already', async (t) => {
  const space = await workspace(t, {
    loaded: true,
    built: example({ layers: 2, layerBytes: 100_000, compression: 'gzip' }),
  });
  const { stderr } = await space.run(['save', FAMILIAR, '--compress', 'gzip', '--progress', 'none']);
  assert.match(stderr, /warning: nearly all layers are compressed already/);
});

test('refuses what is no format or level, before anything is written', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  for (const wrong of ['xz', 'gzip:0', 'gzip:10', 'zstd:20', 'gzip:', 'gzip:1.5', '']) {
    const file = space.at('a.tar.gz');
    const { status, stderr } = await space.run(['save', FAMILIAR, '-o', file, '--compress', wrong, '--json']);
    assert.deepEqual(
      [status, jsonOf<PrintedError>(stderr).error.code, existsSync(file)],
      [2, 'ERR_OPTION_INVALID', false],
    );
  }
});

test('zstd packs, or says what to do', async (t) => {
  const space = await workspace(t, { loaded: true, built });
  const file = space.at('a.tar.zst');
  const { status, stderr } = await space.run(['save', FAMILIAR, '-o', file, '--compress', 'zstd:3']);
  if (hasZstd) {
    assert.deepEqual([status, stderr], [0, '']);
    assert.equal((await space.run(['load', '-i', file])).status, 0);
  } else {
    assert.deepEqual([status, existsSync(file)], [1, false]);
    assert.match(stderr, /\| zstd > FILE \[ERR_COMPRESSION_UNSUPPORTED\]/);
  }
});

test('leaves no file when it is interrupted', async (t) => {
  const large = example({ layers: 2, layerBytes: 8_000_000, compression: 'none' });
  const space = await workspace(t, { loaded: true, built: large });
  const files = (): readonly string[] =>
    readdirSync(space.folder).filter((name) => name.includes('part') || name.includes('gz'));
  const child = spawn(process.execPath, [
    LADING,
    'save',
    FAMILIAR,
    '--store',
    space.store,
    '-o',
    space.at('a.tar.gz'),
    '--compress',
    'gzip:9',
  ]);
  await until(() => files().length > 0, 'the save has begun');
  child.kill('SIGTERM');
  const [status] = (await once(child, 'exit')) as [number];
  assert.deepEqual([status, files()], [143, []]);
});

test('a reader who goes away ends it with 141, and a full disk with 8', async (t) => {
  const large = example({ layers: 2, layerBytes: 8_000_000, compression: 'none' });
  const space = await workspace(t, { loaded: true, built: large });
  const shell = async (script: string): Promise<number> => {
    const env = { ...process.env, LADING: `${process.execPath} ${LADING}`, LADING_STORE: space.store };
    const child = spawn('bash', ['-c', script], { env, stdio: 'ignore' });
    const [status] = (await once(child, 'exit')) as [number];
    return status;
  };
  const save = `$LADING save ${FAMILIAR} --compress gzip:1`;
  assert.equal(await shell(`${save} | head -c 1000 >/dev/null; exit \${PIPESTATUS[0]}`), 141);
  assert.equal(await shell(`${save} >/dev/full`), 8);
});
