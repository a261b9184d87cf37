import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { LADING, startLading, statusOf, workspace } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand } from '../fixtures/command.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';

test('pipes a save into a load, with no file in between', async (t) => {
  const { store, at, built } = await workspace(t, { loaded: true });
  const save = startLading(['save', '--store', store, FAMILIAR]);
  const load = startLading(['load', '--store', at('second')]);
  assert.ok(save.stdout && load.stdin);
  save.stdout.pipe(load.stdin);
  assert.deepEqual(await Promise.all([statusOf(save), statusOf(load)]), [0, 0]);
  const blobs = await readdir(at('second/blobs/sha256'));
  assert.deepEqual(blobs.toSorted(), [...built.blobs.keys()].map((digest) => digest.slice(7)).toSorted());
});

test('loses nothing to a pipe that another process made non-blocking', async (t) => {
  if (!requireTool(t, 'bash')) return;
  const built = example({ layerBytes: 2_000_000 });
  const { store, at } = await workspace(t, { loaded: true, built });
  const save = [LADING, 'save', '--store', store, FAMILIAR];
  assert.equal(await statusOf(startLading([...save.slice(1), '-o', at('plain.tar')])), 0);
  // Node's own stdout makes the shared pipe non-blocking. A process spawned later would make it blocking again.
  const parent = `
    const child = require('node:child_process').spawn(process.execPath, ${JSON.stringify(save)}, { stdio: 'inherit' });
    child.on('close', (status) => { process.exitCode = status; });
    process.stdout.write('');`;
  const script = '"$0" -e "$1" | cat; exit "${PIPESTATUS[0]}"';
  const { status, output } = await runCommand('bash', ['-c', script, process.execPath, parent]);
  assert.equal(status, 0);
  assert.ok(output.equals(await readFile(at('plain.tar'))), 'the same archive as in a file');
});

test('ends silently with 141 when its reader goes away', async (t) => {
  if (!requireTool(t, 'bash')) return;
  const built = example({ layerBytes: 2_000_000 });
  const { store } = await workspace(t, { loaded: true, built });
  const script = 'node "$0" save --store "$1" "$2" | head -c 100 | wc -c; echo "${PIPESTATUS[0]}"';
  const { stdout, stderr } = await runCommand('bash', ['-c', script, LADING, store, FAMILIAR]);
  assert.deepEqual([stdout.trim().split(/\s+/), stderr], [['100', '141'], '']);
});

test('ends silently with 141 when the reader of a list goes away', async (t) => {
  if (!requireTool(t, 'bash')) return;
  const { store } = await workspace(t, { loaded: true });
  const script = 'node "$0" images --store "$1" > >(exec true); echo "$?"';
  const { stdout, stderr } = await runCommand('bash', ['-c', script, LADING, store]);
  assert.equal(stderr, '');
  assert.ok(['0', '141'].includes(stdout.trim().split('\n').at(-1) ?? ''), stdout);
});

for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test(`ends a load from a slow pipe with ${status} on ${signal}, and shows nothing of it`, async (t) => {
    const { store, archive, state, run } = await workspace(t, { built: example({ layerBytes: 300_000 }) });
    const bytes = await readFile(archive);
    const load = startLading(['load', '--store', store]);
    load.stdin?.on('error', () => undefined);
    load.stdin?.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
    await appears(path.join(store, 'blobs', 'sha256'));
    const stderr = textOf(load.stderr);
    load.kill(signal);
    assert.equal(await statusOf(load), status);
    assert.match(await stderr, /\[ERR_ABORTED\]\n$/);
    assert.deepEqual((await state()).images, []);
    assert.deepEqual(await readdir(path.join(store, '.lading', 'ingest')), []);
    assert.equal((await run(['load', '-i', archive])).status, 0);
    assert.deepEqual(
      (await state()).images.map(({ name }) => name),
      [NAME],
    );
  });
}

/** Waits until the folder has a file. The other process sends no event to wait for. */
async function appears(folder: string): Promise<void> {
  for (;;) {
    const names = await readdir(folder).catch(() => []);
    if (names.length > 0) return;
    await wait(5);
  }
}

async function textOf(stream: NodeJS.ReadableStream | null): Promise<string> {
  let text = '';
  stream?.on('data', (chunk: Buffer) => (text += chunk.toString()));
  if (stream !== null) await once(stream, 'close');
  return text;
}

test('leaves no file when a save is interrupted', async (t) => {
  const { store, folder, at } = await workspace(t, {
    loaded: true,
    built: example({ layerBytes: 20_000_000, layers: 1 }),
  });
  const save = startLading(['save', '--store', store, '-o', at('out.tar'), FAMILIAR]);
  const stderr = textOf(save.stderr);
  await beginsWith(folder, '.lading-');
  save.kill('SIGINT');
  const status = await statusOf(save);
  const names = (await readdir(folder)).toSorted();
  // The save may have been faster than the signal; then the file must be whole.
  if (status === 0) assert.deepEqual(names, ['archive.tar', 'out.tar', 'store']);
  else assert.deepEqual([status, names], [130, ['archive.tar', 'store']]);
  assert.match(await stderr, status === 0 ? /^$/ : /\[ERR_ABORTED\]\n$/);
});

async function beginsWith(folder: string, prefix: string): Promise<void> {
  while (!(await readdir(folder)).some((name) => name.startsWith(prefix))) await wait(1);
}

test('refuses to write an archive to a terminal', async (t) => {
  if (!requireTool(t, 'script')) return;
  const { store } = await workspace(t, { loaded: true });
  const command = `'${process.execPath}' '${LADING}' save --store '${store}' ${FAMILIAR}`;
  const { status, stdout } = await runCommand('script', ['-qec', command, '/dev/null']);
  assert.equal(status, 2);
  assert.match(stdout, /an archive cannot be written to a terminal; use -o FILE or a pipe \[ERR_OPTION_INVALID\]/);
});

test('refuses to read an archive from a terminal', async (t) => {
  if (!requireTool(t, 'script')) return;
  const { store } = await workspace(t);
  const command = `'${process.execPath}' '${LADING}' load --store '${store}'`;
  const { status, stdout } = await runCommand('script', ['-qec', command, '/dev/null']);
  assert.equal(status, 2);
  assert.match(stdout, /\[ERR_OPTION_INVALID\]/);
});
