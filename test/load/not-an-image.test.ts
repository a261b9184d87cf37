import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutEntries } from '../fixtures/archive-builder.js';
import { example } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';
import { watchIngests } from '../fixtures/watch-ingests.js';

const { images, blobs } = example();
const ENTRIES = layoutEntries(images, blobs);
const DIR_FORM: readonly TarEntry[] = [
  { name: 'version', body: Buffer.from('Directory Transport Version: 1.1\n') },
  { name: 'manifest.json', body: Buffer.from(JSON.stringify({ schemaVersion: 2, config: {}, layers: [] })) },
];

const INPUTS: readonly (readonly [what: string, input: () => Promise<Buffer> | Buffer, message: RegExp])[] = [
  ['a short JSON answer', () => Buffer.from('{"message":"No such image: x"}\n'), /it is JSON, perhaps an error/],
  ['a long JSON answer', () => Buffer.from(`[{"errors":"${'x'.repeat(9000)}"}]`), /it is JSON/],
  ['a web page', () => Buffer.from('\n<!DOCTYPE html><html>404</html>'), /it is a web page/],
  ['a long web page', () => Buffer.from(`<HTML lang=en>${'x'.repeat(9000)}`), /it is a web page/],
  ['an XML answer', () => Buffer.from('<?xml version="1.0"?><Error>AccessDenied</Error>'), /it is XML/],
  ['a short message', () => Buffer.from('Error: not found\n'), /it is text, perhaps an error message/],
  ['a long message', () => Buffer.from('Zugriff verweigert für diesen Nutzer. '.repeat(99)), /it is text/],
  ['a zip file', () => Buffer.from(`PK\x03\x04${'\0'.repeat(600)}`), /it is a zip file; unzip it/],
  ['an empty zip file', () => Buffer.from(`PK\x05\x06${'\0'.repeat(18)}`), /it is a zip file/],
  ['lzma', () => Buffer.from('5d00008000ffffffffffffffff00', 'hex'), /packed with lzma; unpack it first: lzma -dc/],
  ['cpio', () => Buffer.from('0707010024a0440000'), /a cpio archive; unpack it/],
  ['old cpio', () => Buffer.from('0707071770000000010420'), /a cpio archive; unpack it/],
  [
    'a Debian package',
    () => Buffer.from('!<arch>\ndebian-binary   1342943816  0 0 100644 4 `\n2.0\n'),
    /a Debian package/,
  ],
  ['an RPM package', () => Buffer.from('edabeedb0300000000', 'hex'), /an RPM package/],
  ['lz4', () => Buffer.from('04224d18', 'hex'), /packed with lz4; unpack it first: lz4 -dc/],
  ['what is packed twice', () => gzipSync(gzipSync(Buffer.alloc(9000))), /packed twice/],
  [
    'letters of bzip2 that no block follows',
    () => Buffer.from(`BZh9${'\x01'.repeat(600)}`),
    /input is not a tar archive/,
  ],
  ['nothing', () => Buffer.alloc(0), /the input is empty/],
  [
    'a layout in a folder',
    async () => await tarOf(ENTRIES.map((entry) => ({ ...entry, name: `up/${entry.name}` }))),
    /only "up\/[\w.-]+"; load that folder, or pack it: tar -C "up"/,
  ],
  ['the dir: form of skopeo', async () => await tarOf(DIR_FORM), /"dir:" form of skopeo.*skopeo copy dir:/],
  [
    'a tar of something else',
    async () => await tarOf([{ name: 'x', body: Buffer.from('x') }]),
    /neither an OCI layout nor/,
  ],
];

for (const [what, input, message] of INPUTS) {
  onEachStore(`says what it was given: ${what}`, async (open, t) => {
    const store = await open();
    const bytes = await input();
    const file = path.join(await temporaryFolder(t), 'input');
    await writeFile(file, bytes);
    for (const source of [file, createReadStream(file), Readable.from([gzipSync(bytes)])]) {
      await assert.rejects(load(store, source), { code: 'ERR_ARCHIVE_FORMAT', message });
    }
    assert.deepEqual((await stateOf(store)).blobs, []);
  });
}

test('says which folder was meant, and knows the dir: form of skopeo', async (t) => {
  const parent = await temporaryFolder(t);
  await mkdir(path.join(parent, 'deep'));
  await writeFile(path.join(parent, 'deep', 'index.json'), '{}');
  await assert.rejects(load(new MemoryStore(), parent), { code: 'ERR_ARCHIVE_FORMAT', message: /"deep\/index.json"/ });
  const folder = await temporaryFolder(t);
  for (const { name, body } of DIR_FORM) await writeFile(path.join(folder, name), body ?? '');
  await assert.rejects(load(new MemoryStore(), folder), { code: 'ERR_ARCHIVE_FORMAT', message: /"dir:" form/ });
});

test('names what packs a sparse file as a whole', { skip: spawnSync('tar', ['--version']).status !== 0 }, async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'sparse');
  assert.equal(spawnSync('truncate', ['-s', '5M', file]).status, 0);
  for (const format of ['gnu', 'pax']) {
    const tar = spawnSync('tar', ['-S', `--format=${format}`, '-C', folder, '-c', 'sparse']).stdout;
    await assert.rejects(load(new MemoryStore(), Readable.from([tar])), /bsdtar --no-read-sparse/);
  }
});

test('writes nothing for a tar file that has no documents', async (t) => {
  const file = path.join(await temporaryFolder(t), 'other.tar');
  await writeFile(file, await tarOf([{ name: 'large', body: Buffer.alloc(2_000_000) }]));
  let written = 0;
  const store = watchIngests(new MemoryStore(), { onWrite: (bytes) => (written += bytes) });
  await assert.rejects(load(store, file), { code: 'ERR_ARCHIVE_FORMAT' });
  assert.equal(written, 0);
});

onEachStore('limits what it writes for a pipe that has shown none of its documents', async (open) => {
  const store = await open();
  const limits = { maxStagedBytes: 1_000_000 };
  const other = [1, 2, 3].map((at) => ({ name: `file-${at}`, body: Buffer.alloc(400_000, at) }));
  for (const entries of [other, [{ name: 'one', body: Buffer.alloc(1_000_001) }]]) {
    const archive = Readable.from([await tarOf(entries)]);
    await assert.rejects(load(store, archive, { limits }), {
      code: 'ERR_LIMIT_BYTES',
      message: /before any of its documents/,
    });
  }
  assert.deepEqual((await stateOf(store)).blobs, []);
  const large = [...ENTRIES, ...other];
  await load(store, Readable.from([await tarOf(large)]), { limits });
});

test('says that a folder is an unpacked docker-archive, and what packs it', async (t) => {
  const folder = await temporaryFolder(t);
  const listing = [{ Config: 'c.json', RepoTags: ['example/app:1'], Layers: ['layer.tar'] }];
  await writeFile(path.join(folder, 'manifest.json'), JSON.stringify(listing));
  await writeFile(path.join(folder, 'c.json'), '{}');
  await writeFile(path.join(folder, 'layer.tar'), '');
  await assert.rejects(load(new MemoryStore(), folder), {
    code: 'ERR_ARCHIVE_FORMAT',
    message: /is an unpacked docker-archive, and no OCI layout; pack it: tar -C ".*" -c \. \| lading load$/,
  });
});
