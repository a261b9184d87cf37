import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdir, rename, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { FileEntry } from '../../src/archives/file-entry.js';
import { layoutFiles } from '../../src/archives/layout-folder.js';
import { LAYOUT_BYTES } from '../../src/model/archive-layout.js';
import { digestOf } from '../../src/model/digest.js';
import type { ProgressEvent } from '../../src/model/progress-event.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { indexJson, layoutEntries } from '../fixtures/archive-builder.js';
import { example, NAME } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { stateOf, temporaryFolder } from '../fixtures/stores.js';
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

/** Ways to give an archive to a load. Only the first two are read by position. */
const FORMS: readonly (readonly [
  form: string,
  make: (t: TestContext, entries: readonly TarEntry[]) => Promise<string>,
])[] = [
  ['a folder', folderOf],
  ['a tar file', fileOf],
  ['a packed tar', packedOf],
  ['a packed tar, from its end to its start', async (t, entries) => await packedOf(t, entries.toReversed())],
  ['a packed tar with its files first', async (t, entries) => await packedOf(t, linksLast(entries))],
  ['a packed tar with its links first', async (t, entries) => await packedOf(t, linksLast(entries).toReversed())],
];

for (const [what, change] of LINKED) {
  for (const [form, make] of FORMS) {
    test(`follows a link in place of ${what}, in ${form}`, async (t) => {
      const source = await make(t, change(ENTRIES));
      const store = new MemoryStore();
      const { images: loaded, warnings } = await load(store, source);
      assert.deepEqual(
        loaded.map(({ digest }) => digest),
        [root.digest],
      );
      assert.deepEqual(warnings, []);
      assert.ok(loaded.every(({ platforms }) => platforms.every(({ state }) => state === 'complete')));
      assert.deepEqual((await verifyArchive(source, { deep: true })).problems, []);
      const some = await load(new MemoryStore(), source, { platforms: ['linux/arm64'] });
      assert.equal(some.images.length, 1);
    });
  }
}

test('leaves the same blobs, whether links were followed by position or in a stream', async (t) => {
  const plain = await OciLayoutStore.open(await temporaryFolder(t));
  await load(plain, await fileOf(t, ENTRIES));
  for (const [what, change] of LINKED) {
    for (const [form, make] of FORMS) {
      const store = await OciLayoutStore.open(await temporaryFolder(t));
      await load(store, await make(t, change(ENTRIES)));
      assert.deepEqual(await stateOf(store), await stateOf(plain), `${what}, ${form}`);
    }
  }
});

test('follows a hard link to a file that came before it, and to one that comes after it', async (t) => {
  const name = blobPath(root.digest);
  const moved = ENTRIES.map((entry) => (entry.name === name ? { ...entry, name: 'files/root' } : entry));
  const link = { name, type: 'link', linkname: 'files/root' } as const;
  for (const entries of [
    [...moved, link],
    [link, ...moved],
  ]) {
    const { images: loaded } = await load(new MemoryStore(), await packedOf(t, entries));
    assert.equal(loaded.length, 1);
  }
});

async function packedOf(t: TestContext, entries: readonly TarEntry[]): Promise<string> {
  const file = path.join(await temporaryFolder(t), 'archive.tar.gz');
  await writeFile(file, gzipSync(await tarOf(entries)));
  return file;
}

const linksLast = (entries: readonly TarEntry[]): readonly TarEntry[] =>
  entries.toSorted((a, b) => Number(a.type === 'symlink') - Number(b.type === 'symlink'));

const REFUSED: readonly (readonly [what: string, linkname: string, code: string])[] = [
  ['out of the layout', '../../../outside', 'ERR_TAR_ENTRY'],
  ['to an absolute path', '/etc/passwd', 'ERR_TAR_ENTRY'],
  ['to itself', path.basename(blobPath(root.digest)), 'ERR_ARCHIVE_FORMAT'],
  ['to nothing', '../../nothing', 'ERR_BLOB_MISSING'],
  ['to other bytes', '../../files/other', 'ERR_'],
];

