import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { removeImages } from '../../src/edit/remove-images.js';
import { exportEntries } from '../../src/export/export-entries.js';
import { planExport } from '../../src/export/plan-export.js';
import { loadEntries, type LoadOutcome } from '../../src/load/load-entries.js';
import { loadRequestOf } from '../../src/load/load-images.js';
import type { ArchiveEntry } from '../../src/stages/records.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { example, FAMILIAR, NAME, PLATFORMS, sorted } from '../fixtures/example.js';
import { loadLayout, statesOf } from '../fixtures/loading.js';
import { HOST } from '../fixtures/saved-archive.js';
import { leasesOf, stateOf, temporaryFolder } from '../fixtures/stores.js';

const OPENERS: Readonly<Record<string, (t: TestContext) => Promise<Store>>> = {
  memory: async () => new MemoryStore(),
  layout: async (t) => await OciLayoutStore.open(await temporaryFolder(t)),
};

/** Copies images from one store to another: the entries of a plan into a load. */
async function copy(
  from: Store,
  to: Store,
  {
    platforms = [],
    onEntry,
  }: { readonly platforms?: readonly string[]; readonly onEntry?: (entry: ArchiveEntry) => Promise<void> } = {},
): Promise<LoadOutcome> {
  const plan = await planExport(from, [FAMILIAR], { platforms, hostPlatform: HOST });
  const reader = await from.reader();
  const entries = async function* (): AsyncGenerator<ArchiveEntry> {
    for await (const entry of exportEntries(reader, plan)) {
      await onEntry?.(entry);
      yield entry;
    }
  };
  try {
    return await loadEntries(to, entries(), loadRequestOf({ platforms, hostPlatform: HOST }));
  } finally {
    await reader.end();
  }
}

for (const [source, openSource] of Object.entries(OPENERS)) {
  for (const [target, openTarget] of Object.entries(OPENERS)) {
    test(`copies an image from a ${source} store to a ${target} store, and again without a byte`, async (t) => {
      const built = example({ attestations: true });
      const [from, to] = [await openSource(t), await openTarget(t)];
      await loadLayout(from, built.images, built.blobs);
      const { report } = await copy(from, to);
      assert.deepEqual(await stateOf(to), await stateOf(from));
      assert.equal(report.blobs.stored, built.blobs.size);
      const again = await copy(from, to);
      assert.deepEqual([again.report.blobs.stored, again.report.moved], [0, []]);
      assert.deepEqual([await leasesOf(from), await leasesOf(to)], [[], []]);
    });

    test(`copies one platform from a ${source} store to a ${target} store`, async (t) => {
      const built = example();
      const [from, to] = [await openSource(t), await openTarget(t)];
      await loadLayout(from, built.images, built.blobs);
      const { report } = await copy(from, to, { platforms: ['linux/arm64'] });
      assert.deepEqual(statesOf(report.images[0]), { 'linux/arm64': 'complete' });
      const { images, blobs } = await stateOf(to);
      assert.deepEqual(
        images.map(({ name, descriptor }) => [name, descriptor.digest]),
        [[NAME, built.of('linux/arm64').digest]],
      );
      const { config, layers = [] } = built.blobs.links(built.of('linux/arm64').digest);
      const parts = [config, ...layers].map((part) => part?.digest ?? built.root.digest);
      assert.deepEqual(blobs, sorted(built.of('linux/arm64').digest, parts));
    });
  }
}

test('reads bodies to the end of the load, also of an image that is removed meanwhile', async (t) => {
  const built = example({ layerBytes: 300_000 });
  const from = await OciLayoutStore.open(await temporaryFolder(t));
  const to = new MemoryStore();
  await loadLayout(from, built.images, built.blobs);
  let isRemoved = false;
  const onEntry = async (): Promise<void> => {
    if (isRemoved) return;
    isRemoved = true;
    await removeImages(from, [FAMILIAR]);
    await from.prune({ now: Date.now(), graceMs: 0 });
  };
  const { report } = await copy(from, to, { onEntry });
  assert.equal(
    Object.values(statesOf(report.images[0])).filter((state) => state === 'complete').length,
    PLATFORMS.length,
  );
  await from.prune({ now: Date.now(), graceMs: 0 });
  assert.deepEqual((await stateOf(from)).blobs, []);
});

test('leaves nothing where a blob of the source is damaged', async (t) => {
  const built = example();
  const from = new MemoryStore();
  const to = await OciLayoutStore.open(await temporaryFolder(t));
  await loadLayout(from, built.images, built.blobs);
  const [layer] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  const damage = async (entry: ArchiveEntry): Promise<void> => {
    if (entry.name.endsWith(layer?.digest.slice(7) ?? '')) {
      Object.assign(entry, { body: [Buffer.alloc(entry.size)] });
    }
  };
  await assert.rejects(copy(from, to, { onEntry: damage }), { code: 'ERR_DIGEST_MISMATCH' });
  assert.deepEqual(await stateOf(to), { images: [], blobs: [] });
  assert.deepEqual(await leasesOf(to), []);
});
