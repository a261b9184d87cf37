import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, stat } from 'node:fs/promises';
import nodeModule from 'node:module';
import path from 'node:path';
import { test } from 'node:test';
import { LADING, workspace } from '../fixtures/cli-workspace.js';
import { runCommand } from '../fixtures/command.js';

/** Whether this Node.js can keep what it has compiled. */
const CAN_KEEP = 'enableCompileCache' in nodeModule;

/** Runs `lading --version` with these variables, and returns what is in the folder for compiled code. */
async function keptBy(home: string, variables: readonly string[]): Promise<readonly string[]> {
  const { status } = await runCommand('env', [...variables, process.execPath, LADING, '--version']);
  assert.equal(status, 0);
  return await readdir(path.join(home, '.cache', 'lading', 'compiled')).catch(() => []);
}

test('keeps what Node.js has compiled, where it can, for this user alone', async (t) => {
  const { at } = await workspace(t);
  const home = at('home');
  await mkdir(home, { mode: 0o700 });
  const variables = ['-u', 'XDG_CACHE_HOME', '-u', 'NODE_DISABLE_COMPILE_CACHE', `HOME=${home}`];
  assert.deepEqual(await keptBy(home, [...variables, 'NODE_DISABLE_COMPILE_CACHE=1']), []);
  await chmod(home, 0o777);
  assert.deepEqual(await keptBy(home, variables), [], 'others could write to the home');
  await chmod(home, 0o700);
  assert.equal((await keptBy(home, variables)).length, CAN_KEEP ? 1 : 0);
  if (!CAN_KEEP) return;
  assert.equal((await stat(path.join(home, '.cache', 'lading'))).mode & 0o077, 0);
  await chmod(path.join(home, '.cache', 'lading', 'compiled'), 0o777);
  assert.equal((await keptBy(home, variables)).length, 1, 'the second start works, whoever may write there');
});

test('starts without a home, and with one that cannot be written to', async (t) => {
  const { at } = await workspace(t);
  for (const home of ['/nowhere', '/proc', at('missing')]) {
    assert.deepEqual(await keptBy(home, ['-u', 'XDG_CACHE_HOME', `HOME=${home}`]), []);
  }
  assert.deepEqual(await keptBy(at('missing'), ['-u', 'HOME', 'XDG_CACHE_HOME=relative']), []);
});
