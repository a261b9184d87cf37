import assert from 'node:assert/strict';
import { existsSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { link, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { entryNameOf } from '../../../src/model/archive-layout.js';
import { digestOf, type Digest } from '../../../src/model/digest.js';
import type { ImageRecord } from '../../../src/model/image-list.js';
import { BlobFiles } from '../../../src/stores/layout/blobs/blob-files.js';
import { Lease } from '../../../src/stores/layout/leases/lease.js';
import { readLeases } from '../../../src/stores/layout/leases/read-leases.js';
import { OciLayoutStore } from '../../../src/stores/layout/oci-layout-store.js';
import { LayoutPaths } from '../../../src/stores/layout/place/layout-paths.js';
import { RefsLog } from '../../../src/stores/layout/refs/refs-log.js';
import { collect, emptyAllTrash } from '../../../src/stores/layout/trash/collect.js';
import { BlobSet } from '../../fixtures/blob-set.js';
import { buildManifest } from '../../fixtures/manifest-builder.js';
import { mountTmpfs } from '../../fixtures/small-disk.js';
import { bytesOf, digestsIn, inSession, storeBytes, storeSet } from '../../suites/stored.js';
import { inFolder, privateFiles } from './layout-folder.js';

const CONTENT = 'the content of a blob';
const DIGEST = digestOf(CONTENT);
const soon = (): { now: number; graceMs: number } => ({ now: Date.now() + 60 * 60 * 1000, graceMs: 0 });

/** The path of a blob that a collection has moved to the trash. */
function trashedIn(folder: string, digest: Digest, collection = 'collection'): string {
  return path.join(folder, '.lading', 'trash', collection, digest.replace(':', '-'));
}

/** Runs with a store whose one blob a collection has just moved to the trash, and with the paths of both places. */
async function withTrashed(
  run: (given: { store: OciLayoutStore; blob: string; trashed: string; folder: string }) => Promise<void>,
): Promise<void> {
  await inFolder(async (folder) => {
    const store = await OciLayoutStore.open(folder);
    await inSession(store, (session) => storeBytes(session, CONTENT));
    const blob = path.join(folder, entryNameOf(DIGEST));
    const trashed = trashedIn(folder, DIGEST);
    await mkdir(path.dirname(trashed));
    await rename(blob, trashed);
    await run({ store, blob, trashed, folder });
  });
}

describe('a blob in the trash', () => {
  it('is read there, and put back when a session claims it', async () => {
    await withTrashed(async ({ store, blob, trashed }) => {
      assert.equal(String(await bytesOf(store.open(DIGEST))), CONTENT);
      await inSession(store, async (session) => {
        assert.equal((await session.stat(DIGEST, 'blob'))?.size, CONTENT.length);
        await rm(trashed);
        assert.ok(existsSync(blob));
      });
    });
  });

  for (const kind of ['session', 'reader'] as const) {
    it(`is found and put back by a ${kind} that claimed it together with others`, async () => {
      await withTrashed(async ({ store, blob, trashed }) => {
        const operation = await store[kind]();
        await operation.claim?.([digestOf('another'), DIGEST]);
        assert.equal((await operation.stat(DIGEST, 'blob'))?.size, CONTENT.length);
        await rm(trashed);
        assert.ok(existsSync(blob));
        assert.equal(await operation.stat(digestOf('another'), 'blob'), undefined);
        await operation.end();
      });
    });

    it(`is missing for a ${kind} if the collection was faster`, async () => {
      await withTrashed(async ({ store, trashed }) => {
        const operation = await store[kind]();
        const found = operation.stat(DIGEST, 'blob');
        // The look-up has found the file and not linked it yet.
        rmSync(trashed);
        assert.equal(await found, undefined);
        await operation.end();
      });
    });
  }

  it('is put back by the next prune if its collector was killed and an image needs it now', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      const blobs = new BlobSet();
      const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 'needed' });
      await storeSet(store, blobs, [{ descriptor: root, name: 'docker.io/example/app:1' }]);
      await mkdir(path.join(folder, '.lading', 'trash', 'collection'));
      for (const digest of blobs.keys())
        await rename(path.join(folder, entryNameOf(digest)), trashedIn(folder, digest));
      for (const digest of blobs.keys()) assert.ok((await store.stat(digest)) !== undefined);
      await store.prune(soon());
      assert.deepEqual(await privateFiles(folder), []);
      assert.deepEqual(await digestsIn(store), [...blobs.keys()].sort());
    });
  });

  it('that is linked in blobs/, too, is removed for good when no image needs it', async () => {
    await withTrashed(async ({ store, blob, trashed, folder }) => {
      // A collector leaves this if it is killed after it put the blob back and before it cleared the trash.
      await link(trashed, blob);
      assert.deepEqual(await inSession(store, (session) => session.discard([DIGEST])), [DIGEST]);
      assert.deepEqual(await digestsIn(store), []);
      await store.prune(soon());
      assert.deepEqual(await privateFiles(folder), []);
    });
  });
});

