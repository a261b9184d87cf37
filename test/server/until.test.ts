import assert from 'node:assert/strict';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { tagImage } from '../../src/edit/tag-image.js';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import { loadImages } from '../../src/load/load-images.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { bodyOf, filtersQuery } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { fill, temporaryFolder } from '../fixtures/stores.js';

const HOUR = 3_600_000;
const START = Date.parse('2030-01-01T00:00:00Z');

/** A server and its store with one clock, which starts in 2030. All images say that they were made in 2020. */
async function start(t: TestContext, kind: 'memory' | 'layout') {
  const clock = { now: START };
  const now = (): number => clock.now;
  const folder = path.join(await temporaryFolder(t), 'store');
  const store: Store = kind === 'memory' ? new MemoryStore({ now }) : await OciLayoutStore.open(folder, { now });
  const { request } = await startEngine(t, { store, now });
  const blobs = new BlobSet();
  const add = async (name: string | undefined, seed: string): Promise<string> => {
    const configExtra = { created: '2020-01-01T00:00:00Z' };
    const descriptor = buildManifest(blobs, { seed, platform: 'linux/amd64', configExtra });
    await fill(store, [{ ...(name !== undefined && { name }), descriptor }], blobs);
    return descriptor.digest;
  };
  const listed = async (filters: object): Promise<readonly string[]> => {
    const answer = bodyOf(await request('GET', `/images/json?${filtersQuery(filters)}`));
    return (answer as readonly { readonly Id: string; readonly RepoTags: readonly string[] }[])
      .flatMap(({ Id, RepoTags }) => (RepoTags.length === 0 ? [Id] : RepoTags))
      .toSorted();
  };
  const pruned = async (filters: object): Promise<readonly string[]> => {
    const answer = bodyOf(await request('POST', `/images/prune?${filtersQuery(filters)}`));
    return (answer as { ImagesDeleted: readonly { readonly Deleted?: string }[] }).ImagesDeleted.flatMap(
      ({ Deleted }) => Deleted ?? [],
    );
  };
  return { clock, store, folder, add, listed, pruned };
}

for (const kind of ['memory', 'layout'] as const) {
  test(`until means when a name came to the store, not when its image was made (${kind})`, async (t) => {
    const { clock, store, add, listed } = await start(t, kind);
    await add('docker.io/library/a:1', 'a');
    clock.now += HOUR;
    await add('docker.io/library/b:1', 'b');
    await tagImage(store, 'a:1', 'a:2');
    clock.now += HOUR;
    assert.deepEqual(await listed({ until: ['90m'] }), ['a:1']);
    assert.deepEqual(await listed({ until: ['30m'] }), ['a:1', 'a:2', 'b:1']);
    assert.deepEqual(await listed({ until: ['3h'] }), []);
    assert.deepEqual(await listed({ until: ['2030-01-01T00:30:00Z'] }), ['a:1']);
    assert.deepEqual(await listed({ until: [String(START / 1000)] }), []);
    assert.deepEqual(await listed({ until: ['90m'], reference: ['b'] }), []);
    assert.deepEqual(await listed({ until: ['30m'], reference: ['*:2'] }), ['a:2']);
  });

  test(`a prune keeps an image that lost its name just now (${kind})`, async (t) => {
    const { clock, add, store, pruned, listed } = await start(t, kind);
    const old = await add('docker.io/library/a:1', 'a');
    clock.now += 48 * HOUR;
    await add('docker.io/library/b:1', 'b');
    await tagImage(store, 'b:1', 'a:1');
    clock.now += 1000;
    assert.deepEqual(await pruned({ until: ['24h'] }), []);
    assert.deepEqual(await listed({ dangling: ['true'] }), [old]);
    clock.now += 24 * HOUR;
    assert.deepEqual(await pruned({ until: ['24h'] }), [old]);
    assert.deepEqual(await listed({}), ['a:1', 'b:1']);
  });

  test(`a name that keeps its image keeps its time, also if the image is loaded again (${kind})`, async (t) => {
    const { clock, add, store, listed } = await start(t, kind);
    await add('docker.io/library/a:1', 'a');
    const saved = await exportImages(store, await planExport(store, ['a:1'])).toArray();
    clock.now += 2 * HOUR;
    await loadImages(
      store,
      (async function* (): AsyncGenerator<Buffer> {
        yield* saved as Buffer[];
      })(),
    );
    await tagImage(store, 'a:1', 'a:1');
    assert.deepEqual(await listed({ until: ['1h'] }), ['a:1']);
    assert.equal(Buffer.concat(saved as Buffer[]).includes('dev.lading.stored'), false);
  });
}

test('the times stay in the directory of a store, and a list without times counts as new', async (t) => {
  const { clock, folder, add, pruned } = await start(t, 'layout');
  const timed = await add(undefined, 'timed');
  const records = await (await OciLayoutStore.open(folder, { readOnly: true })).list();
  assert.deepEqual(
    records.map(({ stored }) => stored),
    [START],
  );
  const withoutClock = await OciLayoutStore.open(folder);
  const blobs = new BlobSet();
  const descriptor = buildManifest(blobs, { seed: 'without', platform: 'linux/amd64' });
  await fill(withoutClock, [{ descriptor }], blobs);
  assert.deepEqual(new Set((await withoutClock.list()).map(({ stored }) => stored)), new Set([START, undefined]));
  clock.now += 1000 * HOUR;
  assert.deepEqual(await pruned({ until: ['1h'] }), [timed]);
  assert.deepEqual(await pruned({}), [descriptor.digest]);
});
