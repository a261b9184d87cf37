import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { AuditRecord } from '../../src/server/index.js';
import { startLading, statusOf } from '../fixtures/cli-workspace.js';
import { LineLog } from './line-log.js';

/** A built `lading serve` of the test's own, in a process of its own. */
export interface Served {
  /** Where it listens, as it prints it and as DOCKER_HOST takes it. */
  readonly url: string;
  /** A folder of the test's own; the store and the socket are in it. */
  readonly folder: string;
  readonly store: string;
  /** A path in the folder. */
  readonly at: (name: string) => string;
  /** The first audit record of an action, as soon as it is written. */
  readonly audited: (action: AuditRecord['action']) => Promise<AuditRecord>;
}

/** How to start a server. */
export interface ServeArguments {
  /** Default: a unix socket in the folder. */
  readonly host?: string;
  /** More options of `lading serve`. */
  readonly options?: readonly string[];
}

/** Starts a server on a store of its own. After the test it must stop with status 0; its folder is removed. */
export async function startServe(t: TestContext, { host, options = [] }: ServeArguments = {}): Promise<Served> {
  // A socket's path may have 107 characters.
  const folder = await mkdtemp(join(tmpdir(), 'ls-'));
  const at = (name: string): string => join(folder, name);
  const store = at('store');
  const child = startLading(['serve', '--store', store, '--host', host ?? `unix://${at('s')}`, ...options]);
  t.after(async () => {
    await stop(child);
    await rm(folder, { recursive: true, force: true });
  });
  child.stdin?.end();
  child.stdout?.resume();
  assert.ok(child.stderr);
  const log = new LineLog(child.stderr);
  const [, url = ''] = await log.find(/^lading: listening on (.+)$/);
  const audited = async (action: string): Promise<AuditRecord> => {
    const [line] = await log.find(new RegExp(`^\\{.*"action":"${action}".*$`));
    // An audit log has one line of JSON for each record.
    return JSON.parse(line) as AuditRecord;
  };
  return { url, folder, store, at, audited };
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  assert.equal(await statusOf(child), 0, 'lading serve did not end well');
}

/** Fails the test if a store has a lease or an unfinished ingest. */
export async function assertAtRest(store: string): Promise<void> {
  for (const folder of ['ingest', 'leases', 'trash'])
    assert.deepEqual(await readdir(join(store, '.lading', folder)), []);
}
