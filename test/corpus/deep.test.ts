import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { inspectArchive } from '../../src/inspect/inspect-archive.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import { digestOf } from '../../src/model/digest.js';
import type { ErrorCode } from '../../src/model/errors.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { verifyImages } from '../../src/verify/verify-images.js';
import { blobPath, jsonEntry } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { IS_ALL } from '../fixtures/extent.js';
import { codesOf, load } from '../fixtures/loading.js';
import { buildImage, layerTar } from '../fixtures/manifest-builder.js';
import { temporaryFolder } from '../fixtures/stores.js';
import { tarOf } from '../fixtures/tar-builder.js';
import { base, BASE_NAME, layoutOf } from './corpus.js';
import { assertPrintable, openArchive, runOn } from './faces.js';

const TAR = layerTar('deep', 3000);

/** A layer as it is stored, the type in its descriptor, and its diff id in the config. */
interface Layer {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly diffId: string;
}

const GZIP: Layer = { bytes: gzipSync(TAR), mediaType: MEDIA_TYPES.ociLayerGzip, diffId: digestOf(TAR) };
const PLAIN: Layer = { bytes: TAR, mediaType: MEDIA_TYPES.ociLayer, diffId: digestOf(TAR) };

/** An archive of an image with this one layer. All digests of blobs are right. */
async function archiveOf({ bytes, mediaType, diffId }: Layer): Promise<Buffer> {
  const blobs = new BlobSet();
  const rootfs = { type: 'layers', diff_ids: [diffId] };
  const plain = buildImage(blobs, [TAR], { platform: 'linux/amd64', configExtra: { rootfs } });
  const document = blobs.json(plain.digest) as { readonly layers: readonly Descriptor[] };
  document.layers.forEach(({ digest }) => blobs.delete(digest));
  const layers = [blobs.descriptor(bytes, mediaType)];
  const root = blobs.document({ ...document, layers }, plain.mediaType, plain.platform && { platform: plain.platform });
  blobs.delete(plain.digest);
  return await tarOf(layoutOf([{ root, name: BASE_NAME }], blobs));
}

const BOMB = gzipSync(Buffer.alloc(256 * 1024 * 1024));

/** The result of deep verification for layers whose digests are right. */
const CASES: readonly (readonly [what: string, code: ErrorCode | undefined, layer: Layer])[] = [
  ['a packed layer', undefined, GZIP],
  ['a layer that is not packed', undefined, PLAIN],
  ['an empty layer', undefined, { bytes: Buffer.alloc(0), mediaType: PLAIN.mediaType, diffId: digestOf('') }],
  ['a media type that is not for layers', undefined, { ...GZIP, mediaType: 'application/vnd.in-toto+json' }],
  ['a packed layer with Docker’s media type', undefined, { ...GZIP, mediaType: MEDIA_TYPES.dockerLayerGzip }],
  ['a wrong diff id of a packed layer', 'ERR_DIFF_ID_MISMATCH', { ...GZIP, diffId: digestOf('other') }],
  ['a wrong diff id of a layer that is not packed', 'ERR_DIFF_ID_MISMATCH', { ...PLAIN, diffId: digestOf('other') }],
  ['gzip of 256 MiB of zeros', 'ERR_LIMIT_RATIO', { ...GZIP, bytes: BOMB }],
  ['gzip cut short', 'ERR_COMPRESSED_DATA', { ...GZIP, bytes: GZIP.bytes.subarray(0, -20) }],
  ['gzip with bytes behind it', 'ERR_COMPRESSED_DATA', { ...GZIP, bytes: Buffer.concat([GZIP.bytes, TAR]) }],
  ['gzip’s media type for a layer that is not packed', 'ERR_MEDIA_TYPE', { ...PLAIN, mediaType: GZIP.mediaType }],
  ['a plain tar’s media type for gzip', 'ERR_MEDIA_TYPE', { ...GZIP, mediaType: PLAIN.mediaType }],
  ['zstd’s media type for gzip', 'ERR_MEDIA_TYPE', { ...GZIP, mediaType: MEDIA_TYPES.ociLayerZstd }],
  ['gzip’s media type for an empty layer', 'ERR_MEDIA_TYPE', { ...GZIP, bytes: Buffer.alloc(0), diffId: digestOf('') }],
];

