import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { removeImages } from '../../src/edit/remove-images.js';
import { removePlatforms } from '../../src/edit/remove-platforms.js';
import { tagImage } from '../../src/edit/tag-image.js';
import { listImages } from '../../src/inspect/list-images.js';
import type { LoadSource } from '../../src/load/archive-entries.js';
import type { Digest } from '../../src/model/digest.js';
import type { Store } from '../../src/stores/store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { closureOf } from '../fixtures/blob-set.js';
import { output } from '../fixtures/command.js';
import { example, FAMILIAR, NAME, PLATFORMS, sorted, type Example } from '../fixtures/example.js';
import { chunksOf, load, loadLayout, ORDERS, statesOf } from '../fixtures/loading.js';
import { buildIndex } from '../fixtures/manifest-builder.js';
import { onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';

type Form = (built: Example, folder: string) => Promise<LoadSource>;

const toFile: Form = async ({ images, blobs }, folder) => {
  const file = path.join(folder, 'archive.tar');
  await writeFile(file, await layoutArchive(images, blobs, { order: 'blobs-first' }));
  return file;
};

const toFolder: Form = async (built, folder) => {
  const layout = path.join(folder, 'layout');
  await mkdir(layout, { recursive: true });
  await output('tar', ['-xf', (await toFile(built, folder)) as string, '-C', layout]);
  return layout;
};

/** Every way to hand an archive to a load. */
const FORMS = new Map<string, Form>([
  ...ORDERS.map((order): [string, Form] => [
    `pipe ${order}`,
    async ({ images, blobs }) => chunksOf(await layoutArchive(images, blobs, { order })),
  ]),
  ['file', toFile],
  ['folder', toFolder],
]);

const [A, B, C] = PLATFORMS;
const SEQUENCES = [
  [[A], [B], [C]],
  [[C], [A], [B]],
  [[B], [C, B]],
  [[A, B, C], [A]],
];

/** What one load of the platforms stores. */
function blobsFor(built: Example, platforms: Iterable<string>): readonly Digest[] {
  const parts = [...platforms].map((platform) => {
    const attestation = built.attestations.get(platform);
    return [...closureOf(built.blobs, built.of(platform)), ...(attestation ? closureOf(built.blobs, attestation) : [])];
  });
  return sorted(built.root.digest, ...parts);
}

async function blobsIn(store: Store): Promise<readonly Digest[]> {
  return (await stateOf(store)).blobs;
}

for (const [form, sourceOf] of FORMS) {
  onEachStore(`loads that follow each other store what one load of all would, from a ${form}`, async (open, t) => {
    const built = example({ attestations: true, sharedLayer: true });
    const folder = await temporaryFolder(t);
    for (const sequence of SEQUENCES) {
      const store = await open();
      const asked = new Set<string>();
      for (const platforms of sequence) {
        await load(store, await sourceOf(built, folder), { platforms });
        platforms.forEach((platform) => asked.add(platform));
        assert.deepEqual(await blobsIn(store), blobsFor(built, asked));
        const [image] = (await listImages(store)).images;
        const states = PLATFORMS.map((platform) => [platform, asked.has(platform) ? 'complete' : 'missing']);
        assert.deepEqual(statesOf(image), Object.fromEntries(states));
      }
      await load(store, await sourceOf(built, folder));
      assert.deepEqual((await stateOf(store)).images, [{ name: NAME, descriptor: built.root }]);
      assert.deepEqual(await blobsIn(store), blobsFor(built, PLATFORMS));
    }
  });

  onEachStore(`a load does not bring a removed platform back, from a ${form}`, async (open, t) => {
    const built = example({ attestations: true, sharedLayer: true });
    const folder = await temporaryFolder(t);
    const store = await open();
    await load(store, await sourceOf(built, folder));
    await removePlatforms(store, FAMILIAR, [B]);
    await load(store, await sourceOf(built, folder), { platforms: [A] });
    assert.deepEqual(await blobsIn(store), blobsFor(built, [A, C]));
  });
}

onEachStore('an archive of one platform keeps no room for the others', async (open) => {
  const built = example();
  const store = await open();
  const only = new Set(blobsFor(built, [A]));
  await loadLayout(store, built.images, built.blobs, { layout: { only } });
  await loadLayout(store, built.images, built.blobs, { platforms: [B], layout: { order: 'blobs-first' } });
  assert.deepEqual(await blobsIn(store), blobsFor(built, [A, B]));
});

onEachStore('a load that drops referrers does not bring those back that were dropped before', async (open) => {
  const built = example({ attestations: true });
  const store = await open();
  for (const platform of [A, B]) {
    const options = { platforms: [platform], referrers: 'drop', layout: { order: 'blobs-first' } } as const;
    await loadLayout(store, built.images, built.blobs, options);
  }
  assert.deepEqual(await blobsIn(store), blobsFor({ ...built, attestations: new Map() }, [A, B]));
});

onEachStore('what another image keeps stays, and goes with that image', async (open) => {
  const built = example();
  const store = await open();
  const root = buildIndex(built.blobs, [built.of(B)]);
  await loadLayout(store, [{ root, name: 'docker.io/example/b:1' }], built.blobs);
  await loadLayout(store, built.images, built.blobs, { platforms: [A], layout: { order: 'blobs-first' } });
  assert.deepEqual(await blobsIn(store), sorted(root.digest, blobsFor(built, [A, B])));
  await removeImages(store, ['example/b:1']);
  assert.deepEqual(await blobsIn(store), blobsFor(built, [A]));
});

onEachStore('every name of an image keeps what one of them was loaded with', async (open) => {
  const built = example();
  const store = await open();
  await loadLayout(store, built.images, built.blobs, { platforms: [A] });
  await tagImage(store, FAMILIAR, 'copy:1');
  const other = [{ root: built.root, name: 'docker.io/example/app:2' }];
  await loadLayout(store, other, built.blobs, { platforms: [B], layout: { order: 'blobs-first' } });
  await removeImages(store, ['example/app:2']);
  await removeImages(store, [FAMILIAR]);
  assert.deepEqual(await blobsIn(store), blobsFor(built, [A, B]));
  await removePlatforms(store, 'copy:1', [A]);
  assert.deepEqual(await blobsIn(store), blobsFor(built, [B]));
});

onEachStore('an archive cannot tell what the store keeps', async (open) => {
  const built = example();
  const store = await open();
  const annotations = { 'dev.lading.kept': built.of(A).digest };
  await loadLayout(store, [{ root: built.root, name: NAME, annotations }], built.blobs);
  assert.deepEqual((await stateOf(store)).images, [{ name: NAME, descriptor: built.root }]);
});

for (const order of ['blobs-first', 'metadata-first'] as const) {
  for (const first of [0, 1] as const) {
    onEachStore(`two loads at the same time keep what both asked for, ${order}, ${first}`, async (open) => {
      const built = example({ sharedLayer: true });
      const store = await open();
      const bytes = await layoutArchive(built.images, built.blobs, { order });
      const [a, b] = [gate(), gate()];
      const loads = [
        load(store, pausing(bytes, a), { platforms: [A] }),
        load(store, pausing(bytes, b), { platforms: [B] }),
      ];
      // Both are in the middle of the archive; then one ends after the other.
      await Promise.all([a.reached, b.reached]);
      const gates = first === 0 ? [a, b] : [b, a];
      gates[0]?.events.emit('open');
      await loads[first];
      gates[1]?.events.emit('open');
      await Promise.all(loads);
      assert.deepEqual(await blobsIn(store), blobsFor(built, [A, B]));
    });
  }
}

/** Tells when a source has reached its wait, and ends that wait. */
interface Gate {
  readonly events: EventEmitter;
  readonly reached: Promise<unknown>;
  readonly opened: Promise<unknown>;
}

function gate(): Gate {
  const events = new EventEmitter();
  return { events, reached: once(events, 'reached'), opened: once(events, 'open') };
}

/** All bytes but the last part, then a wait for the gate, then the rest. */
async function* pausing(bytes: Buffer, { events, opened }: Gate): AsyncGenerator<Buffer> {
  const half = Math.floor(bytes.length * 0.9);
  yield bytes.subarray(0, half);
  events.emit('reached');
  await opened;
  yield bytes.subarray(half);
}

onEachStore('what an interrupted load has stored goes with a prune, though the root lists it', async (open) => {
  const built = example();
  const store = await open();
  await loadLayout(store, built.images, built.blobs, { platforms: [A] });
  const stop = new AbortController();
  const bytes = await layoutArchive(built.images, built.blobs, { order: 'blobs-first' });
  const waiting = gate();
  const aborting = load(store, pausing(bytes, waiting), { platforms: [B], signal: stop.signal });
  await waiting.reached;
  stop.abort();
  await assert.rejects(aborting, { code: 'ERR_ABORTED' });
  await store.prune({ now: Date.now() + 1000, graceMs: 0, resumeMs: 0 });
  assert.deepEqual(await blobsIn(store), blobsFor(built, [A]));
});
