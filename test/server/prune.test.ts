import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { removeImages } from '../../src/edit/remove-images.js';
import { tagImage } from '../../src/edit/tag-image.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { EngineEvent } from '../../src/server/event-log.js';
import type { ServerOptions } from '../../src/server/index.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { assertRefused, bodyOf, engineWith, filtersQuery } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';
import { example, PLATFORMS } from '../fixtures/example.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { fill, namesOf, stateOf } from '../fixtures/stores.js';

/** An image of the year 2020 with the label team=a. */
function imageOf(blobs: BlobSet, seed: string): Descriptor {
  return buildManifest(blobs, {
    seed,
    platform: 'linux/amd64',
    configExtra: { created: '2020-01-01T00:00:00Z', config: { Labels: { team: 'a' } } },
  });
}

/** A server with one named and one unnamed image. */
async function startPrunable(t: TestContext, options: ServerOptions = {}) {
  const blobs = new BlobSet();
  const [named, unnamed] = [imageOf(blobs, 'named'), imageOf(blobs, 'unnamed')];
  const engine = await engineWith(
    t,
    blobs,
    [
      ['app:1', named],
      ['', unnamed],
    ],
    options,
  );
  const bytes = closureOf(blobs, unnamed).reduce((sum, digest) => sum + blobs.bytes(digest).length, 0);
  return { ...engine, blobs, named, unnamed, bytes };
}

for (const query of [
  '',
  '?filters=%7B%7D',
  `?${filtersQuery({ dangling: { true: true } })}`,
  `?${filtersQuery({ dangling: ['1'] })}`,
]) {
  test(`prunes images without a name: ${decodeURIComponent(query) || 'no filter'}`, async (t) => {
    const { request, store, blobs, named, unnamed, bytes } = await startPrunable(t);
    assert.deepEqual(bodyOf(await request('POST', `/v1.52/images/prune${query}`)), {
      ImagesDeleted: [{ Untagged: unnamed.digest }, { Deleted: unnamed.digest }],
      SpaceReclaimed: bytes,
    });
    assert.deepEqual((await stateOf(store)).blobs, closureOf(blobs, named).toSorted());
  });
}

test('prunes nothing if every image has a name', async (t) => {
  const { request } = await startPrunable(t);
  await request('POST', '/images/prune');
  assert.deepEqual(bodyOf(await request('POST', '/images/prune')), { ImagesDeleted: [], SpaceReclaimed: 0 });
});

for (const [filters, isPruned] of [
  [{ until: ['2021-01-01T00:00:00Z'] }, false],
  [{ until: ['24h'] }, false],
  [{ label: ['team'] }, true],
  [{ label: ['team=b'] }, false],
  [{ 'label!': ['team=a'] }, false],
  [{ 'label!': ['other'] }, true],
] as const) {
  test(`${isPruned ? 'prunes' : 'keeps'} an image by the filters ${JSON.stringify(filters)}`, async (t) => {
    const { request, store } = await startPrunable(t);
    await request('POST', `/images/prune?${filtersQuery(filters)}`);
    assert.equal((await store.list()).length, isPruned ? 1 : 2);
  });
}

for (const filters of ['{', '[]', '{"reference":["a"]}', '{"dangling":["maybe"]}', '{"until":["soon"]}']) {
  test(`refuses to prune with ${filters}`, async (t) => {
    const { request, store } = await startPrunable(t);
    assertRefused(await request('POST', `/images/prune?filters=${encodeURIComponent(filters)}`), 400, /^invalid /);
    assert.equal((await store.list()).length, 2);
  });
}

test('refuses prune -a, which would remove every image', async (t) => {
  const { request, store, audit } = await startPrunable(t);
  const answer = await request('POST', `/images/prune?${filtersQuery({ dangling: { false: true } })}`);
  assertRefused(answer, 409, /--allow-prune-all/);
  assert.equal((await store.list()).length, 2);
  assert.deepEqual(
    audit.map(({ action, code }) => [action, code]),
    [['prune', 'HTTP_409']],
  );
});