describe('two collections at once', () => {
  it('never mistake a file for the one that the other has moved', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      await inSession(store, (session) => storeBytes(session, CONTENT));
      const [first = '', second = ''] = ['first', 'second'].map((name) => trashedIn(folder, DIGEST, name));
      for (const trashed of [first, second]) await mkdir(path.dirname(trashed));
      const blob = path.join(folder, entryNameOf(DIGEST));
      // The first has moved the blob, to remove it. The blob is stored and claimed again, and moved by the second.
      await rename(blob, first);
      await inSession(store, async (session) => {
        await storeBytes(session, CONTENT);
        await rename(blob, second);
        await rm(first);
        assert.equal((await session.stat(DIGEST, 'blob'))?.size, CONTENT.length);
        assert.ok(existsSync(blob));
        await store.prune(soon());
        assert.equal(String(await bytesOf(store.open(DIGEST))), CONTENT);
      });
      assert.deepEqual(await privateFiles(folder), []);
    });
  });
});

describe('a prune that ends the collection of another', () => {
  it('looks again at a blob, too, that is moved to the trash meanwhile', async () => {
    await withTrashed(async ({ folder }) => {
      const paths = new LayoutPaths(folder);
      const late = 'needed, and moved late';
      const lateDigest = digestOf(late);
      const store = await OciLayoutStore.open(folder);
      await inSession(store, (session) => storeBytes(session, late));
      class SlowLog extends RefsLog {
        override async read(): Promise<readonly ImageRecord[]> {
          // The collector began before this blob was needed, and moves it now.
          await rename(paths.blob(lateDigest), trashedIn(folder, lateDigest));
          return await super.read();
        }
      }
      const parts = { paths, blobs: new BlobFiles(paths), refs: new SlowLog(paths) };
      assert.deepEqual(await emptyAllTrash(parts), [DIGEST]);
      await inSession(store, async (session) => {
        assert.equal((await session.stat(lateDigest, 'blob'))?.size, late.length);
        await store.prune(soon());
      });
      assert.equal(String(await bytesOf(store.open(lateDigest))), late);
      assert.deepEqual(await privateFiles(folder), []);
    });
  });
});

describe('a look-up of a blob that two collections move', () => {
  it('finds it in the trash of the second', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      await inSession(store, (session) => storeBytes(session, CONTENT));
      for (const name of ['one', 'other']) await mkdir(path.join(folder, '.lading', 'trash', name));
      const [second = '', first = ''] = readdirSync(path.join(folder, '.lading', 'trash'));
      renameSync(path.join(folder, entryNameOf(DIGEST)), trashedIn(folder, DIGEST, first));
      class PathsInMotion extends LayoutPaths {
        override trashed(collection: string, digest: Digest): string {
          const file = super.trashed(collection, digest);
          // Just before the look into the first trash, the blob moves to the second, which was looked into before.
          if (collection === first && existsSync(file)) renameSync(file, super.trashed(second, digest));
          return file;
        }
      }
      const found = await new BlobFiles(new PathsInMotion(folder)).stat(DIGEST);
      assert.equal(found?.file, trashedIn(folder, DIGEST, second));
    });
  });
});

