import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutArchive, layoutEntries } from '../fixtures/archive-builder.js';
import { jsonEntry } from '../fixtures/archive-entries.js';
import { example, NAME, sorted } from '../fixtures/example.js';
import { chunksOf, codesOf, load } from '../fixtures/loading.js';
import { namesOf, onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';
import { rawEntry, tarOf } from '../fixtures/tar-builder.js';
import { refusesLoad } from './refused-loads.js';

for (const order of ['metadata-first', 'blobs-first', 1, 2] as const) {
  for (const prefix of ['', './'] as const) {
    onEachStore(`reads an OCI layout tar: order ${order}, prefix ${JSON.stringify(prefix)}`, async (open) => {
      const store = await open();
      const { images, blobs, root } = example({ attestations: true, mediaTypes: 'docker' });
      await load(store, await layoutArchive(images, blobs, { order, prefix, directories: order !== 1 }));
      const expected = { images: [{ name: NAME, descriptor: root }], blobs: sorted([...blobs.keys()]) };
      assert.deepEqual(await stateOf(store), expected);
    });
  }
}

for (const size of [1, 7, 511, 512, 513, 65_536]) {
  onEachStore(`reads an archive that comes in chunks of ${size} bytes`, async (open) => {
    const store = await open();
    const { images, blobs } = example({ layerBytes: 100, layers: 1, platforms: ['linux/amd64', 'linux/arm64'] });
    await load(store, chunksOf(await layoutArchive(images, blobs), size));
    assert.deepEqual((await stateOf(store)).blobs, sorted([...blobs.keys()]));
  });
}

onEachStore('unpacks gzip with one member or several', async (open) => {
  const { images, blobs } = example();
  const archive = await layoutArchive(images, blobs);
  const half = Math.floor(archive.length / 2);
  const several = Buffer.concat([gzipSync(archive.subarray(0, half)), gzipSync(archive.subarray(half))]);
  for (const packed of [gzipSync(archive), several]) {
    const store = await open();
    await load(store, packed);
    assert.deepEqual((await stateOf(store)).blobs, sorted([...blobs.keys()]));
  }
});

onEachStore('refuses gzip that was changed', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const packed = gzipSync(await layoutArchive(images, blobs));
  const changed = Buffer.from(packed);
  changed.writeUInt32LE(0, changed.length - 8);
  await refusesLoad(store, { archive: changed, code: 'ERR_COMPRESSED_DATA' });
});

onEachStore('reads an OCI layout directory, and opens only what it wants', async (open, t) => {
  const store = await open();
  const { images, blobs, root, of } = example();
  const folder = await temporaryFolder(t);
  await unpackInto(folder, layoutEntries(images, blobs));
  const report = await load(store, folder, { platforms: ['linux/arm64'] });
  const { config, layers = [] } = blobs.links(of('linux/arm64').digest);
  const wanted = [of('linux/arm64'), ...(config ? [config] : []), ...layers].map(({ digest }) => digest);
  assert.deepEqual((await stateOf(store)).blobs, sorted(root.digest, wanted));
  assert.equal(report.blobs.stored, 1 + wanted.length);
});

async function unpackInto(folder: string, entries: ReturnType<typeof layoutEntries>): Promise<void> {
  for (const { name, type, body = Buffer.alloc(0) } of entries) {
    if (type === 'directory') await mkdir(path.join(folder, name), { recursive: true });
    else await writeFile(path.join(folder, name), body);
  }
}

onEachStore('follows the layout where an archive is both, and says where manifest.json disagrees', async (open) => {
  const store = await open();
  const { images, blobs, root, of } = example();
  const { config, layers = [] } = blobs.links(of('linux/amd64').digest);
  const entry = (tag: string) => ({
    Config: `blobs/sha256/${config?.digest.slice(7)}`,
    RepoTags: [tag],
    Layers: layers.map(({ digest }) => `blobs/sha256/${digest.slice(7)}`),
  });
  const same = await load(store, await layoutArchive(images, blobs, { manifestJson: [entry('example/app:1')] }));
  assert.deepEqual(same.warnings, []);
  const unlike = await load(store, await layoutArchive(images, blobs, { manifestJson: [entry('example/evil:1')] }));
  assert.deepEqual(codesOf(unlike.warnings), ['WARN_MANIFEST_JSON']);
  assert.match(unlike.warnings[0]?.message ?? '', /"example\/evil:1"/);
  assert.deepEqual((await stateOf(store)).images, [{ name: NAME, descriptor: root }]);
});