for (const [what, linkname, code] of REFUSED) {
  for (const [form, make] of FORMS) {
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
  for (const [, make] of FORMS) {
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

test('refuses a link whose target stands twice with other bytes, by position and in a stream', async (t) => {
  const index = ENTRIES.find(({ name }) => name === 'index.json') ?? assert.fail();
  const other = {
    name: 'files/index',
    body: Buffer.concat([Buffer.from(index.body ?? []).subarray(0, -1), Buffer.from(' ')]),
  };
  const entries = linked('index.json', 'files/index', 'files/index')(ENTRIES);
  const twice = [...entries, { ...other, body: Buffer.concat([other.body, Buffer.from(' ')]) }];
  const sameSize = [...entries, other];
  const linkTwice = [...entries, other, { name: 'index.json', type: 'symlink', linkname: 'files/other' } as const];
  for (const wrong of [twice, sameSize, linkTwice]) {
    for (const [, make] of FORMS.slice(1)) {
      await assert.rejects(load(new MemoryStore(), await make(t, wrong)), {
        code: 'ERR_TAR_ENTRY',
        message: /occurs twice, with other bytes/,
      });
    }
  }
});

test('takes a target that stands twice with the same bytes', async (t) => {
  const entries = linked(blobPath(root.digest), 'files/root', '../../files/root')(ENTRIES);
  const twice = [...entries, ...entries.filter(({ name }) => name === 'files/root')];
  for (const [, make] of FORMS.slice(1)) {
    assert.equal((await load(new MemoryStore(), await make(t, twice))).images.length, 1);
  }
});

test('says that a file behind a link went by, if a stream could not know that it was needed', async (t) => {
  const manifestJson = [
    { name: 'files/big', body: Buffer.alloc(100_001, ' ') },
    { name: 'manifest.json', type: 'symlink', linkname: 'files/big' } as const,
  ];
  const message = /is a link to "files\/big", which came before it and was not kept: .* load it from a folder/;
  const source = await packedOf(t, [...ENTRIES, ...manifestJson]);
  const platforms = ['linux/arm64'];
  await assert.rejects(load(new MemoryStore(), source, { platforms }), { code: 'ERR_TAR_ENTRY', message });
});

test('follows a link to a blob of another digest algorithm', async (t) => {
  const body = blobs.bytes(root.digest);
  const long = { ...root, digest: digestOf(body, 'sha512') };
  const index = Buffer.from(JSON.stringify(indexJson([{ root: long, name: NAME }])));
  const short = { name: blobPath(root.digest), body };
  const linkname = `../../${short.name}`;
  const link = { name: blobPath(long.digest), type: 'symlink', linkname } as const;
  const rest = ENTRIES.filter(({ name }) => name.startsWith('blobs/sha256/') && name !== short.name);
  const documents = [
    { name: 'oci-layout', body: Buffer.from(LAYOUT_BYTES) },
    { name: 'index.json', body: index },
  ];
  for (const [, make] of FORMS) {
    const { images: loaded } = await load(new MemoryStore(), await make(t, [...documents, short, link, ...rest]));
    assert.deepEqual(
      loaded.map(({ digest }) => digest),
      [long.digest],
    );
  }
});

test('keeps no file beside a layout that no link can lead to', async (t) => {
  const big = { name: 'files/big', body: Buffer.alloc(200_000) };
  const events: string[] = [];
  const onProgress = (event: ProgressEvent): void => {
    if (event.type === 'blob') events.push(event.id);
  };
  const link = { name: blobPath(digestOf('unneeded')), type: 'symlink', linkname: '../../files/unneeded' } as const;
  await load(new MemoryStore(), await packedOf(t, [...layoutEntries(images, blobs, { manifestJson: [] }), link, big]), {
    onProgress,
  });
  assert.ok(!events.includes('files/big'));
});

for (const name of ['index.json', 'oci-layout', blobPath(root.digest), blobPath(digestOf('unneeded'))]) {
  const skip = spawnSync('mkfifo', ['--version']).error !== undefined && 'no mkfifo';
  test(`refuses a folder with a pipe in place of ${name}, and does not wait for it`, { skip }, async (t) => {
    const folder = await temporaryFolder(t);
    for (const { name: file, type, body = '' } of ENTRIES) {
      if (type === 'directory' || file === name) continue;
      await mkdir(path.dirname(path.join(folder, file)), { recursive: true });
      await writeFile(path.join(folder, file), body);
    }
    assert.equal(spawnSync('mkfifo', [path.join(folder, name)]).status, 0);
    const store = new MemoryStore();
    const expected = { code: 'ERR_TAR_ENTRY', message: /is a pipe, socket or device$/ };
    await assert.rejects(load(store, folder), expected);
    await assert.rejects(verifyArchive(folder), expected);
    assert.deepEqual((await stateOf(store)).blobs, []);
  });
}
