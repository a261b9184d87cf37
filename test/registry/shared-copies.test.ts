import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { copyToRegistry } from '../../src/copy/copy-to-registry.js';
import { SharedWork } from '../../src/copy/shared-work.js';
import { parseRegistryReference, repositoryOf } from '../../src/registry/registry-name.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { example, NAME, type Example } from '../fixtures/example.js';
import { FaultProxy, type SeenRequest } from '../fixtures/fault-proxy.js';
import { openRegistries } from '../fixtures/registries.js';
import { fill } from '../fixtures/stores.js';

const registryFor = sharedRegistry();

/** Images of one platform each that have most of their layers in common. */
function related(seed: string): Example {
  const layers = ['common-1', 'common-2', 'common-3', `own-${seed}`];
  return example({ platforms: ['linux/amd64'], layers, layerBytes: 200_000, compression: 'none', seed });
}

/** Pushes images at the same time, each to its repository. */
async function pushTogether(t: TestContext, proxy: FaultProxy, images: readonly [Example, repository: string][]) {
  const registries = openRegistries(t);
  const work = new SharedWork(4);
  await Promise.all(
    images.map(async ([{ blobs, root }, repository], at) => {
      const store = new MemoryStore();
      await fill(store, [{ name: NAME, descriptor: root }], blobs);
      const place = repositoryOf(parseRegistryReference(`${proxy.host}/${repository}`));
      const destination = registries.destination(place, { tag: `t${at}`, blobJobs: 4 });
      const report = await copyToRegistry(store, destination, [NAME], { shared: { work, place: proxy.host } });
      assert.equal(report.images[0]?.digest, root.digest);
    }),
  );
}

/** The bytes of bodies that were sent, without documents. */
function sentBytes(seen: readonly SeenRequest[]): number {
  return seen
    .filter(({ method, url }) => /^P(?:UT|ATCH)$/.test(method) && url.includes('/blobs/uploads/'))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

function distinctBytes(images: readonly Example[]): number {
  const sizes = new Map(
    images.flatMap(({ blobs, manifests }) =>
      [...manifests.values()].flatMap(({ digest }) => {
        const { config, layers = [] } = blobs.links(digest);
        return [...(config === undefined ? [] : [config]), ...layers].map((blob) => [blob.digest, blob.size] as const);
      }),
    ),
  );
  return [...sizes.values()].reduce((sum, size) => sum + size, 0);
}

for (const [what, repositoryAt] of [
  ['one repository', () => 'together/one'],
  ['several repositories', (at: number) => `together/several-${at}`],
] as const) {
  test(`sends a blob once that images need which are pushed at the same time to ${what}`, async (t) => {
    const registry = await registryFor(t);
    if (registry === undefined) return;
    const proxy = await FaultProxy.start(t, registry.port);
    const images = Array.from({ length: 6 }, (_, at) => related(`${what}-${at}`));
    await pushTogether(
      t,
      proxy,
      images.map((image, at) => [image, repositoryAt(at)]),
    );
    assert.equal(sentBytes(proxy.seen), distinctBytes(images));
    const mounted = proxy.requests('POST', /mount=/).length;
    assert.equal(mounted > 0, what !== 'one repository');
  });
}

test('sends a blob itself if the copy that it waited for has failed', async () => {
  const work = new SharedWork(2);
  const failing = work.once('a', 'sha256:x' as never, {
    find: async () => undefined,
    work: async () => await Promise.reject(new Error('cut')),
  });
  const other = work.once('a', 'sha256:x' as never, { find: async () => undefined, work: async () => 'stored' });
  await assert.rejects(failing, /cut/);
  assert.equal(await other, 'stored');
});
