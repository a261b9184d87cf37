import assert from 'node:assert/strict';
import { lstatSync } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { AuditRecord } from '../../src/server/index.js';
import { contentOf } from '../fixtures/cli-workspace.js';
import { startDaemon } from '../fixtures/daemon.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';

async function linesOf(file: string): Promise<readonly string[]> {
  return String((await contentOf(file)) ?? '')
    .split('\n')
    .slice(0, -1);
}

/** Waits until a file has this many records, and returns them. */
async function recordsOf(file: string, count: number): Promise<readonly AuditRecord[]> {
  await until(async () => (await linesOf(file)).length >= count, `${count} records`);
  return (await linesOf(file)).map((line) => JSON.parse(line) as AuditRecord);
}

test('writes each record as one line on stderr', async (t) => {
  const { request, archive, stderr, says } = await startDaemon(t);
  await request('POST', '/images/load', { body: await readFile(archive) });
  await request('DELETE', '/images/unknown');
  await says('"delete"');
  const records = stderr()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as AuditRecord);
  assert.deepEqual(
    records.map(({ action, code, client }) => [action, code, client]),
    [
      ['load', 'OK', 'unix'],
      ['delete', 'ERR_IMAGE_UNKNOWN', 'unix'],
    ],
  );
});

test('appends the records to a file that only its user can read', async (t) => {
  const file = path.join(await temporaryFolder(t), 'audit.jsonl');
  for (const run of [1, 2]) {
    const { request, child, ended } = await startDaemon(t, { args: ['--audit-log', file] });
    await request('POST', '/images/prune');
    assert.equal((await recordsOf(file, run)).length, run);
    child.kill('SIGTERM');
    assert.equal(await ended(), 0);
  }
  assert.equal(lstatSync(file).mode & 0o777, 0o600);
});

test('goes on in a new file after the old one was moved away', async (t) => {
  const file = path.join(await temporaryFolder(t), 'audit.jsonl');
  const { request } = await startDaemon(t, { args: ['--audit-log', file] });
  await request('POST', '/images/prune');
  await recordsOf(file, 1);
  await rename(file, `${file}.1`);
  await request('DELETE', '/images/unknown');
  assert.equal((await recordsOf(file, 1))[0]?.action, 'delete');
});

test('goes on when records cannot be written, says so once, and writes again when it can', async (t) => {
  const folder = path.join(await temporaryFolder(t), 'absent');
  const file = path.join(folder, 'audit.jsonl');
  const { request, says, stderr } = await startDaemon(t, { args: ['--audit-log', file] });
  await says('cannot write the audit log: ENOENT');
  for (let n = 0; n < 3; n += 1) assert.equal((await request('POST', '/images/prune')).status, 200);
  assert.equal(stderr().match(/cannot write/g)?.length, 1);
  await mkdir(folder);
  await request('DELETE', '/images/unknown');
  // The record of the last prune may come before it.
  await until(async () => (await recordsOf(file, 1)).at(-1)?.action === 'delete', 'the removal is written');
});

test('goes on when the disk of the records is full', async (t) => {
  const { request, says, child, ended } = await startDaemon(t, { args: ['--audit-log', '/dev/full'] });
  assert.equal((await request('POST', '/images/prune')).status, 200);
  await says('cannot write the audit log: ENOSPC');
  assert.equal((await request('POST', '/images/prune')).status, 200);
  child.kill('SIGTERM');
  assert.equal(await ended(), 0);
});

test('goes on when its stderr has no reader any more', async (t) => {
  const { request, child, ended } = await startDaemon(t);
  child.stderr?.destroy();
  for (let n = 0; n < 5; n += 1) assert.equal((await request('POST', '/images/prune')).status, 200);
  child.kill('SIGTERM');
  assert.equal(await ended(), 0);
});
