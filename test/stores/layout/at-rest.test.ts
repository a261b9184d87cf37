import assert from 'node:assert/strict';
import { lstat, readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { entryNameOf } from '../../../src/model/archive-layout.js';
import { parseImageIndex } from '../../../src/model/image-index.js';
import { publishRecords } from '../../../src/model/image-list.js';
import { OciLayoutStore } from '../../../src/stores/layout/oci-layout-store.js';
import { BlobSet } from '../../fixtures/blob-set.js';
import { buildMultiPlatform } from '../../fixtures/image-builder.js';
import { bytesOf, digestsIn, inSession, storeBytes, storeSet } from '../../suites/stored.js';
import { inFolder, privateFiles } from './layout-folder.js';
import { runChild } from './store-process.js';

const NAME = 'docker.io/example/app:1';
const blobs = new BlobSet();
const { root } = buildMultiPlatform(blobs, ['linux/amd64', 'linux/arm/v7']);

/** Fills a store with one image that has a name, and one without a name. */
async function fill(folder: string): Promise<OciLayoutStore> {
  const store = await OciLayoutStore.open(folder);
  const other = buildMultiPlatform(blobs, ['linux/s390x']).root;
  await storeSet(store, blobs, [{ name: NAME, descriptor: root }, { descriptor: other }]);
  return store;
}

describe('the directory at rest', () => {
  it('is an OCI layout: marker, index and blobs under their digests', async () => {
    await inFolder(async (folder) => {
      await fill(folder);
      assert.equal(await readFile(path.join(folder, 'oci-layout'), 'utf8'), '{"imageLayoutVersion":"1.0.0"}');
      const index = parseImageIndex(JSON.parse(await readFile(path.join(folder, 'index.json'), 'utf8')), 'index.json');
      assert.equal(index.manifests[0]?.digest, root.digest);
      for (const [digest, bytes] of blobs) {
        assert.ok((await readFile(path.join(folder, entryNameOf(digest)))).equals(bytes), digest);
      }
    });
  });

  it('names an image in full in both annotations, and an unnamed one in none', async () => {
    await inFolder(async (folder) => {
      await fill(folder);
      const { manifests } = JSON.parse(await readFile(path.join(folder, 'index.json'), 'utf8')) as {
        manifests: { annotations?: unknown }[];
      };
      assert.deepEqual(
        manifests.map(({ annotations }) => annotations),
        [{ 'io.containerd.image.name': NAME, 'org.opencontainers.image.ref.name': NAME }, undefined],
      );
    });
  });

  it('has no private files but version and list', async () => {
    await inFolder(async (folder) => {
      await fill(folder);
      assert.deepEqual(await privateFiles(folder), []);
      const files = await readdir(path.join(folder, '.lading'));
      assert.deepEqual(files.sort(), ['ingest', 'leases', 'refs', 'trash', 'version']);
    });
  });

  it('is the same after the store is opened again', async () => {
    await inFolder(async (folder) => {
      const store = await fill(folder);
      for (const again of [await OciLayoutStore.open(folder), await OciLayoutStore.open(folder, { readOnly: true })]) {
        assert.deepEqual(await again.list(), await store.list());
        assert.deepEqual(await digestsIn(again), [...blobs.keys()].sort());
        assert.ok((await bytesOf(again.open(root.digest))).equals(blobs.bytes(root.digest)));
      }
    });
  });

  it('keeps only a few older lists', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      await inSession(store, async (session) => {
        for (let at = 0; at < 50; at += 1) {
          const record = { name: `docker.io/example/app:${at}`, descriptor: root };
          await session.publish((records) => publishRecords(records, [record]));
        }
      });
      assert.equal((await store.list()).length, 50);
      assert.ok((await readdir(path.join(folder, '.lading', 'refs'))).length <= 32);
    });
  });
});

describe('modes', () => {
  for (const umask of ['000', '022', '077', '277', '777']) {
    it(`are those of private files under any umask, here ${umask}`, async () => {
      await inFolder(async (folder) => {
        const directory = path.join(folder, 'store');
        await runChild(directory, 'modes', umask);
        const modes = await modesUnder(directory);
        for (const [name, mode] of modes) assert.equal(mode.toString(8), expectedMode(name).toString(8), name);
        for (const folderName of ['ingest', 'leases']) {
          const names = [...modes.keys()].filter((name) => name.startsWith(`.lading/${folderName}/`));
          assert.equal(names.length, 1, `an open ${folderName} file`);
        }
      });
    });
  }

  it('of a blob is 0400 and that of its folder 0700', async () => {
    await inFolder(async (folder) => {
      const store = await OciLayoutStore.open(folder);
      await inSession(store, (session) => storeBytes(session, 'x'));
      const modes = await modesUnder(folder);
      assert.deepEqual(
        [...new Set([...modes].filter(([name]) => name.startsWith('blobs')).map(([, mode]) => mode))],
        [0o700, 0o400],
      );
    });
  });
});

function expectedMode(name: string): number {
  if (/^blobs\/sha256\/[0-9a-f]+$/.test(name)) return 0o400;
  if (name === 'index.json' || name === 'oci-layout') return 0o644;
  return /^\.lading\/(refs\/|ingest\/|leases\/|version)/.test(name) ? 0o600 : 0o700;
}

/** The permission bits of everything under a folder, by relative name; the folder itself is ''. */
async function modesUnder(folder: string): Promise<ReadonlyMap<string, number>> {
  const names = ['', ...(await readdir(folder, { recursive: true })).sort()];
  const modes = names.map(async (name) => [name, (await lstat(path.join(folder, name))).mode & 0o777] as const);
  return new Map(await Promise.all(modes));
}
