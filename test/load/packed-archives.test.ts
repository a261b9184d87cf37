import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { digestOf } from '../../src/model/digest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { dockerArchiveEntries, type DockerImage } from '../fixtures/docker-archive-builder.js';
import { codesOf, load } from '../fixtures/loading.js';
import { layerTar } from '../fixtures/manifest-builder.js';
import { pack, PACKERS, skippableFrame, type PackerName } from '../fixtures/packers.js';
import { namesOf, onEachStore, temporaryFolder } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';
import { refusesLoad } from './refused-loads.js';

const SMALL = layerTar('small', 3000);
/** Not kept in memory while it passes. */
const LARGE = layerTar('large', 200_000);

function imageOf(
  layers: readonly Buffer[],
  diffIds: readonly string[] = layers.map((tar) => digestOf(tar)),
): DockerImage {
  const config = { os: 'linux', architecture: 'amd64', rootfs: { type: 'layers', diff_ids: diffIds } };
  return { tags: ['example/app:1'], config: Buffer.from(JSON.stringify(config)), layers };
}

/** A docker-archive whose layers are packed like this, under the names of plain ones. */
function entriesOf(image: DockerImage, packed: (tar: Buffer) => Buffer): TarEntry[] {
  return dockerArchiveEntries([image], { layout: '1.2', symlinkedLayers: false }).map((entry) =>
    /^\w{64}\.tar$/.test(entry.name) ? { ...entry, body: packed(Buffer.from(entry.body ?? [])) } : entry,
  );
}

const TYPES: Readonly<Record<PackerName, string>> = {
  gzip: MEDIA_TYPES.dockerLayerGzip,
  zstd: MEDIA_TYPES.dockerLayerZstd,
  xz: MEDIA_TYPES.dockerLayer,
  bzip2: MEDIA_TYPES.dockerLayer,
};

for (const { name, skip } of PACKERS) {
  describe(name, { skip }, () => {
    const both = (bytes: Buffer): Buffer =>
      Buffer.concat([bytes.subarray(0, 1000), bytes.subarray(1000)].map((part) => pack(name, part)));

    test('around an archive, of one part and of several, from a file and a pipe', async (t) => {
      const plain = await tarOf(entriesOf(imageOf([SMALL, LARGE]), (tar) => tar));
      const expected = new MemoryStore();
      await load(expected, plain);
      for (const bytes of [pack(name, plain), both(plain)]) {
        const file = path.join(await temporaryFolder(t), 'archive');
        await writeFile(file, bytes);
        for (const source of [file, Readable.from([bytes]), createReadStream(file, { highWaterMark: 700 })]) {
          const store = new MemoryStore();
          await load(store, source);
          assert.deepEqual(await store.list(), await expected.list());
        }
        const { problems } = await verifyArchive(file, { deep: true });
        assert.deepEqual(problems, []);
      }
    });

    onEachStore(`checks layers of a docker-archive in ${name} against their diff ids`, async (open) => {
      const store = await open();
      const archive = await tarOf(entriesOf(imageOf([SMALL, LARGE]), both));
      const [image] = (await load(store, archive)).images;
      assert.deepEqual(await namesOf(store), ['docker.io/example/app:1']);
      assert.deepEqual((await verifyImages(store, [], { deep: true })).problems, []);
      assert.deepEqual((await verifyArchive(Readable.from([archive]), { deep: true })).problems, []);
      const reader = await store.reader();
      const manifest = await Readable.from(reader.open(image?.digest ?? assert.fail(), { kind: 'manifest' })).toArray();
      await reader.end();
      assert.ok(String(Buffer.concat(manifest)).includes(`"mediaType":"${TYPES[name]}"`));
    });

    for (const tar of [SMALL, LARGE]) {
      onEachStore(`refuses a wrong layer of ${tar.length} bytes in ${name}`, async (open) => {
        const store = await open();
        const wrong = imageOf([tar], [digestOf('other')]);
        await refusesLoad(store, {
          archive: await tarOf(entriesOf(wrong, (bytes) => pack(name, bytes))),
          code: 'ERR_DIFF_ID_MISMATCH',
        });
        const image = imageOf([tar]);
        const hidden = await tarOf(entriesOf(image, (bytes) => Buffer.concat([pack(name, bytes), pack(name, tar)])));
        await refusesLoad(store, { archive: hidden, code: 'ERR_DIFF_ID_MISMATCH' });
        const spoiled = [
          (bytes: Buffer) => bytes.subarray(0, -5),
          (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('more')]),
        ];
        for (const spoil of spoiled) {
          const archive = await tarOf(entriesOf(image, (bytes) => spoil(pack(name, bytes))));
          await refusesLoad(store, { archive, code: 'ERR_COMPRESSED_DATA' });
        }
      });
    }
  });
}

const ZSTD = PACKERS.find(({ name }) => name === 'zstd')?.skip ?? false;

const framed = (bytes: Buffer): Buffer =>
  Buffer.concat([
    skippableFrame(),
    pack('zstd', bytes),
    skippableFrame(Buffer.alloc(300)),
    pack('zstd', Buffer.alloc(0)),
  ]);

test('passes over skippable frames around an archive and in its layers', { skip: ZSTD }, async () => {
  const archive = framed(await tarOf(entriesOf(imageOf([SMALL, LARGE]), framed)));
  const store = new MemoryStore();
  await load(store, archive);
  assert.deepEqual(await namesOf(store), ['docker.io/example/app:1']);
  const { problems, warnings } = await verifyArchive(Readable.from([archive]), { deep: true });
  assert.deepEqual([problems, warnings], [[], []]);
});

test('tells the window of a layer that it does not unpack', { skip: ZSTD }, async () => {
  const packed = pack('zstd', LARGE, '--long=31');
  const archive = await tarOf(entriesOf(imageOf([LARGE]), () => packed));
  await assert.rejects(load(new MemoryStore(), archive), {
    code: 'ERR_COMPRESSION_UNSUPPORTED',
    message: /^layer sha256:\w+ needs a window of 2048 MiB in memory/,
  });
});

onEachStore('refuses an archive with a window of 2 GiB, and tells what unpacks it', async (open) => {
  const store = await open();
  const file = path.join(projectRoot(), 'test', 'data', 'cases', 'long-window.tar.zst');
  for (const source of [file, createReadStream(file)]) {
    await assert.rejects(load(store, source), {
      code: 'ERR_COMPRESSION_UNSUPPORTED',
      message: /window.* zstd -d --long=31 < FILE \| lading load$/,
    });
  }
  assert.deepEqual(codesOf((await verifyImages(store)).problems), []);
});