onEachStore('refuses what is neither a layout nor a docker-archive', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const entries = layoutEntries(images, blobs);
  const without = (name: string) => tarOf(entries.filter((entry) => entry.name !== name));
  for (const archive of [await tarOf([]), await tarOf([{ name: 'a', body: Buffer.from('b') }])]) {
    await refusesLoad(store, { archive, code: 'ERR_ARCHIVE_FORMAT', message: /no index\.json and no manifest\.json/ });
  }
  for (const name of ['oci-layout', 'index.json']) {
    await refusesLoad(store, { archive: await without(name), code: 'ERR_ARCHIVE_FORMAT' });
  }
});

onEachStore('refuses a layout of another version', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const entries = layoutEntries(images, blobs).filter(({ name }) => name !== 'oci-layout');
  const archive = await tarOf([jsonEntry('oci-layout', { imageLayoutVersion: '9' }), ...entries]);
  await refusesLoad(store, { archive, code: 'ERR_FORMAT_UNSUPPORTED' });
});

onEachStore('refuses input that is not a tar: empty, text, random bytes', async (open) => {
  const store = await open();
  const inputs = [Buffer.alloc(0), Buffer.from('hello\n'), Buffer.alloc(2000, 'x'), Buffer.alloc(100)];
  for (const input of inputs) {
    await assert.rejects(load(store, input), ({ category }: { category: string }) => category === 'invalid-archive');
  }
  await refusesLoad(store, { archive: Buffer.alloc(0), code: 'ERR_ARCHIVE_FORMAT' });
  await refusesLoad(store, { archive: Buffer.alloc(2000, 'x'), code: 'ERR_ARCHIVE_FORMAT' });
});

onEachStore('refuses an archive that was cut at any block, and at odd places', async (open) => {
  const store = await open();
  const { images, blobs } = example({ platforms: ['linux/amd64'], layers: 1, layerBytes: 700 });
  const archive = await layoutArchive(images, blobs);
  const ends = [1, 100, 511, 513, 1000, archive.length - 1, archive.length - 511];
  for (let end = 512; end < archive.length; end += 512) ends.push(end);
  for (const end of ends) {
    const attempt = async () => await load(store, archive.subarray(0, end));
    await assert.rejects(attempt, ({ code }: { code: string }) =>
      ['ERR_ARCHIVE_TRUNCATED', 'ERR_ARCHIVE_FORMAT'].includes(code),
    );
  }
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

onEachStore('refuses an entry after the end of the archive', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const archive = await layoutArchive(images, blobs);
  const followed = Buffer.concat([archive, rawEntry({ name: 'more' }, 'x')]);
  await refusesLoad(store, { archive: followed, code: 'ERR_ARCHIVE_FORMAT' });
  await load(store, Buffer.concat([archive, Buffer.alloc(10_240)]));
  assert.deepEqual(await namesOf(store), [NAME]);
});

onEachStore('says that a file or folder does not exist', async (open, t) => {
  const store = await open();
  const nowhere = path.join(await temporaryFolder(t), 'nothing.tar');
  await refusesLoad(store, { archive: nowhere, code: 'ERR_SOURCE_UNKNOWN' });
});

for (const [what, program, ...args] of [
  ['GNU tar, v7', 'tar', '--format=v7'],
  ['GNU tar, old GNU with a label', 'tar', '--format=oldgnu', '--label=title'],
  ['GNU tar, GNU with a label', 'tar', '--format=gnu', '--label=title'],
  ['GNU tar, POSIX with a label', 'tar', '--format=posix', '--label=title'],
  ['bsdtar, v7', 'bsdtar', '--format=v7tar'],
] as const) {
  const skip = spawnSync(program, ['--version']).status !== 0 && `no ${program}`;
  test(`reads a layout packed by ${what}`, { skip }, async (t) => {
    const { images, blobs } = example();
    const folder = await temporaryFolder(t);
    await unpackInto(folder, layoutEntries(images, blobs));
    const tar = spawnSync(program, [
      ...args,
      '-C',
      folder,
      '-c',
      '-f',
      '-',
      'oci-layout',
      'index.json',
      'blobs',
    ]).stdout;
    const file = path.join(await temporaryFolder(t), 'archive.tar');
    await writeFile(file, tar);
    for (const source of [file, createReadStream(file), Readable.from([gzipSync(tar)])]) {
      const store = new MemoryStore();
      await load(store, source);
      assert.deepEqual((await stateOf(store)).blobs, sorted([...blobs.keys()]));
    }
  });
}
