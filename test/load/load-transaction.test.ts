import assert from 'node:assert/strict';
import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Digest } from '../../src/model/digest.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import type { Store } from '../../src/stores/store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { closureOf, type BlobSet } from '../fixtures/blob-set.js';
import { example, NAME, sorted } from '../fixtures/example.js';
import { codesOf, load, loadLayout, ORDERS } from '../fixtures/loading.js';
import { leasesOf, namesOf, onEachStore, stateOf } from '../fixtures/stores.js';
import { watchIngests } from '../fixtures/watch-ingests.js';

/** A list of the files in `blobs/` that would show any write: name, inode and time. */
async function filesOf(store: Store): Promise<readonly string[]> {
  if (!(store instanceof OciLayoutStore)) return [];
  const folder = path.join(store.directory, 'blobs', 'sha256');
  const names = (await readdir(folder)).toSorted();
  return await Promise.all(
    names.map(async (name) => {
      const { ino, mtimeMs, size } = await stat(path.join(folder, name));
      return `${name} ${ino} ${mtimeMs} ${size}`;
    }),
  );
}

for (const order of ORDERS) {
  onEachStore(`writes no blob when an archive is loaded again, order ${order}`, async (open) => {
    const store = await open();
    const { images, blobs } = example({ attestations: true });
    const first = await loadLayout(store, images, blobs, { layout: { order } });
    assert.deepEqual(first.blobs, {
      stored: blobs.size,
      present: 0,
      skipped: 0,
      bytesStored: bytesIn(blobs),
      bytesSkipped: 0,
    });
    const before = await filesOf(store);
    const again = await loadLayout(store, images, blobs, { layout: { order } });
    assert.deepEqual(again.blobs, { stored: 0, present: blobs.size, skipped: 0, bytesStored: 0, bytesSkipped: 0 });
    assert.deepEqual(await filesOf(store), before);
  });
}

function bytesIn(blobs: BlobSet, digests: Iterable<Digest> = blobs.keys()): number {
  return [...digests].reduce((sum, digest) => sum + blobs.bytes(digest).length, 0);
}

for (const order of ORDERS) {
  onEachStore(`stores only the chosen platform and the index in a filtered load, order ${order}`, async (open) => {
    const store = await open();
    const { images, blobs, root, of } = example({ sharedLayer: true });
    const report = await loadLayout(store, images, blobs, { platforms: ['linux/arm/v7'], layout: { order } });
    const wanted = sorted(root.digest, closureOf(blobs, of('linux/arm/v7')));
    assert.deepEqual((await stateOf(store)).blobs, wanted);
    assert.deepEqual(report.blobs, {
      stored: wanted.length,
      present: 0,
      skipped: blobs.size - wanted.length,
      bytesStored: bytesIn(blobs, wanted),
      bytesSkipped: bytesIn(blobs) - bytesIn(blobs, wanted),
    });
  });
}

onEachStore('writes no unwanted layer of a metadata-first archive, not even for a moment', async (open) => {
  const store = await open();
  const { images, blobs, root, of, attestations } = example({ attestations: true, layerBytes: 20_000 });
  const attestation = attestations.get('linux/arm64');
  assert.ok(attestation);
  let written = 0;
  const watched = watchIngests(store, { onWrite: (bytes) => (written += bytes) });
  await load(watched, await layoutArchive(images, blobs), { platforms: ['linux/arm64'] });
  const wanted = sorted(root.digest, closureOf(blobs, of('linux/arm64')), closureOf(blobs, attestation));
  assert.deepEqual((await stateOf(store)).blobs, wanted);
  const documents = [...blobs.keys()].filter((digest) => blobs.bytes(digest)[0] === '{'.charCodeAt(0));
  assert.ok(written <= bytesIn(blobs, sorted(wanted, documents)), `${written} bytes`);
});

onEachStore(
  'skips a blob that stands twice with the same bytes, wanted or not, and refuses other bytes',
  async (open) => {
    const { images, blobs } = example();
    for (const order of ['metadata-first', 'blobs-first'] as const) {
      for (const platforms of [[], ['linux/arm64']]) {
        for (const digest of blobs.keys()) {
          const twice = { name: blobPath(digest), body: blobs.bytes(digest) };
          const archive = async (body: Buffer): Promise<Buffer> =>
            await layoutArchive(images, blobs, { order, extra: [{ ...twice, body }] });
          const once = await load(await open(), await layoutArchive(images, blobs, { order }), { platforms });
          const report = await load(await open(), await archive(twice.body), { platforms });
          const skipped = once.blobs.skipped + 1;
          const bytesSkipped = once.blobs.bytesSkipped + twice.body.length;
          assert.deepEqual(report.blobs, { ...once.blobs, skipped, bytesSkipped });
          const other = Buffer.from(twice.body);
          other.writeUInt8(other.readUInt8(0) ^ 1, 0);
          await assert.rejects(load(await open(), await archive(other), { platforms }), { code: 'ERR_TAR_ENTRY' });
        }
      }
    }
  },
);

onEachStore('keeps the finished blobs of an aborted load for the next one, and shows nothing', async (open) => {
  const store = await open();
  const { images, blobs } = example({ layerBytes: 30_000 });
  const archive = await layoutArchive(images, blobs);
  const controller = new AbortController();
  let commits = 0;
  const abortAtFifth = (): void => {
    commits += 1;
    if (commits === 5) controller.abort();
  };
  const watched = watchIngests(store, { onCommit: abortAtFifth });
  await assert.rejects(load(watched, archive, { signal: controller.signal }), {
    code: 'ERR_ABORTED',
    name: 'AbortError',
  });
  assert.deepEqual(await namesOf(store), []);
  const kept = (await stateOf(store)).blobs;
  assert.ok(kept.length >= 5 && kept.length < blobs.size, `${kept.length} blobs kept`);
  if (store instanceof OciLayoutStore) {
    const leased = (await leasesOf(store)).join('\n');
    assert.ok(kept.every((digest) => leased.includes(digest)));
    assert.deepEqual((await store.prune({ now: Date.now(), graceMs: 0 })).blobs, []);
  }
  const report = await load(store, archive);
  assert.equal(report.blobs.stored + report.blobs.present, blobs.size);
  assert.equal(report.blobs.stored, blobs.size - kept.length);
  assert.deepEqual(await namesOf(store), [NAME]);
});

onEachStore('does nothing when it is aborted before it starts', async (open) => {
  const store = await open();
  const { images, blobs } = example();
  const archive = await layoutArchive(images, blobs);
  await assert.rejects(load(store, archive, { signal: AbortSignal.abort() }), { code: 'ERR_ABORTED' });
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

onEachStore('lets two loads of one archive run at once', async (open) => {
  const store = await open();
  const { images, blobs, root } = example();
  const archive = await layoutArchive(images, blobs);
  const reports = await Promise.all([load(store, archive), load(store, archive)]);
  assert.deepEqual(
    reports.flatMap(({ warnings }) => codesOf(warnings)),
    [],
  );
  const expected = { images: [{ name: NAME, descriptor: root }], blobs: sorted([...blobs.keys()]) };
  assert.deepEqual(await stateOf(store), expected);
});
