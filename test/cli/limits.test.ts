import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { jsonOf, LADING, startLading, statusOf, workspace, type PrintedError } from '../fixtures/cli-workspace.js';
import { requireTool, runCommand, type CommandResult } from '../fixtures/command.js';
import { example, FAMILIAR } from '../fixtures/example.js';

/** Runs `lading` with the arguments in a shell, where `"$@"` of the script stands for the command. */
async function inShell(script: string, args: readonly string[]): Promise<CommandResult> {
  return await runCommand('bash', ['-c', script, 'bash', process.execPath, LADING, ...args]);
}

test('says with a code that too few files may be open', async (t) => {
  if (!requireTool(t, 'bash')) return;
  const { store, archive } = await workspace(t, { loaded: true });
  let failing: readonly [limit: string, args: readonly string[]] | undefined;
  for (let files = 18; files <= 27; files += 1) {
    for (const args of [['load', '-i', archive], ['images'], ['save', '-o', '/dev/null', FAMILIAR]]) {
      const { status, stderr } = await inShell(`ulimit -n ${files}; exec "$@"`, [...args, '--store', store]);
      const label = `${files} ${args[0]}: ${stderr}`;
      // Node.js itself may not even start; that depends on its version.
      if (status === null || stderr.startsWith('node:')) continue;
      if (status === 8) failing = [`ulimit -n ${files}; exec "$@"`, [...args, '--store', store]];
      if (status === 0) assert.equal(stderr, '', label);
      else
        assert.deepEqual(
          [status, /^lading: .*EMFILE.*ulimit -n.* \[ERR_STORAGE_IO\]\n$/.test(stderr)],
          [8, true],
          label,
        );
    }
  }
  assert.ok(failing, 'some limit was too low');
  const asJson = await inShell(failing[0], [...failing[1], '--json']);
  assert.deepEqual([asJson.status, jsonOf<PrintedError>(asJson.stderr).error.code], [8, 'ERR_STORAGE_IO']);
});

for (const [title, args] of [
  ['load', ['load', '-i', 'ARCHIVE']],
  ['load --json', ['load', '--json', '-i', 'ARCHIVE']],
  ['images', ['images']],
  ['inspect --json', ['inspect', '--json', FAMILIAR]],
  ['verify', ['verify']],
  ['rm', ['rm', FAMILIAR]],
  ['save', ['save', FAMILIAR]],
  ['save to a file, with a report', ['save', '--json', '-o', '/dev/null', FAMILIAR]],
] as const) {
  test(`fails if stdout is full: ${title}`, async (t) => {
    if (!requireTool(t, 'bash')) return;
    const { store, archive } = await workspace(t, { loaded: true });
    const words = args.map((word) => (word === 'ARCHIVE' ? archive : word));
    const { status, stderr } = await inShell('exec "$@" > /dev/full', [...words, '--store', store]);
    assert.equal(status, 8);
    assert.match(stderr, title.includes('--json') ? /"code":"ERR_NO_SPACE"/ : /ERR_NO_SPACE/);
  });
}

test('fails to save to a stdout that is closed, and writes to /dev/null', async (t) => {
  if (!requireTool(t, 'bash')) return;
  const { store } = await workspace(t, { loaded: true });
  for (const output of [[], ['-o', '-']]) {
    const args = ['save', ...output, FAMILIAR, '--store', store];
    const closed = await inShell('exec "$@" >&-', args);
    assert.equal(closed.status, 2);
    assert.match(closed.stderr, /stdout is closed.*\[ERR_OPTION_INVALID\]\n$/);
    assert.equal((await inShell('exec "$@" > /dev/null', args)).status, 0);
  }
});

test('does not open the debugger for SIGUSR1', async (t) => {
  const { store } = await workspace(t, { loaded: true });
  const load = startLading(['load', '--store', store]);
  let stderr = '';
  load.stderr?.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  // The store has a lease when the load waits for its input.
  while ((await readdir(`${store}/.lading/leases`)).length === 0) await wait(5);
  load.kill('SIGUSR1');
  await wait(300);
  load.stdin?.end();
  assert.equal(await statusOf(load), 5);
  assert.match(stderr, /^lading: the input is empty \[ERR_ARCHIVE_FORMAT\]\n$/);
});

for (const [signal, status] of [
  ['SIGTERM', 143],
  ['SIGINT', 130],
] as const) {
  test(`begins nothing before it listens for ${signal}`, async (t) => {
    const { store, at } = await workspace(t, {});
    const early = `data:text/javascript,process.kill(process.pid, '${signal}')`;
    const killed = spawn(process.execPath, ['--import', early, LADING, 'load', '--store', store]);
    assert.equal(await statusOf(killed), signal);
    assert.equal(existsSync(store), false);
    for (const afterMs of [0, 20, 40, 60, 80, 120]) {
      const load = startLading(['load', '--store', at(`store-${afterMs}`)]);
      await wait(afterMs);
      load.kill(signal);
      const end = await statusOf(load);
      assert.ok(end === signal || end === status, `${end} after ${afterMs} ms`);
      const listed = await runCommand(process.execPath, [LADING, 'images', '-q', '--store', at(`store-${afterMs}`)]);
      assert.deepEqual(listed, { ...listed, status: 0, stdout: '', stderr: '' });
    }
  });
}

test('makes no half of a store where one was moved away during a load', async (t) => {
  const { store, archive, at } = await workspace(t, { built: example({ layerBytes: 300_000 }) });
  const bytes = await readFile(archive);
  const load = startLading(['load', '--store', store]);
  load.stdin?.on('error', () => undefined);
  load.stdin?.write(bytes.subarray(0, Math.floor(bytes.length / 2)));
  const blobs = path.join(store, 'blobs', 'sha256');
  while ((await readdir(blobs).catch(() => [])).length === 0) await wait(5);
  await rename(store, at('moved'));
  load.stdin?.end(bytes.subarray(Math.floor(bytes.length / 2)));
  assert.equal(await statusOf(load), 8);
  assert.equal(existsSync(store), false);
});
