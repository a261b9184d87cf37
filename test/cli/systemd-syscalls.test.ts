import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { LADING, workspace } from '../fixtures/cli-workspace.js';
import { output, requireTool, runCommand } from '../fixtures/command.js';
import { startDaemon } from '../fixtures/daemon.js';
import { FAMILIAR } from '../fixtures/example.js';
import { projectRoot } from '../fixtures/tables.js';

/** Counts the system calls of a command and its threads into a file. */
const counting = (file: string): readonly string[] => ['strace', '--follow-forks', '--summary-only', '--output', file];

/** The names of the counted calls. */
async function callsIn(file: string): Promise<readonly string[]> {
  const rows = (await readFile(file, 'utf8')).split('\n').slice(2, -3);
  return rows.map((row) => row.trim().split(/\s+/).at(-1) ?? '');
}

/** The calls that the filter of the units allows. */
async function allowedCalls(): Promise<ReadonlySet<string>> {
  const unit = await readFile(path.join(projectRoot(), 'examples', 'systemd', 'lading.service'), 'utf8');
  const allowed = new Set<string>();
  for (const [, not, sets = ''] of unit.matchAll(/^SystemCallFilter=(~?)(.+)$/gm)) {
    const calls = (await Promise.all(sets.split(' ').map(membersOf))).flatMap((members) => [...members]);
    for (const call of calls) {
      if (not === '~') allowed.delete(call);
      else allowed.add(call);
    }
  }
  return allowed;
}

/** The calls of a set, and of the sets in it. */
async function membersOf(set: string): Promise<ReadonlySet<string>> {
  const lines = (await output('systemd-analyze', ['syscall-filter', '--no-pager', set]))
    .split('\n')
    .map((line) => line.trim());
  const members = lines.filter((line) => line !== '' && !line.startsWith('#') && line !== set);
  const nested = await Promise.all(members.filter((name) => name.startsWith('@')).map(membersOf));
  return new Set([...members.filter((name) => !name.startsWith('@')), ...nested.flatMap((calls) => [...calls])]);
}

test('makes no system call that the units forbid', async (t) => {
  if (!requireTool(t, 'strace', 'systemd-analyze')) return;
  if ((await runCommand('strace', ['true'])).status !== 0) return t.skip('may not trace processes');
  const { at, store } = await workspace(t, { loaded: true });
  const daemon = await startDaemon(t, { launcher: counting(at('serve')) });
  await daemon.request('POST', '/images/load', { body: await readFile(daemon.archive) });
  assert.equal((await daemon.request('GET', `/images/get?names=${FAMILIAR}`)).status, 200);
  await daemon.request('DELETE', `/images/${FAMILIAR}`);
  await daemon.request('GET', '/metrics');
  // strace does not pass its signals on, so signal the traced process, its child.
  const children = await readFile(`/proc/${daemon.child.pid}/task/${daemon.child.pid}/children`, 'utf8');
  process.kill(Number.parseInt(children, 10), 'SIGTERM');
  assert.equal(await daemon.ended(), 0);
  await output('strace', [
    ...counting(at('prune')).slice(1),
    process.execPath,
    LADING,
    'prune',
    '--store',
    store,
    '--grace',
    '0',
  ]);
  const allowed = await allowedCalls();
  const used = new Set([...(await callsIn(at('serve'))), ...(await callsIn(at('prune')))]);
  assert.ok(used.has('fsync') && used.has('listen'), [...used].join(' '));
  assert.deepEqual(
    [...used].filter((call) => !allowed.has(call)),
    [],
  );
});