describe('a commit that meets a blob', () => {
  it('is not disturbed by a collection that moves the blob away and puts it back', async () => {
    await withTrashed(async ({ store, blob, trashed, folder }) => {
      const over = new AbortController();
      const collector = (async () => {
        for (let turn = 0; !over.signal.aborted; turn += 1) {
          const [from, to] = turn % 2 === 0 ? [trashed, blob] : [blob, trashed];
          if (existsSync(from)) renameSync(from, to);
          await nextTurn();
        }
        rmSync(path.dirname(trashed), { recursive: true });
      })();
      await inSession(store, async (session) => {
        for (let at = 0; at < 150; at += 1) await storeBytes(session, CONTENT);
        over.abort();
        await collector;
        await storeBytes(session, CONTENT);
        assert.equal(String(await bytesOf(store.open(DIGEST))), CONTENT);
      });
      assert.deepEqual(await privateFiles(folder), []);
    });
  });

  it('replaces a damaged one without a moment in which the name is free', async () => {
    await withTrashed(async ({ store, blob, trashed }) => {
      await rm(trashed);
      await writeFile(blob, 'damaged');
      let seen = 0;
      const over = new AbortController();
      const reader = (async () => {
        for (; !over.signal.aborted; seen += 1) {
          assert.ok(existsSync(blob));
          await nextTurn();
        }
      })();
      for (let at = 0; at < 20; at += 1) {
        rmSync(blob);
        writeFileSync(blob, `damaged ${at}`);
        assert.equal(await inSession(store, (session) => storeBytes(session, CONTENT)), 'stored');
      }
      over.abort();
      await reader;
      assert.ok(seen > 20);
    });
  });
});

describe('a collection', () => {
  it('makes its folder in the trash before it reads the claims', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      await inSession(store, (session) => storeBytes(session, CONTENT));
      const paths = new LayoutPaths(folder);
      const refs = new RefsLog(paths);
      const shown: number[] = [];
      // The list of images is read right after the claims.
      refs.read = async () => {
        shown.push(readdirSync(paths.trash).length);
        return [];
      };
      assert.deepEqual(await collect({ paths, blobs: new BlobFiles(paths), refs }, [DIGEST]), [DIGEST]);
      assert.deepEqual(shown, [1, 1]);
      assert.deepEqual(await privateFiles(folder), []);
    });
  });

  it('starts again if another one has ended it before it moved a blob', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      for (const content of [CONTENT, 'another']) await inSession(store, (session) => storeBytes(session, content));
      const paths = new LayoutPaths(folder);
      const refs = new RefsLog(paths);
      let looks = 0;
      refs.read = async () => {
        // A prune removes the folder, as if the collector had been killed.
        if ((looks += 1) <= 2) for (const name of readdirSync(paths.trash)) rmdirSync(path.join(paths.trash, name));
        return [];
      };
      const wanted = [DIGEST, digestOf('another')];
      assert.deepEqual(await collect({ paths, blobs: new BlobFiles(paths), refs }, wanted), wanted);
      assert.deepEqual(await digestsIn(store), []);
      assert.deepEqual(await privateFiles(folder), []);
    });
  });

  it('removes unclaimed blobs, keeps one that was claimed together with others, and leaves no folder', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      for (const content of [CONTENT, 'loose']) await inSession(store, (session) => storeBytes(session, content));
      const session = await store.session();
      await session.claim?.([DIGEST, digestOf('nowhere')]);
      const { blobs } = await store.prune(soon());
      assert.deepEqual(blobs, [{ digest: digestOf('loose'), size: 5 }]);
      assert.equal((await session.stat(DIGEST, 'blob'))?.size, CONTENT.length);
      await session.end();
      assert.deepEqual(await privateFiles(folder), []);
    });
  });
});

describe('a claim', () => {
  it('of thousands of blobs at once can be read in full by others', async () => {
    await inFolder(async (folder) => {
      const lease = await Lease.create(folder, 'lease');
      const digests = Array.from({ length: 5000 }, (_, at) => digestOf(`claim ${at}`));
      lease.claim([...digests, ...digests]);
      lease.claim(digests);
      const [seen] = await readLeases(folder, 0);
      assert.deepEqual(seen?.digests, digests);
      await lease.end({ keep: false });
    });
  });

  it('that was cut short by a full disk does not damage the next one', async (t) => {
    const disk = await mountTmpfs(t, '1m');
    if (disk === undefined) return;
    const lease = await Lease.create(disk, 'lease');
    const filler = path.join(disk, 'filler');
    await writeFile(filler, Buffer.alloc(2_000_000)).catch(() => undefined);
    const digests = Array.from({ length: 200 }, (_, at) => digestOf(`claim ${at}`));
    const claimed = digests.filter((digest) => isClaimed(lease, digest));
    assert.ok(claimed.length > 0 && claimed.length < digests.length, `${claimed.length} claims fit`);
    await rm(filler);
    for (const digest of digests) lease.claim([digest]);
    const [seen] = await readLeases(disk, 0);
    assert.deepEqual([...(seen?.digests ?? [])].sort(), digests.toSorted());
    await lease.end({ keep: false });
  });
});

function isClaimed(lease: Lease, digest: Digest): boolean {
  try {
    lease.claim([digest]);
    return true;
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'ENOSPC');
    return false;
  }
}
