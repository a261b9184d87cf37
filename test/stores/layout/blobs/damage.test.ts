import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { entryNameOf } from '../../../../src/model/archive-layout.js';
import { digestOf } from '../../../../src/model/digest.js';
import { OciLayoutStore } from '../../../../src/stores/layout/oci-layout-store.js';
import { bytesOf, digestsIn, inSession, storeBytes } from '../../../suites/stored.js';
import { inFolder, privateFiles } from '../layout-folder.js';

const CONTENT = 'the content of a blob';
const DIGEST = digestOf(CONTENT);

/** A store with one blob, and the blob's file. */
async function storeOf(folder: string): Promise<{ store: OciLayoutStore; file: string }> {
  const store = await OciLayoutStore.open(folder);
  await inSession(store, (session) => storeBytes(session, CONTENT));
  return { store, file: path.join(folder, entryNameOf(DIGEST)) };
}

describe('a blob that was damaged in its place', () => {
  for (const [what, damage] of [
    ['was cut short', async (file: string) => await replace(file, 'the content')],
    ['has too many bytes', async (file: string) => await replace(file, `${CONTENT}!`)],
    ['became a symlink', async (file: string) => await link(file)],
    ['became a symlink to nowhere', async (file: string) => await linkTo(file, '/nonexistent/blob')],
    ['is gone', async (file: string) => await rm(file)],
  ] as const) {
    it(`is replaced by a good one on commit if it ${what}`, async () => {
      await inFolder(async (folder) => {
        const { store, file } = await storeOf(folder);
        await damage(file);
        assert.equal(await inSession(store, (session) => storeBytes(session, CONTENT)), 'stored');
        assert.equal(String(await bytesOf(store.open(DIGEST))), CONTENT);
        assert.equal((await lstat(file)).mode & 0o777, 0o400);
        assert.deepEqual(await privateFiles(folder), []);
      });
    });
  }
});

describe('a symlink in place of a blob', () => {
  it('is not followed, and does not have the size of the blob', async () => {
    await inFolder(async (folder) => {
      const { store, file } = await storeOf(folder);
      await link(file);
      assert.notEqual((await store.stat(DIGEST))?.size, CONTENT.length);
      await assert.rejects(bytesOf(store.open(DIGEST)), { name: 'LadingError', category: 'storage' });
    });
  });

  it('does not make a commit write elsewhere', async () => {
    await inFolder(async (folder) => {
      const { store, file } = await storeOf(folder);
      const outside = await link(file);
      await inSession(store, (session) => storeBytes(session, CONTENT));
      assert.equal(await readFile(outside, 'utf8'), CONTENT);
      assert.equal((await lstat(outside)).mode & 0o777, 0o644);
    });
  });
});

describe('the list of blobs', () => {
  it('leaves out files with other names, other algorithms and half a digest', async () => {
    await inFolder(async (folder) => {
      const { store } = await storeOf(folder);
      await mkdir(path.join(folder, 'blobs', 'md5'));
      for (const name of ['sha256/README', `sha256/${'A'.repeat(64)}`, 'sha256/abc', `md5/${'0'.repeat(32)}`, 'stray'])
        await writeFile(path.join(folder, 'blobs', name), 'x');
      assert.deepEqual(await digestsIn(store), [DIGEST]);
    });
  });
});

async function replace(file: string, content: string): Promise<void> {
  await rm(file);
  await writeFile(file, content, { mode: 0o400 });
}

/** Puts a symlink to a good copy of the blob in its place. Returns the path of the copy. */
async function link(file: string): Promise<string> {
  const outside = path.join(file, '..', '..', '..', 'outside');
  await writeFile(outside, CONTENT);
  await chmod(outside, 0o644);
  await linkTo(file, outside);
  return outside;
}

async function linkTo(file: string, target: string): Promise<void> {
  await rm(file);
  await symlink(target, file);
}
