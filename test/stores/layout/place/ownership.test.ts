import assert from 'node:assert/strict';
import { chmod, chown, mkdir, readdir, readFile, rename, stat, symlink } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { publishRecords } from '../../../../src/model/image-list.js';
import { OciLayoutStore } from '../../../../src/stores/layout/oci-layout-store.js';
import { BlobSet } from '../../../fixtures/blob-set.js';
import { buildManifest } from '../../../fixtures/manifest-builder.js';
import { inSession, namesIn, storeSet } from '../../../suites/stored.js';
import { inFolder } from '../layout-folder.js';

const NAME = 'docker.io/example/app:1';
const blobs = new BlobSet();
const descriptor = buildManifest(blobs, { platform: 'linux/amd64', seed: 'owned' });
const FOLDERS = ['', '.lading', '.lading/ingest', '.lading/leases', '.lading/refs', '.lading/trash', 'blobs'];

/** Runs with a store of one image, and a free path beside it. */
async function inStore(run: (store: string, outside: string) => Promise<void>): Promise<void> {
  await inFolder(async (folder) => {
    const store = path.join(folder, 'store');
    await storeSet(await OciLayoutStore.open(store), blobs, [{ name: NAME, descriptor }]);
    await run(store, path.join(folder, 'outside'));
  });
}

/** Checks that opening the store to write is refused and changes nothing, and that its image can be read. */
async function refusesToWrite(store: string, code: string): Promise<void> {
  const before = await readdir(store, { recursive: true });
  await assert.rejects(OciLayoutStore.open(store), { name: 'LadingError', code });
  assert.deepEqual(await readdir(store, { recursive: true }), before);
  assert.deepEqual(await namesIn(await OciLayoutStore.open(store, { readOnly: true })), [NAME]);
}

describe('a store that others may write to', () => {
  for (const folder of FOLDERS) {
    for (const mode of [0o770, 0o702, 0o777]) {
      it(`is refused if ${folder || 'its own folder'} has mode ${mode.toString(8)}`, async () => {
        await inStore(async (store) => {
          await chmod(path.join(store, folder), mode);
          await refusesToWrite(store, 'ERR_STORE_UNSAFE');
          await chmod(path.join(store, folder), 0o755);
          await OciLayoutStore.open(store);
        });
      });
    }
  }

  it('is not made in an empty folder that others may write to', async () => {
    await inFolder(async (folder) => {
      await chmod(folder, 0o777);
      await assert.rejects(OciLayoutStore.open(folder), { code: 'ERR_STORE_UNSAFE', message: /chmod go-w/ });
      assert.deepEqual(await readdir(folder), []);
    });
  });
});

describe('a store of another user', () => {
  for (const folder of FOLDERS) {
    it(`is refused if ${folder || 'its own folder'} is theirs`, async (t) => {
      if (!isRoot(t)) return;
      await inStore(async (store) => {
        await chown(path.join(store, folder), 65_534, 65_534);
        await refusesToWrite(store, 'ERR_STORE_UNSAFE');
      });
    });
  }

  it('is read without a lease, also by a user who could write one', async (t) => {
    if (!isRoot(t)) return;
    await inStore(async (store) => {
      await chown(store, 65_534, 65_534);
      const reader = await (await OciLayoutStore.open(store, { readOnly: true, claimReads: true })).reader();
      assert.equal((await reader.stat(descriptor.digest, 'blob'))?.size, descriptor.size);
      assert.deepEqual(await readdir(path.join(store, '.lading', 'leases')), []);
      await reader.end();
    });
  });
});

function isRoot(t: TestContext): boolean {
  if (process.geteuid?.() === 0) return true;
  t.skip('only root can give a folder away');
  return false;
}

describe('a link in a store', () => {
  const places = [
    ...FOLDERS.slice(1),
    'blobs/sha256',
    'index.json',
    'oci-layout',
    '.lading/version',
    '.lading/refs/2.json',
  ];
  for (const place of places) {
    it(`in place of ${place} is refused, and nothing is written through it`, async () => {
      await inStore(async (store, outside) => {
        await rename(path.join(store, place), outside);
        await symlink(outside, path.join(store, place));
        const { mtimeMs } = await stat(outside);
        await refusesToWrite(store, 'ERR_STORE_TAMPERED');
        assert.equal((await stat(outside)).mtimeMs, mtimeMs);
      });
    });
  }

  it('that later replaces index.json is replaced, not followed', async () => {
    await inStore(async (store, outside) => {
      const opened = await OciLayoutStore.open(store);
      const index = path.join(store, 'index.json');
      await rename(index, outside);
      const before = await readFile(outside);
      await symlink(outside, index);
      await inSession(opened, async (session) => {
        await session.publish((records) => publishRecords(records, [{ name: 'docker.io/example/app:2', descriptor }]));
      });
      assert.deepEqual(await readFile(outside), before);
      assert.match(await readFile(index, 'utf8'), /app:2/);
    });
  });

  it('may lead to the store itself', async () => {
    await inStore(async (store, outside) => {
      await symlink(store, outside);
      assert.deepEqual(await namesIn(await OciLayoutStore.open(outside)), [NAME]);
    });
  });

  it('and any other kind of file in place of a regular file are refused', async () => {
    for (const place of ['index.json', '.lading/refs/3.json', '.lading/version']) {
      await inStore(async (store) => {
        await rename(path.join(store, place), path.join(store, '..', 'aside')).catch(() => undefined);
        await mkdir(path.join(store, place));
        await assert.rejects(OciLayoutStore.open(store), { category: 'storage' });
      });
    }
  });
});