test('has 14 cases of layers for deep verification', () => assert.equal(CASES.length, 14));

for (const [what, code, layer] of CASES) {
  const expected = code === undefined ? [] : [code];
  test(`deep verification of ${what}: ${code ?? 'sound'}`, async (t) => {
    const archive = await archiveOf(layer);
    const directory = await temporaryFolder(t);
    for (const store of [new MemoryStore(), await OciLayoutStore.open(directory)]) {
      await load(store, archive);
      assert.deepEqual(codesOf((await verifyImages(store)).problems), []);
      assert.deepEqual(codesOf((await verifyImages(store, [], { deep: true })).problems), expected);
    }
    assert.deepEqual(codesOf((await verifyArchive(openArchive(archive))).problems), []);
    const { problems, images } = await verifyArchive(openArchive(archive), { deep: true });
    assert.deepEqual(codesOf(problems), expected);
    assert.equal(images[0]?.platforms[0]?.state, 'complete');
    const faces = [
      ['--archive', '-'],
      ['--store', directory],
    ];
    for (const args of IS_ALL ? faces : []) {
      const run = await runOn(
        t,
        () => openArchive(archive),
        () => ['verify', '--deep', ...args],
      );
      assert.equal(run.status, code === undefined ? 0 : 5, run.stderr);
      if (code !== undefined) assert.match(run.stdout, new RegExp(`^damaged: .*\\[${code}\\]$`, 'm'));
      assertPrintable(run.stdout);
    }
  });
}

test('a platform that differs from the config is a warning, and damage if strict', async (t) => {
  const blobs = new BlobSet();
  const image = buildImage(blobs, [TAR], { platform: 'linux/amd64' });
  const root = { ...image, platform: { os: 'linux', architecture: 's390x' } };
  const archive = await tarOf(layoutOf([{ root, name: BASE_NAME }], blobs));
  const store = await OciLayoutStore.open(await temporaryFolder(t));
  await load(store, archive);
  for (const verify of [
    async (strict: boolean) => await verifyImages(store, [], { strict }),
    async (strict: boolean) => await verifyArchive(openArchive(archive), { strict }),
  ]) {
    const { problems, warnings } = await verify(false);
    assert.deepEqual([codesOf(problems), codesOf(warnings)], [[], ['WARN_PLATFORM_MISMATCH']]);
    assert.deepEqual(codesOf((await verify(true)).problems), ['ERR_PLATFORM_MISMATCH']);
  }
  const [inspection] = (await inspectArchive(openArchive(archive))).images;
  assert.deepEqual(codesOf(inspection?.warnings ?? []), ['WARN_PLATFORM_MISMATCH']);
});

for (const isPacked of [true, false]) {
  test(`an archive of blobs without a layout can be inspected and verified (packed: ${isPacked})`, async () => {
    const { blobs, of } = base();
    const { config } = blobs.links(of('linux/amd64').digest);
    assert.ok(config);
    const layer = blobs.add(isPacked ? GZIP.bytes : TAR);
    const document = {
      ...(blobs.json(config.digest) as object),
      rootfs: { type: 'layers', diff_ids: [digestOf(TAR)] },
    };
    const described = blobs.document(document, MEDIA_TYPES.dockerConfig);
    const listed = { Config: blobPath(described.digest), RepoTags: ['example/app:1'], Layers: [blobPath(layer)] };
    const files = [described.digest, layer].map((digest) => ({ name: blobPath(digest), body: blobs.bytes(digest) }));
    const archive = await tarOf([...files, jsonEntry('manifest.json', [listed])]);
    const [inspection] = (await inspectArchive(openArchive(archive))).images;
    assert.equal(inspection?.name, BASE_NAME);
    for (const deep of [false, true]) {
      const { images, problems } = await verifyArchive(openArchive(archive), { deep });
      assert.deepEqual([images[0]?.name, problems], [BASE_NAME, []]);
    }
  });
}
