import assert from 'node:assert/strict';
import path from 'node:path';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { gzipSync } from 'node:zlib';
import { kernel } from '../../src/files/kernel.js';
import type { LoadSource } from '../../src/load/archive-entries.js';
import { loadImages, type LoadOptions } from '../../src/load/load-images.js';
import type { LoadReport } from '../../src/load/load-report.js';
import type { Digest } from '../../src/model/digest.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import type { Store } from '../../src/stores/store.js';
import { layoutArchive, layoutEntries, type LayoutOptions } from '../fixtures/archive-builder.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { example, FAMILIAR, type Example } from '../fixtures/example.js';
import { chunksOf, load, ORDERS } from '../fixtures/loading.js';
import { pipeFromTest } from '../fixtures/named-pipe.js';
import { openFiles } from '../fixtures/open-files.js';
import { refuses } from '../fixtures/refusals.js';
import { HOST } from '../fixtures/saved-archive.js';
import { mountTmpfs } from '../fixtures/small-disk.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';
import { leasesOf, onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';

/** A pipe read by a thread, a pipe read as a stream, and a stream whose large bodies go to threads. */
type Way = 'pipe' | 'plain pipe' | 'threads';

const hasCalls = kernel() !== undefined;
const WAYS: readonly Way[] = hasCalls ? ['pipe', 'threads'] : ['threads'];
const noCalls = !hasCalls && 'the package koffi is not here';

test('reads pipes by a thread', { skip: noCalls }, () => assert.ok(WAYS.includes('pipe')));

/** Images with layers that are poured, not read. */
const LAYER_BYTES = 900_000;
const built = example({ layers: 2, layerBytes: LAYER_BYTES, compression: 'none' });

const archiveOf = async (image: Example, options: LayoutOptions = {}): Promise<Buffer> =>
  await layoutArchive(image.images, image.blobs, options);

/** Loads bytes that come piece by piece. `stalls`: nothing says that they were all. */
async function loadPiped(
  t: TestContext,
  store: Store,
  bytes: Buffer,
  { stalls = false, way = 'pipe', ...options }: LoadOptions & { stalls?: boolean; way?: Way } = {},
): Promise<LoadReport> {
  const { source, writer, end } = way === 'threads' ? throughStream() : await throughPipe(t, way);
  const before = openFiles();
  if (stalls) writer.write(bytes);
  else writer.end(bytes);
  try {
    return await loadImages(store, source, { hostPlatform: HOST, threads: way === 'threads', ...options });
  } finally {
    const open = openFiles();
    assert.ok(open <= before, `${open - before} descriptors stayed open`);
    end();
    writer.destroy();
  }
}

interface Through {
  readonly source: LoadSource;
  readonly writer: Writable;
  readonly end: () => void;
}

async function throughPipe(t: TestContext, way: Way): Promise<Through> {
  const { fd, ...rest } = await pipeFromTest(t);
  return { source: { fd, native: way === 'pipe' }, ...rest };
}

/** In pieces of odd sizes, as they come from a connection. */
function throughStream(): Through {
  const stream = new PassThrough({ readableHighWaterMark: 70_001 });
  return { source: chunked(stream), writer: stream, end: () => {} };
}

async function* chunked(stream: Readable): AsyncGenerator<Buffer> {
  for await (const chunk of stream) yield* chunksOf(chunk as Buffer, 65_000);
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
    onEachStore(`loads ${what} from a pipe, and by threads, as from a stream, ${platforms.join()}`, async (open, t) => {
      const streamed = await open();
      const [first, second] = [
        await load(streamed, archive, { platforms }),
        await load(streamed, archive, { platforms }),
      ];
      for (const way of WAYS) {
        const piped = await open();
        assert.deepEqual(await loadPiped(t, piped, archive, { platforms, way }), first);
        assert.deepEqual(await stateOf(piped), await stateOf(streamed));
        assert.deepEqual(await loadPiped(t, piped, archive, { platforms, way }), second);
        assert.deepEqual(await leasesOf(piped), []);
      }
    });
  }
}

for (const way of WAYS) {
  onEachStore(`refuses a damaged layer by way of ${way}, unless nobody asked for it`, async (open, t) => {
    for (const order of ORDERS) {
      const store = await open();
      const bytes = withFlip(await archiveOf(built, { order }), built, firstLayerOf(built, 'linux/arm64'));
      await refuses(store, async () => await loadPiped(t, store, bytes, { way }), { code: 'ERR_DIGEST_MISMATCH' });
      await loadPiped(t, store, bytes, { platforms: ['linux/amd64'], way });
    }
  });

  onEachStore(
    `keeps what was whole of an archive that is cut, by way of ${way}, for the next load`,
    async (open, t) => {
      const archive = await archiveOf(built);
      for (const part of [0.3, 0.7, 0.99]) {
        const store = await open();
        const cut = archive.subarray(0, Math.floor(archive.length * part));
        await assert.rejects(loadPiped(t, store, cut, { way }), { code: 'ERR_ARCHIVE_TRUNCATED' });
        const left = await stateOf(store);
        assert.deepEqual(left.images, []);
        const { blobs } = await loadPiped(t, store, archive, { way });
        assert.equal(blobs.present, left.blobs.length);
      }
    },
  );

  test(`reports a full disk at once by way of ${way}, though more of the blob is still to come`, async (t) => {
    const folder = await mountTmpfs(t, '1m');
    if (folder === undefined) return;
    const store = await OciLayoutStore.open(`${folder}/store`);
    const image = example({ layers: 1, layerBytes: 6_000_000, compression: 'none' });
    const sent = (await archiveOf(image)).subarray(0, 4_500_000);
    await assert.rejects(loadPiped(t, store, sent, { stalls: true, way }), { code: 'ERR_NO_SPACE' });
    assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
  });
}

for (const way of [...WAYS, 'plain pipe'] as const) {
  test(`ends when it is aborted while nothing comes, and finds the rest again, by way of ${way}`, async (t) => {
    const archive = await archiveOf(built);
    for (const part of [0, 0.001, 0.3, 0.7]) {
      const store = await OciLayoutStore.open(await temporaryFolder(t));
      const controller = new AbortController();
      setTimeout(() => controller.abort(), 300);
      const sent = archive.subarray(0, Math.floor(archive.length * part));
      const work = loadPiped(t, store, sent, { stalls: true, way, signal: controller.signal });
      await assert.rejects(work, { code: 'ERR_ABORTED' });
      assert.deepEqual(await store.list(), []);
      assert.equal((await loadPiped(t, store, archive, { way })).images.length, 1);
    }
  });
}

test('loads as a stream where native calls are not wanted', async (t) => {
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  const { fd, writer, end } = await pipeFromTest(t);
  writer.end(await archiveOf(built));
  const report = await loadImages(store, { fd }, { hostPlatform: HOST });
  assert.equal(report.images.length, 1);
  end();
});

onEachStore('follows links of a layout', async (open, t) => {
  const plain = await open();
  await load(plain, await archiveOf(built));
  const entries = layoutEntries(built.images, built.blobs).flatMap((entry): TarEntry[] => {
    if (!/^blobs\/sha256\/\w/.test(entry.name)) return [entry];
    const file = `files/${path.basename(entry.name)}`;
    return [
      { ...entry, name: file },
      { name: entry.name, type: 'symlink', linkname: `../../${file}` },
    ];
  });
  for (const way of WAYS) {
    const store = await open();
    await loadPiped(t, store, await tarOf(entries), { way });
    assert.deepEqual(await stateOf(store), await stateOf(plain));
  }
});
