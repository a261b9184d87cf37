import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadImages } from '../../src/load/load-images.js';
import type { LoadReport } from '../../src/load/load-report.js';
import { Digester, type Digest } from '../../src/model/digest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { NAME } from '../fixtures/example.js';
import { HOST } from '../fixtures/saved-archive.js';
import { endBlocks, rawHeader } from '../fixtures/tar-builder.js';
import { base256, pax } from '../stages/tar-extensions.js';
import { smallImage } from './small-archives.js';

const GIB = 1024 ** 3;
/** More than 8 GiB, the largest size that the octal digits of a size field can hold. */
const HUGE_BYTES = 9 * GIB;
const ZEROS = Buffer.alloc(1024 * 1024);
const isFull = process.env['LADING_SWEEPS'] === 'full';

/** The two ways of tar to state a size of 9 GiB. */
const HEADERS: Readonly<Record<string, (name: string) => Buffer>> = {
  'base-256 size': (name) => rawHeader({ name, size: base256(HUGE_BYTES) }),
  'PAX size': (name) => Buffer.concat([pax({ size: String(HUGE_BYTES) }), rawHeader({ name })]),
};

/** An archive with an entry of 9 GiB of zeros. It is made while it is read, by repeating one buffer. */
function* withHuge(archive: Buffer, header: Buffer): Generator<Buffer> {
  yield archive.subarray(0, -endBlocks().length);
  yield header;
  for (let sent = 0; sent < HUGE_BYTES; sent += ZEROS.length) yield ZEROS;
  yield endBlocks();
}

/** A store that keeps only digest and size of large blobs. */
function smallStore(): MemoryStore {
  return new MemoryStore({ maxBlobBytes: 64 * 1024 });
}

async function loadHuge(store: MemoryStore, archive: Buffer, header: Buffer): Promise<LoadReport> {
  const source = async function* (): AsyncGenerator<Buffer> {
    yield* withHuge(archive, header);
  };
  return await loadImages(store, source(), { hostPlatform: HOST });
}

for (const [kind, headerOf] of Object.entries(HEADERS)) {
  test(`reads past an entry of 9 GiB that no image needs: ${kind}`, async () => {
    const { blobs, root } = smallImage();
    const archive = await layoutArchive([{ root, name: NAME }], blobs);
    const store = smallStore();
    const header = headerOf(blobPath(`sha256:${'0'.repeat(64)}` as Digest));
    const report = await loadHuge(store, archive, header);
    assert.deepEqual(report.blobs, {
      stored: 3,
      present: 0,
      skipped: 1,
      bytesStored: [...blobs.values()].reduce((sum, bytes) => sum + bytes.length, 0),
      bytesSkipped: HUGE_BYTES,
    });
    assert.equal((await store.list()).length, 1);
  });

  test(`stores a needed layer of 9 GiB: ${kind}`, { skip: !isFull && 'LADING_SWEEPS is not full' }, async () => {
    const digester = new Digester();
    for (let sent = 0; sent < HUGE_BYTES; sent += ZEROS.length) digester.update(ZEROS);
    const layer = { mediaType: MEDIA_TYPES.ociLayer, digest: digester.digest(), size: HUGE_BYTES };
    const blobs = new BlobSet();
    const diffIds = { type: 'layers', diff_ids: [layer.digest] };
    const config = blobs.document({ os: 'linux', architecture: 'amd64', rootfs: diffIds }, MEDIA_TYPES.ociConfig);
    const root = blobs.document({ schemaVersion: 2, config, layers: [layer] }, MEDIA_TYPES.ociManifest);
    const store = smallStore();
    const archive = await layoutArchive([{ root, name: NAME }], blobs);
    const report = await loadHuge(store, archive, headerOf(blobPath(layer.digest)));
    assert.equal(report.blobs.bytesStored, HUGE_BYTES + config.size + root.size);
    assert.deepEqual(
      report.images[0]?.platforms.map(({ state }) => state),
      ['complete'],
    );
    assert.deepEqual(await store.stat(layer.digest), { size: HUGE_BYTES, bytes: undefined });
  });
}
