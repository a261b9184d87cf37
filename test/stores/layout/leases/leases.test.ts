import assert from 'node:assert/strict';
import { readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { entryNameOf } from '../../../../src/model/archive-layout.js';
import { digestOf } from '../../../../src/model/digest.js';
import { OciLayoutStore } from '../../../../src/stores/layout/oci-layout-store.js';
import { BlobSet, closureOf } from '../../../fixtures/blob-set.js';
import { buildManifest } from '../../../fixtures/manifest-builder.js';
import { bytesOf, digestsIn, inSession, namesIn, storeBytes, storeSet } from '../../../suites/stored.js';
import { inFolder, privateFiles } from '../layout-folder.js';
import { killChild, runChild } from '../store-process.js';

const HOUR = 60 * 60 * 1000;
const soon = (): { now: number; graceMs: number } => ({ now: Date.now() + HOUR, graceMs: 0 });
const afterResumeTime = (): { now: number; graceMs: number } => ({ now: Date.now() + 25 * HOUR, graceMs: 0 });

describe('prune and its grace time', () => {
  it('keeps younger blobs and younger unnamed images', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      const blobs = new BlobSet();
      const [old, young] = ['old', 'young'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
      await storeSet(store, blobs, [{ descriptor: old! }, { descriptor: young! }]);
      const longAgo = new Date(Date.now() - 2 * HOUR);
      for (const digest of closureOf(blobs, old!))
        await utimes(path.join(folder, entryNameOf(digest)), longAgo, longAgo);
      const report = await store.prune({ now: Date.now(), graceMs: HOUR, dangling: true });
      assert.deepEqual(report.images, [{ descriptor: old }]);
      assert.deepEqual(await namesIn(store), [young!.digest]);
      assert.deepEqual(await digestsIn(store), closureOf(blobs, young!).sort());
    });
  });
});

describe('a living session', () => {
  it('keeps its lease, its ingest file and its blobs through any prune', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      await inSession(store, async (session) => {
        await storeBytes(session, 'stored');
        const ingest = await session.begin(undefined);
        await ingest.write(Buffer.from('on its way'));
        await (await OciLayoutStore.open(folder)).prune(afterResumeTime());
        assert.equal((await privateFiles(folder)).length, 2);
        assert.equal(await ingest.commit({ digest: digestOf('on its way'), size: 10 }), 'stored');
      });
      assert.deepEqual(await digestsIn(store), [digestOf('stored'), digestOf('on its way')].sort());
      assert.deepEqual(await privateFiles(folder), []);
    });
  });

  it('that ends and may be resumed keeps its blobs until the resume time is over', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      const session = await store.session();
      await storeBytes(session, 'half of an image');
      await session.end({ resumable: true });
      await store.prune(soon());
      assert.deepEqual(await digestsIn(store), [digestOf('half of an image')]);
      assert.equal(await inSession(store, (second) => storeBytes(second, 'half of an image')), 'present');
      await store.prune(afterResumeTime());
      assert.deepEqual(await digestsIn(store), []);
      assert.deepEqual(await privateFiles(folder), []);
    });
  });

  it('that ends twice changes nothing the second time', async () => {
    await inFolder(async (folder) => {
      const session = await (await OciLayoutStore.open(folder)).session();
      await session.end({ resumable: true });
      await session.end();
      assert.equal((await privateFiles(folder)).length, 1);
    });
  });
});

describe('a process that was killed in the middle of a blob', () => {
  it('leaves the store intact; prune removes its ingest file at once, and its blobs after the resume time', async () => {
    await inFolder(async (folder) => {
      await storeSet(await OciLayoutStore.open(folder), new BlobSet(), []);
      await killChild(folder, 'hang', 'killed');
      const store = await OciLayoutStore.open(folder);
      assert.deepEqual(await digestsIn(store), [digestOf('whole killed')]);
      assert.deepEqual(
        (await privateFiles(folder)).map((name) => name.split('/')[0]),
        ['ingest', 'leases'],
      );
      await store.prune(soon());
      assert.deepEqual(
        (await privateFiles(folder)).map((name) => name.split('/')[0]),
        ['leases'],
      );
      assert.equal(String(await bytesOf(store.open(digestOf('whole killed')))), 'whole killed');
      await store.prune(afterResumeTime());
      assert.deepEqual(await digestsIn(store), []);
      assert.deepEqual(await privateFiles(folder), []);
    });
  });
});

describe('a lease', () => {
  const owners = [
    { what: 'of a process with another start time', owner: { startTime: '1' } },
    { what: 'of a process that is gone', owner: { pid: 4_194_305 } },
    { what: 'of a process before the last boot', owner: { bootId: '00000000-0000-0000-0000-000000000000' } },
    { what: 'of another host', owner: { host: 'elsewhere.example' } },
  ];
  for (const { what, owner } of owners) {
    it(`${what} protects its blobs until the resume time is over, and no longer`, async () => {
      await inFolder(async (folder) => {
        const store = await OciLayoutStore.open(folder);
        const session = await store.session();
        await storeBytes(session, 'held');
        const [id = ''] = await readdir(path.join(folder, '.lading', 'leases'));
        const file = path.join(folder, '.lading', 'leases', id);
        const [first = '', ...rest] = (await readFile(file, 'utf8')).split('\n');
        assert.equal((JSON.parse(first) as { bootId: string }).bootId, await boot());
        await writeFile(file, [JSON.stringify({ ...(JSON.parse(first) as object), ...owner }), ...rest].join('\n'));
        await store.prune(soon());
        assert.deepEqual(await digestsIn(store), [digestOf('held')]);
        await store.prune(afterResumeTime());
        assert.deepEqual(await digestsIn(store), []);
        assert.deepEqual(await privateFiles(folder), []);
      });
    });
  }

  it('that was cut before its owner was written protects nothing after the resume time', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      const id = '6f3d0a52-0000-4000-8000-000000000000';
      await writeFile(path.join(folder, '.lading', 'leases', id), '{"pid":');
      await writeFile(path.join(folder, '.lading', 'ingest', `${id}.x`), 'half');
      await store.prune(soon());
      assert.equal((await privateFiles(folder)).length, 2);
      await store.prune(afterResumeTime());
      assert.deepEqual(await privateFiles(folder), []);
    });
  });
});

describe('two processes at once', () => {
  it('lose nothing of what they load', async () => {
    await inFolder(async (folder) => {
      const directory = path.join(folder, 'store');
      await Promise.all(['one', 'two'].map((seed) => runChild(directory, 'load', seed)));
      const store = await OciLayoutStore.open(directory);
      const names = ['one', 'two'].flatMap((seed) =>
        Array.from({ length: 12 }, (_, at) => `docker.io/example/app:${seed}-${at}`),
      );
      assert.deepEqual(await namesIn(store), names.sort());
      assert.equal((await store.prune(soon())).blobs.length, 0);
      assert.deepEqual(await privateFiles(directory), []);
    });
  });

  it('may make the same store', async () => {
    await inFolder(async (folder) => {
      const directory = path.join(folder, 'new', 'store');
      await Promise.all(Array.from({ length: 6 }, () => runChild(directory, 'open', '')));
      assert.deepEqual(await namesIn(await OciLayoutStore.open(directory)), []);
    });
  });
});

async function boot(): Promise<string> {
  return (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();
}