test('removes every image with prune -a if the server allows it', async (t) => {
  const { request, store, named, unnamed } = await startPrunable(t, { allowPruneAll: true });
  const pruned = bodyOf(await request('POST', `/images/prune?${filtersQuery({ dangling: ['0'] })}`)) as {
    ImagesDeleted: readonly { readonly Untagged?: string; readonly Deleted?: string }[];
  };
  assert.deepEqual(
    new Set(pruned.ImagesDeleted.map(({ Untagged, Deleted }) => Untagged ?? Deleted)),
    new Set(['app:1', named.digest, unnamed.digest]),
  );
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

/** A store that runs a function when its list is read for the nth time. */
class BusyStore extends MemoryStore {
  readonly #happen: (store: MemoryStore) => Promise<unknown>;
  readonly #at: number;
  #reads = 0;

  constructor(at: number, happen: (store: MemoryStore) => Promise<unknown>) {
    super();
    this.#at = at;
    this.#happen = happen;
  }

  override async list(): ReturnType<MemoryStore['list']> {
    const list = await super.list();
    this.#reads += 1;
    if (this.#reads === this.#at) await this.#happen(this);
    return list;
  }
}

for (const at of [1, 2]) {
  test(`does not report an image that got a name meanwhile (read ${at} of the list)`, async (t) => {
    const blobs = new BlobSet();
    const unnamed = imageOf(blobs, 'unnamed');
    const store = new BusyStore(at, async (busy) => await tagImage(busy, unnamed.digest, 'saved:1'));
    await fill(store, [{ descriptor: unnamed }], blobs);
    const { request } = await startEngine(t, { store });
    const pruned = bodyOf(await request('POST', '/images/prune')) as { ImagesDeleted: unknown; SpaceReclaimed: number };
    const isGone = (await namesOf(store)).length === 0;
    assert.deepEqual(pruned.ImagesDeleted, isGone ? [{ Untagged: unnamed.digest }, { Deleted: unnamed.digest }] : []);
    if (!isGone) assert.equal((await stateOf(store)).blobs.length, blobs.size);
  });
}

for (const at of [1, 2]) {
  test(`ignores an image that another process removed meanwhile (read ${at} of the list)`, async (t) => {
    const blobs = new BlobSet();
    const [unnamed, other] = [imageOf(blobs, 'unnamed'), imageOf(blobs, 'other')];
    const store = new BusyStore(at, async (busy) => await removeImages(busy, [unnamed.digest]));
    await fill(store, [{ descriptor: unnamed }, { descriptor: other }], blobs);
    const { request } = await startEngine(t, { store });
    const pruned = bodyOf(await request('POST', '/images/prune')) as { ImagesDeleted: readonly unknown[] };
    assert.deepEqual(pruned.ImagesDeleted.at(-1), { Deleted: other.digest });
    assert.deepEqual(await store.list(), []);
  });
}

test('sends an event for each pruned image', async (t) => {
  const { request, unnamed, bytes } = await startPrunable(t, { now: () => 1000 });
  await request('POST', '/images/prune');
  const events = (await request('GET', '/events?since=0&until=1')).lines() as readonly EngineEvent[];
  assert.deepEqual(
    events.map(({ Action, Actor }) => [Action, Actor.ID, Actor.Attributes['reclaimed']]),
    [
      ['delete', unnamed.digest, undefined],
      ['prune', '', String(bytes)],
    ],
  );
});

test('lists every manifest that is gone, and none that another image needs', async (t) => {
  const built = example({ attestations: true });
  const stays = built.of('linux/arm64');
  const { request, audit } = await engineWith(t, built.blobs, [
    ['', built.root],
    ['app:1', stays],
  ]);
  const { ImagesDeleted, SpaceReclaimed } = bodyOf(await request('POST', '/images/prune')) as {
    readonly ImagesDeleted: readonly Readonly<Record<string, string>>[];
    readonly SpaceReclaimed: number;
  };
  const { digest } = built.root;
  assert.deepEqual(ImagesDeleted.slice(0, 2), [{ Untagged: digest }, { Deleted: digest }]);
  const manifests = [...PLATFORMS.map((platform) => built.of(platform)), ...built.attestations.values()];
  const gone = manifests.filter((manifest) => manifest.digest !== stays.digest).map((manifest) => manifest.digest);
  assert.deepEqual(new Set(ImagesDeleted.slice(2).map(({ Deleted }) => Deleted)), new Set(gone));
  const kept = new Set<string>(closureOf(built.blobs, stays));
  const freed = [...built.blobs].filter(([blob]) => !kept.has(blob));
  assert.equal(
    SpaceReclaimed,
    freed.reduce((sum, [, bytes]) => sum + bytes.length, 0),
  );
  assert.deepEqual(
    audit.map(({ action, digests }) => ({ action, digests })),
    [{ action: 'prune', digests: [digest] }],
  );
});

test('prune -a lists the names of an image, then its digest', async (t) => {
  const blobs = new BlobSet();
  const root = imageOf(blobs, 'named');
  const { request } = await engineWith(
    t,
    blobs,
    [
      ['app:1', root],
      ['app:2', root],
    ],
    { allowPruneAll: true },
  );
  const { ImagesDeleted } = bodyOf(await request('POST', `/images/prune?${filtersQuery({ dangling: ['false'] })}`)) as {
    readonly ImagesDeleted: unknown;
  };
  assert.deepEqual(ImagesDeleted, [{ Untagged: 'app:1' }, { Untagged: 'app:2' }, { Deleted: root.digest }]);
});
