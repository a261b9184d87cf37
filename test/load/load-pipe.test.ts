import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { kernel } from '../../src/files/kernel.js';
import { loadImages, type LoadOptions } from '../../src/load/load-images.js';
import type { LoadReport } from '../../src/load/load-report.js';
import type { Digest } from '../../src/model/digest.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import type { Store } from '../../src/stores/store.js';
import { layoutArchive, layoutEntries, type LayoutOptions } from '../fixtures/archive-builder.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { example, FAMILIAR, type Example } from '../fixtures/example.js';
import { load, ORDERS } from '../fixtures/loading.js';
import { pipeFromTest } from '../fixtures/named-pipe.js';
import { openFiles } from '../fixtures/open-files.js';
import { refuses } from '../fixtures/refusals.js';
import { HOST } from '../fixtures/saved-archive.js';
import { mountTmpfs } from '../fixtures/small-disk.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';
import { leasesOf, onEachStore, stateOf, temporaryFolder, type OpenStore } from '../fixtures/stores.js';

const skip = kernel() === undefined && 'the package koffi is not here';

/** Images with layers that are poured, not read. */
const LAYER_BYTES = 900_000;
const built = example({ layers: 2, layerBytes: LAYER_BYTES, compression: 'none' });

const archiveOf = async (image: Example, options: LayoutOptions = {}): Promise<Buffer> =>
  await layoutArchive(image.images, image.blobs, options);

/** Loads bytes that come through a pipe. `stalls`: the pipe stays open when they were written. */
async function loadPiped(
  t: TestContext,
  store: Store,
  bytes: Buffer,
  { stalls = false, native = true, ...options }: LoadOptions & { stalls?: boolean; native?: boolean } = {},
): Promise<LoadReport> {
  const { fd, writer, end } = await pipeFromTest(t);
  const before = openFiles();
  if (stalls) writer.write(bytes);
  else writer.end(bytes);
  try {
    return await loadImages(store, { fd, native }, { hostPlatform: HOST, ...options });
  } finally {
    const open = openFiles();
    assert.ok(open <= before, `${open - before} descriptors stayed open`);
    end();
    writer.destroy();
  }
}

/** A copy of the archive in which one byte of a blob is another. */
function withFlip(archive: Buffer, image: Example, digest: Digest): Buffer {
  const bytes = image.blobs.get(digest) ?? assert.fail();
  const copy = Buffer.from(archive);
  const at = copy.indexOf(bytes) + bytes.length - 7;
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function firstLayerOf(image: Example, platform: string): Digest {
  return image.blobs.links(image.of(platform).digest).layers?.[0]?.digest ?? assert.fail();
}

async function sources(): Promise<ReadonlyMap<string, Buffer>> {
  const found = new Map<string, Buffer>();
  for (const order of ORDERS) found.set(`a layout, ${order}`, await archiveOf(built, { order }));
  found.set('a gzipped layout', gzipSync(await archiveOf(built), { level: 1 }));
  const image = dockerImageOf(built.blobs, built.of('linux/amd64'), [FAMILIAR]);
  found.set('a docker-archive', await dockerArchive([image]));
  return found;
}

for (const [what, archive] of await sources()) {
  for (const platforms of [[], ['linux/amd64']]) {
    onEachStore(`loads ${what} from a pipe as from a stream, ${platforms.join()}`, async (open, t) => {
      if (skip !== false) return t.skip(skip);
      const [piped, streamed] = [await open(), await open()];
      const report = await loadPiped(t, piped, archive, { platforms });
      assert.deepEqual(report, await load(streamed, archive, { platforms }));
      assert.deepEqual(await stateOf(piped), await stateOf(streamed));
      const again = await loadPiped(t, piped, archive, { platforms });
      assert.deepEqual(again, await load(streamed, archive, { platforms }));
      assert.deepEqual(await leasesOf(piped), []);
    });
  }
}

const damaged = async (open: OpenStore, t: TestContext): Promise<void> => {
  if (skip !== false) return t.skip(skip);
  for (const order of ORDERS) {
    const store = await open();
    const bytes = withFlip(await archiveOf(built, { order }), built, firstLayerOf(built, 'linux/arm64'));
    await refuses(store, async () => await loadPiped(t, store, bytes), { code: 'ERR_DIGEST_MISMATCH' });
    await loadPiped(t, store, bytes, { platforms: ['linux/amd64'] });
  }
};
onEachStore('refuses a damaged layer from a pipe, unless nobody asked for it', damaged);

onEachStore('keeps what was whole of an archive that is cut in a pipe, for the next load', async (open, t) => {
  if (skip !== false) return t.skip(skip);
  const archive = await archiveOf(built);
  for (const part of [0.3, 0.7, 0.99]) {
    const store = await open();
    const cut = archive.subarray(0, Math.floor(archive.length * part));
    await assert.rejects(loadPiped(t, store, cut), { code: 'ERR_ARCHIVE_TRUNCATED' });
    const left = await stateOf(store);
    assert.deepEqual(left.images, []);
    const { blobs } = await loadPiped(t, store, archive);
    assert.equal(blobs.present, left.blobs.length);
  }
});

for (const native of [true, false]) {
  test(`ends when it is aborted while nothing comes, and finds the rest again, native: ${native}`, async (t) => {
    const archive = await archiveOf(built);
    for (const part of [0, 0.001, 0.3, 0.7]) {
      const store = await OciLayoutStore.open(await temporaryFolder(t));
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 300);
      const sent = archive.subarray(0, Math.floor(archive.length * part));
      const work = loadPiped(t, store, sent, { stalls: true, native, signal: controller.signal });
      await assert.rejects(work, { code: 'ERR_ABORTED' });
      assert.deepEqual(await store.list(), []);
      assert.equal((await loadPiped(t, store, archive, { native })).images.length, 1);
    }
  });
}

test('reports a full disk at once, though more of the blob is still to come', { skip }, async (t) => {
  const folder = await mountTmpfs(t, '1m');
  if (folder === undefined) return;
  const store = await OciLayoutStore.open(`${folder}/store`);
  const image = example({ layers: 1, layerBytes: 6_000_000, compression: 'none' });
  const archive = await archiveOf(image);
  const sent = archive.subarray(0, 3_000_000);
  await assert.rejects(loadPiped(t, store, sent, { stalls: true }), { code: 'ERR_NO_SPACE' });
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

test('loads as a stream where native calls are not wanted', async (t) => {
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  const { fd, writer, end } = await pipeFromTest(t);
  writer.end(await archiveOf(built));
  const report = await loadImages(store, { fd }, { hostPlatform: HOST });
  assert.equal(report.images.length, 1);
  end();
});

onEachStore('follows links of a layout', async (open, t) => {
  if (skip !== false) return t.skip(skip);
  const [store, plain] = [await open(), await open()];
  await load(plain, await archiveOf(built));
  const entries = layoutEntries(built.images, built.blobs).flatMap((entry): TarEntry[] => {
    if (!/^blobs\/sha256\/\w/.test(entry.name)) return [entry];
    const file = `files/${path.basename(entry.name)}`;
    return [
      { ...entry, name: file },
      { name: entry.name, type: 'symlink', linkname: `../../${file}` },
    ];
  });
  await loadPiped(t, store, await tarOf(entries));
  assert.deepEqual(await stateOf(store), await stateOf(plain));
});
