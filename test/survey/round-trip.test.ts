import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { Digest } from '../../src/model/digest.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { inOrder } from '../fixtures/archive-entries.js';
import { buildAttestation } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { sorted } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { withLongDigest } from '../fixtures/long-digest.js';
import { buildIndex, buildManifest, type MediaTypeFamily } from '../fixtures/manifest-builder.js';
import { save } from '../fixtures/saved-archive.js';
import { seededRandom } from '../fixtures/seeded.js';
import { fill, stateOf, temporaryFolder } from '../fixtures/stores.js';
import { tarOf } from '../fixtures/tar-builder.js';

/** A graph to build. Its layers come from a few seeds, so that manifests share them. */
type Shape =
  | {
      readonly kind: 'manifest';
      readonly platform: string;
      readonly hidden: boolean;
      readonly family: MediaTypeFamily;
      readonly compression: 'gzip' | 'none';
      readonly layers: readonly number[];
      readonly attested: boolean;
      readonly long: boolean;
    }
  | { readonly kind: 'index'; readonly family: MediaTypeFamily; readonly children: readonly Shape[] };

const family = fc.constantFrom<MediaTypeFamily>('oci', 'docker');
const platform = fc.constantFrom('linux/amd64', 'linux/arm64', 'linux/arm/v7', 'windows(10.0.20348.1)/amd64');

const { shape } = fc.letrec<{ shape: Shape; manifest: Shape; index: Shape }>((tie) => ({
  shape: fc.oneof({ maxDepth: 3, depthSize: 'small' }, tie('manifest'), tie('index')),
  manifest: fc.record({
    kind: fc.constant('manifest' as const),
    platform,
    hidden: fc.boolean(),
    family,
    compression: fc.constantFrom('gzip' as const, 'none' as const),
    layers: fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 3 }),
    attested: fc.boolean(),
    long: fc.boolean(),
  }),
  index: fc.record({
    kind: fc.constant('index' as const),
    family,
    children: fc.array(tie('shape'), { maxLength: 4 }),
  }),
}));

const images = fc.array(shape, { minLength: 1, maxLength: 3 });

/** The descriptors of a shape and of its attestations, in the order of an index. */
function build(blobs: BlobSet, shape: Shape): Descriptor[] {
  if (shape.kind === 'index') {
    const children = shape.children.flatMap((child) => build(blobs, child));
    return [buildIndex(blobs, children, { mediaTypes: shape.family })];
  }
  const { hidden, attested, long, layers, platform: text, compression, family: mediaTypes } = shape;
  const seed = JSON.stringify([text, layers]);
  const built = buildManifest(blobs, { platform: text, seed, layers, layerBytes: 300, compression, mediaTypes });
  const named = long ? withLongDigest(blobs, built) : built;
  const { platform: _, ...nameless } = named;
  const manifest = hidden ? nameless : named;
  return attested ? [manifest, buildAttestation(blobs, manifest, { seed })] : [manifest];
}

interface Graph {
  readonly blobs: BlobSet;
  readonly records: readonly ImageRecord[];
  readonly names: readonly string[];
  readonly reached: readonly Digest[];
}

function graphOf(shapes: readonly Shape[]): Graph {
  const blobs = new BlobSet();
  const roots = shapes.map((one) => build(blobs, one)[0]).filter((root) => root !== undefined);
  const names = roots.map((_, at) => `docker.io/example/app:${at}`);
  const records = roots.map((descriptor, at) => ({ descriptor, name: names[at] ?? '' }));
  return { blobs, records, names, reached: sorted(roots.flatMap((root) => closureOf(blobs, root))) };
}

async function storeOf({ blobs, records }: Graph): Promise<Store> {
  const store = new MemoryStore();
  await fill(store, records, blobs);
  return store;
}

const RUNS = { numRuns: 30 };

test('brings any graph through an archive, with the same roots and the same blobs', async () => {
  await fc.assert(
    fc.asyncProperty(images, async (shapes) => {
      const graph = graphOf(shapes);
      const first = await storeOf(graph);
      const { archive, plan } = await save(first, graph.names);
      assert.equal(archive.length, plan.size);
      const second = new MemoryStore();
      await load(second, archive);
      const { images: records, blobs } = await stateOf(second);
      assert.deepEqual(records.map(rootOf), graph.records.map(rootOf));
      assert.deepEqual(blobs, graph.reached);
      assert.deepEqual((await save(second, graph.names)).archive, archive);
    }),
    RUNS,
  );
});

function rootOf({ name, descriptor: { digest, mediaType, size } }: ImageRecord): unknown {
  return { name, digest, mediaType, size };
}

test('loads any graph alike, with its entries in any order', async () => {
  await fc.assert(
    fc.asyncProperty(images, fc.integer({ min: 0, max: 1000 }), async (shapes, seed) => {
      const graph = graphOf(shapes);
      const { entries } = await save(await storeOf(graph), graph.names);
      const files = [...entries].map(([name, body]) =>
        name.endsWith('/') ? { name, type: 'directory' as const } : { name, body },
      );
      const second = new MemoryStore();
      await load(second, await tarOf(inOrder(files, seed)));
      const { images: records, blobs } = await stateOf(second);
      assert.deepEqual(records.map(rootOf), graph.records.map(rootOf));
      assert.deepEqual(blobs, graph.reached);
    }),
    RUNS,
  );
});

test('loads a subset of platforms alike in any order, never more than the whole graph', async () => {
  await fc.assert(
    fc.asyncProperty(images, platform, fc.integer({ min: 0, max: 1000 }), async (shapes, wanted, order) => {
      const { blobs, records } = graphOf(shapes);
      const roots = records.map(({ name, descriptor }) => ({ root: descriptor, name: name ?? '' }));
      const results: unknown[] = [];
      for (const one of ['metadata-first', 'blobs-first', order] as const) {
        const store = new MemoryStore();
        const archive = await layoutArchive(roots, blobs, { order: one });
        const options = { platforms: [wanted], missingPlatforms: 'skip' } as const;
        const code = await load(store, archive, options).then(
          () => 'loaded',
          (error: { code: string }) => error.code,
        );
        results.push({ code, ...(await stateOf(store)) });
      }
      assert.deepEqual(results[1], results[0]);
      assert.deepEqual(results[2], results[0]);
    }),
    RUNS,
  );
});

test('stores any graph in a directory as in memory', async (t) => {
  const folder = await temporaryFolder(t);
  const random = seededRandom('directories');
  await fc.assert(
    fc.asyncProperty(images, async (shapes) => {
      const graph = graphOf(shapes);
      const { archive } = await save(await storeOf(graph), graph.names);
      const store = await OciLayoutStore.open(`${folder}/${random.int(2 ** 40)}`);
      await load(store, archive);
      assert.deepEqual((await stateOf(store)).blobs, graph.reached);
      assert.deepEqual((await save(store, graph.names)).archive, archive);
    }),
    { numRuns: 8 },
  );
});
