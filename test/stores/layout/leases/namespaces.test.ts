import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { describe, it, type TestContext } from 'node:test';
import { digestOf } from '../../../../src/model/digest.js';
import { OciLayoutStore } from '../../../../src/stores/layout/oci-layout-store.js';
import { digestsIn, inSession, storeBytes } from '../../../suites/stored.js';
import { inFolder } from '../layout-folder.js';
import { runChild, startChild } from '../store-process.js';

const soon = (): { now: number; graceMs: number } => ({ now: Date.now() + 60 * 60 * 1000, graceMs: 0 });

/** A real process in another namespace: its child sees the namespace, its own start time reads differently. */
const NAMESPACES = [
  { what: 'another time namespace', args: ['--time', '--boottime', '100000'] },
  { what: 'another PID namespace', args: ['--pid', '--fork', '--kill-child', '--mount-proc'] },
  { what: 'another PID namespace with the /proc of this one', args: ['--pid', '--fork', '--kill-child'] },
];

describe('a live process', () => {
  for (const { what, args } of NAMESPACES) {
    it(`in ${what} keeps its blobs through any prune`, async (t) => {
      if (!canUnshare(t, args)) return;
      await inFolder(async (folder) => {
        const store = await OciLayoutStore.open(folder);
        const child = startChild(folder, 'hang', 'elsewhere', ['unshare', ...args]);
        try {
          await once(child.stdout, 'data');
          await store.prune({ ...soon(), resumeMs: 0 });
          assert.deepEqual(await digestsIn(store), [digestOf('whole elsewhere')]);
          const [held] = (await store.prune({ ...soon(), resumeMs: 0, dryRun: true })).kept.held;
          assert.equal(held?.state, 'unknown');
        } finally {
          child.kill('SIGKILL');
          await once(child, 'close');
        }
      });
    });

    it(`is not taken for dead by a prune in ${what}`, async (t) => {
      if (!canUnshare(t, args)) return;
      await inFolder(async (folder) => {
        const store = await OciLayoutStore.open(folder);
        await inSession(store, async (session) => {
          await storeBytes(session, 'held');
          await runChild(folder, 'prune', 'all', ['unshare', ...args]);
          assert.deepEqual(await digestsIn(store), [digestOf('held')]);
        });
      });
    });
  }
});

/** Whether a process can be started in such a namespace; else skips the test with the reason. */
function canUnshare(t: TestContext, args: readonly string[]): boolean {
  const { status, stderr, error } = spawnSync('unshare', [...args, 'true'], { encoding: 'utf8' });
  if (status !== 0) t.skip(error?.message ?? stderr);
  return status === 0;
}
