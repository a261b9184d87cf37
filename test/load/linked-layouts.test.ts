import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import type { FileEntry } from '../../src/archives/file-entry.js';
import { layoutFiles } from '../../src/archives/layout-folder.js';
import { digestOf } from '../../src/model/digest.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { layoutEntries } from '../fixtures/archive-builder.js';
import { example } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';

const { images, blobs, root } = example({ layerBytes: 100_000 });
const ENTRIES = layoutEntries(images, blobs);

/** Moves an entry, and puts a link in its place. */
const linked = (name: string, to: string, linkname: string) => (entries: readonly TarEntry[]) => [
  ...entries.map((entry) => (entry.name === name ? { ...entry, name: to } : entry)),
  { name, type: 'symlink', linkname } as const,
];

/** Moves a folder, and puts a link in its place. */
const linkedFolder = (folder: string, to: string, linkname: string) => (entries: readonly TarEntry[]) => [
  ...entries
    .filter(({ name }) => !name.endsWith('/'))
    .map((entry) => ({ ...entry, name: entry.name.replace(`${folder}/`, `${to}/`) })),
  { name: folder, type: 'symlink', linkname } as const,
];

const LINKED: readonly (readonly [what: string, change: (entries: readonly TarEntry[]) => readonly TarEntry[]])[] = [
  ['a blob', linked(blobPath(root.digest), 'files/root', '../../files/root')],
  [
    'every blob',
    (entries) =>
      entries
        .filter(({ name }) => /^blobs\/sha256\/\w/.test(name))
        .reduce<readonly TarEntry[]>(
          (all, { name }) => linked(name, `blobs/real/${path.basename(name)}`, `../real/${path.basename(name)}`)(all),
          entries,
        ),
  ],
  ['index.json', linked('index.json', 'files/index', 'files/index')],
  ['oci-layout', linked('oci-layout', 'files/layout', './files/../files/layout')],
  ['the folder of a digest algorithm', linkedFolder('blobs/sha256', 'real', '../real')],
  ['the folder of all blobs', linkedFolder('blobs', 'a/b/c', 'a/b/c')],
  [
    'a blob, by two links',
    (entries) => [
      ...linked(blobPath(root.digest), 'files/root', '../../files/link')(entries),
      { name: 'files/link', type: 'symlink', linkname: 'root' },
    ],
  ],
];

/** The entries as a folder. */
async function folderOf(t: TestContext, entries: readonly TarEntry[]): Promise<string> {
  const folder = path.join(await temporaryFolder(t), 'layout');
  for (const { name, type, linkname, body } of entries) {
    if (name.endsWith('/')) continue;
    const file = path.join(folder, name);
    await mkdir(path.dirname(file), { recursive: true });
    if (type === 'symlink') await symlink(linkname ?? '', file);
    else await writeFile(file, body ?? '');
  }
  return folder;
}

async function fileOf(t: TestContext, entries: readonly TarEntry[]): Promise<string> {
  const file = path.join(await temporaryFolder(t), 'archive.tar');
  await writeFile(file, await tarOf(entries));
  return file;
}

for (const [what, change] of LINKED) {
  for (const [form, make] of [
    ['a folder', folderOf],
    ['a tar file', fileOf],
  ] as const) {
    test(`follows a link in place of ${what}, in ${form}`, async (t) => {
      const source = await make(t, change(ENTRIES));
      const store = new MemoryStore();
      const { images: loaded } = await load(store, source);
      assert.deepEqual(
        loaded.map(({ digest }) => digest),
        [root.digest],
      );
      assert.ok(loaded.every(({ platforms }) => platforms.every(({ state }) => state === 'complete')));
      assert.deepEqual((await verifyArchive(source, { deep: true })).problems, []);
      const some = await load(new MemoryStore(), source, { platforms: ['linux/arm64'] });
      assert.equal(some.images.length, 1);
    });
  }
}

test('says that a pipe does not follow links of a layout', async (t) => {
  for (const [, change] of LINKED.slice(0, 4)) {
    const pipe = createReadStream(await fileOf(t, change(ENTRIES)));
    await assert.rejects(load(new MemoryStore(), pipe), {
      code: 'ERR_TAR_ENTRY',
      message: /is a link, which is followed/,
    });
  }
});

const REFUSED: readonly (readonly [what: string, linkname: string, code: string])[] = [
  ['out of the layout', '../../../outside', 'ERR_TAR_ENTRY'],
  ['to an absolute path', '/etc/passwd', 'ERR_TAR_ENTRY'],
  ['to itself', path.basename(blobPath(root.digest)), 'ERR_ARCHIVE_FORMAT'],
  ['to nothing', '../../nothing', 'ERR_BLOB_MISSING'],
  ['to other bytes', '../../files/other', 'ERR_'],
];

for (const [what, linkname, code] of REFUSED) {
  for (const [form, make] of [
    ['a folder', folderOf],
    ['a tar file', fileOf],
  ] as const) {
    test(`refuses a blob that is a link ${what}, in ${form}`, async (t) => {
      const others = [{ name: 'files/other', body: Buffer.from('other') }];
      const source = await make(t, [...others, ...linked(blobPath(root.digest), 'files/root', linkname)(ENTRIES)]);
      await writeFile(path.join(path.dirname(source), 'outside'), blobs.bytes(root.digest));
      await assert.rejects(load(new MemoryStore(), source), (error: { code: string; message: string }) => {
        assert.ok(error.code.startsWith(code), error.message);
        return true;
      });
    });
  }
}

test('does not care for a link to nothing that no image needs', async (t) => {
  const extra: TarEntry = { name: blobPath(digestOf('unneeded')), type: 'symlink', linkname: '../nothing' };
  for (const make of [folderOf, fileOf]) {
    const { images: loaded } = await load(new MemoryStore(), await make(t, [...ENTRIES, extra]));
    assert.equal(loaded.length, 1);
  }
});

test('refuses a blob whose folder becomes a link while it is read', async (t) => {
  const folder = await folderOf(t, ENTRIES);
  const outside = await folderOf(t, ENTRIES);
  const entries = await Readable.from(layoutFiles(folder)).toArray();
  await rename(path.join(folder, 'blobs'), path.join(folder, 'moved'));
  await symlink(path.join(outside, 'blobs'), path.join(folder, 'blobs'));
  const blob = (entries.at(-1) as FileEntry | undefined) ?? assert.fail();
  await assert.rejects(Readable.from(blob.body).toArray(), {
    code: 'ERR_TAR_ENTRY',
    message: /is a link out of the archive/,
  });
});
