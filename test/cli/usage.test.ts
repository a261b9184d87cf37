import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { workspace } from '../fixtures/cli-workspace.js';
import { runLading } from '../fixtures/command.js';
import { projectRoot } from '../fixtures/tables.js';

const COMMANDS = ['save', 'load', 'images', 'inspect', 'tag', 'rm', 'prune', 'verify'];

test('prints its version and its commands', async () => {
  const { version } = JSON.parse(await readFile(path.join(projectRoot(), 'package.json'), 'utf8')) as {
    version: string;
  };
  const shown = await runLading(['--version']);
  assert.deepEqual([shown.status, shown.stdout.trim(), shown.stderr], [0, version, '']);
  const help = await runLading(['--help']);
  assert.deepEqual([help.status, help.stderr], [0, '']);
  for (const command of COMMANDS) assert.match(help.stdout, new RegExp(`^ +${command} `, 'm'));
  const save = await runLading(['save', '--help']);
  assert.equal(save.status, 0);
  for (const option of ['--output', '--platform', '--index', '--referrers', '--allow-missing', '--store', '--json']) {
    assert.ok(save.stdout.includes(option), option);
  }
});

const WRONG: readonly (readonly string[])[] = [
  ['nonsense'],
  ['--nonsense'],
  ['save', '--nonsense', 'a'],
  ['save'],
  ['tag', 'one'],
  ['save', '--index', 'whatever', 'a'],
  ['tag', 'too', 'many', 'names'],
  [],
];

for (const args of WRONG) {
  test(`refuses the command line: lading ${args.join(' ')}`, async () => {
    const { status, stdout, stderr } = await runLading(args);
    assert.deepEqual([status, stdout], [2, '']);
    assert.notEqual(stderr, '');
  });
}

async function listed(env: Readonly<Record<string, string>>, args: readonly string[] = []): Promise<string> {
  return (await runLading(['images', '-q', ...args], { env })).stdout;
}

test('finds the store by option, then LADING_STORE, then XDG_DATA_HOME', async (t) => {
  const { run, archive, at, store } = await workspace(t);
  const inHome = await runLading(['load', '-i', archive], { env: { XDG_DATA_HOME: at('data') } });
  assert.equal(inHome.status, 0, inHome.stderr);
  const id = await listed({}, ['--store', at('data/lading')]);
  assert.match(id, /^sha256:\w{64}\n$/);
  assert.equal(await listed({ XDG_DATA_HOME: at('data') }), id);
  assert.equal(await listed({ XDG_DATA_HOME: at('data'), LADING_STORE: at('other') }), '');
  assert.equal(await listed({ LADING_STORE: at('data/lading') }), id);
  assert.equal(await listed({ LADING_STORE: at('data/lading') }, ['--store', store]), '');
  assert.equal((await run(['images', '-q'])).stdout, '');
});
