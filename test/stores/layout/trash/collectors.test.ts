import assert from 'node:assert/strict';
import { cp, mkdir, utimes } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { entryNameOf } from '../../../../src/model/archive-layout.js';
import { digestOf } from '../../../../src/model/digest.js';
import { OciLayoutStore } from '../../../../src/stores/layout/oci-layout-store.js';
import { verifyImages } from '../../../../src/verify/verify-images.js';
import { BlobSet, closureOf } from '../../../fixtures/blob-set.js';
import { requireTool } from '../../../fixtures/command.js';
import { IS_ALL, sampleOf } from '../../../fixtures/extent.js';
import { buildManifest } from '../../../fixtures/manifest-builder.js';
import { digestsIn, inSession, storeBytes, storeSet } from '../../../suites/stored.js';
import { inFolder, privateFiles } from '../layout-folder.js';
import { killAtCall, runChild } from '../store-process.js';

const NAME = 'docker.io/example/app:1';
const YEAR = 365 * 24 * 60 * 60 * 1000;

/** At how many calls of each kind a collector is killed, and how many rounds of several processes there are. */
const MAX_KILLS = IS_ALL ? 12 : 4;
const ROUNDS = IS_ALL ? 4 : 1;

describe('a collector that is killed', () => {
  // Some kills come at calls of Node itself, before the collection begins: these runs change nothing.
  for (const call of sampleOf(['mkdir', 'rename', 'unlink', 'rmdir', 'link'], 2, 'calls of a collector')) {
    it(`at any ${call} leaves every image whole, and the next collector clears away what is left`, async (t) => {
      if (!requireTool(t, 'strace')) return;
      await inFolder(async (folder) => {
        const prepared = path.join(folder, 'prepared');
        const blobs = new BlobSet();
        const [kept, unnamed] = ['kept', 'unnamed'].map((seed) =>
          buildManifest(blobs, { platform: 'linux/amd64', seed }),
        );
        const store = await OciLayoutStore.open(prepared);
        await storeSet(store, blobs, [{ name: NAME, descriptor: kept! }, { descriptor: unnamed! }]);
        await inSession(store, (session) => storeBytes(session, 'loose'));
        let kills = 0;
        for (let n = 1, isKilled = true; isKilled && n <= MAX_KILLS; n += 1) {
          const directory = path.join(folder, `${n}`);
          await cp(prepared, directory, { recursive: true, preserveTimestamps: true });
          isKilled = await killAtCall(directory, 'prune', { call, n });
          if (isKilled) kills += 1;
          const { images, problems } = await verifyImages(await OciLayoutStore.open(directory), [NAME]);
          assert.deepEqual([problems, images[0]?.platforms.map(({ state }) => state)], [[], ['complete']]);
          await runChild(directory, 'prune', '');
          assert.deepEqual(await digestsIn(await OciLayoutStore.open(directory)), closureOf(blobs, kept!).sort());
          assert.deepEqual(await privateFiles(directory), []);
        }
        assert.ok(kills > 0, 'no run was killed');
      });
    });
  }
});

describe('two collectors, three loaders and deleters', () => {
  // In one round of eight, a collector removes files that another one has just moved.
  for (let round = 1; round <= ROUNDS; round += 1) {
    it(`that work on the same blobs lose none that is needed, round ${round}`, async () => {
      await inFolder(async (folder) => {
        const [directory, end] = [path.join(folder, 'store'), path.join(folder, 'end')];
        await OciLayoutStore.open(directory);
        const collectors = ['one', 'two'].map(async () => await runChild(directory, 'collectUntil', end));
        const loaders = ['a', 'b', 'c'].map(async (seed) => await runChild(directory, 'reload', seed));
        const ended = await Promise.allSettled(loaders);
        await mkdir(end);
        await Promise.all(collectors);
        assert.deepEqual(
          ended.filter(({ status }) => status === 'rejected'),
          [],
        );
        await runChild(directory, 'prune', '');
        assert.deepEqual(await digestsIn(await OciLayoutStore.open(directory)), []);
        assert.deepEqual(await privateFiles(directory), []);
      });
    });
  }
});

describe('a clock that was put back', () => {
  it('keeps a blob that seems to come from the future, unless the grace time is 0', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      await inSession(store, (session) => storeBytes(session, 'future'));
      const future = new Date(Date.now() + YEAR);
      await utimes(path.join(folder, entryNameOf(digestOf('future'))), future, future);
      assert.equal((await store.prune({ now: Date.now(), graceMs: 1000 })).kept.young.count, 1);
      assert.equal((await store.prune({ now: Date.now(), graceMs: 0 })).blobs.length, 1);
    });
  });

  it('does not make a lease lapse early', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      const session = await store.session();
      await storeBytes(session, 'to be resumed');
      await session.end({ resumable: true });
      const report = await store.prune({ now: Date.now() - YEAR, graceMs: 0 });
      assert.deepEqual([report.blobs, report.kept.held.map(({ count }) => count)], [[], [1]]);
      assert.deepEqual(await digestsIn(store), [digestOf('to be resumed')]);
    });
  });
});
