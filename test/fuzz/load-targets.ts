import assert from 'node:assert/strict';
import { gzipSync } from 'node:zlib';
import type { ContentProvider } from '../../src/content/content-provider.js';
import { loadImages } from '../../src/load/load-images.js';
import type { LoadReport } from '../../src/load/load-report.js';
import type { Digest } from '../../src/model/digest.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import type { LinkFields } from '../fixtures/blob-set.js';
import { chunksOf } from '../fixtures/loading.js';
import { bytesOf, HOST } from '../fixtures/saved-archive.js';
import type { SeededRandom } from '../fixtures/seeded.js';
import { stateOf } from '../fixtures/stores.js';
import { dockerInput, layoutInput } from './load-inputs.js';
import { resultOf, type FuzzTarget } from './target.js';

/** Lists of platforms. The empty one is twice as likely as each other. */
const REQUESTS = [[], [], ['linux/amd64'], ['linux/arm64', 'linux/amd64'], ['local']] as const;

/** Whole loads into a memory store. */
export const loadTargets: readonly FuzzTarget[] = [
  { name: 'load', make: layoutInput, check: checkLoad },
  { name: 'docker-archive', make: dockerInput, check: checkLoad },
];

async function checkLoad(archive: Buffer, random: SeededRandom): Promise<void> {
  const platforms = random.pick(REQUESTS);
  const first = await loadInto(archive, platforms, 65_536);
  assertAlike(await loadInto(archive, platforms, 1 + random.int(2000)), first, 'in other chunks');
  if (random.int(20) === 0) {
    assertAlike(await loadInto(gzipSync(archive, { level: 1 }), platforms, 65_536), first, 'in gzip');
  }
}

/** Two refusals count as equal: of two faults in an archive, a load reports the one that it reaches first. */
function assertAlike(actual: Loaded, expected: Loaded, how: string): void {
  if ('code' in actual && 'code' in expected) return;
  assert.deepEqual(actual, expected, `another result ${how}`);
}

type Loaded = Awaited<ReturnType<typeof resultOf<LoadReport>>>;

/** The result of a load. Asserts that the store matches it. */
async function loadInto(archive: Buffer, platforms: readonly string[], chunkBytes: number): Promise<Loaded> {
  const store = new MemoryStore();
  const options = { platforms, hostPlatform: HOST, missingPlatforms: 'skip' } as const;
  const result = await resultOf(async () => await loadImages(store, chunksOf(archive, chunkBytes), options));
  // A pipe that ends too early leaves its whole blobs, without a name, until the resume time is over.
  if ('code' in result && result.code === 'ERR_ARCHIVE_TRUNCATED') {
    await store.prune({ now: Date.now() + 1000, graceMs: 0, resumeMs: 0 });
  }
  const state = await stateOf(store);
  if ('code' in result) assert.deepEqual(state, { images: [], blobs: [] }, 'a refused load left something');
  else await checkCommitted(store, result.value, state.blobs);
  return result;
}

async function checkCommitted(store: Store, report: LoadReport, blobs: readonly Digest[]): Promise<void> {
  const records = await store.list();
  for (const { name, digest, platforms } of report.images) {
    assert.ok(
      records.some((record) => record.name === name && record.descriptor.digest === digest),
      `${name} is not listed`,
    );
    for (const found of platforms) {
      if (found.state === 'complete' && found.digest) assert.deepEqual(await missingUnder(store, found.digest), []);
    }
  }
  const kept = new Set(
    (await Promise.all(records.map(({ descriptor }) => reachedFrom(store, descriptor.digest)))).flat(),
  );
  assert.deepEqual(
    blobs.filter((digest) => !kept.has(digest)),
    [],
    'blobs that nothing refers to',
  );
}

/** Content that a manifest needs and the store lacks, except layers that may not be distributed. */
async function missingUnder(store: ContentProvider, manifest: Digest): Promise<readonly Digest[]> {
  const { config, layers = [] } = (await linksOf(store, manifest)) ?? {};
  const needed = [
    ...(config === undefined ? [] : [config]),
    ...layers.filter(({ mediaType }) => !/foreign|nondistributable/.test(mediaType)),
  ];
  const missing: Digest[] = (await store.stat(manifest, 'blob')) === undefined ? [manifest] : [];
  for (const { digest, size } of needed) if ((await store.stat(digest, 'blob'))?.size !== size) missing.push(digest);
  return missing;
}

/** Every digest that a walk over all content that looks like a document reaches. */
async function reachedFrom(store: ContentProvider, root: Digest): Promise<readonly Digest[]> {
  const reached = new Set([root]);
  for (const digest of reached) {
    const { manifests = [], config, layers = [] } = (await linksOf(store, digest)) ?? {};
    for (const child of [...manifests, ...(config === undefined ? [] : [config]), ...layers]) reached.add(child.digest);
  }
  return [...reached];
}

async function linksOf(store: ContentProvider, digest: Digest): Promise<LinkFields | undefined> {
  if ((await store.stat(digest, 'blob')) === undefined) return undefined;
  try {
    // Not checked: a walk over anything else finds no fields.
    const value = JSON.parse(
      (await bytesOf(store.open(digest, { kind: 'blob' }))).toString('utf8'),
    ) as LinkFields | null;
    return value ?? undefined;
  } catch {
    return undefined;
  }
}
