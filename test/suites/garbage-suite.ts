import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATIONS, withAnnotations, type Descriptor } from '../../src/model/descriptor.js';
import { digestOf } from '../../src/model/digest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { publishRecords, type ImageRecord } from '../../src/model/image-list.js';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import type { Store } from '../../src/stores/store.js';
import { buildReferrer } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { digestsIn, inSession, namesIn, storeBytes, storeSet, withStore, type OpenStore } from './stored.js';

const NAME = 'docker.io/example/app:1';
const PRUNE = { now: Date.now() + 60 * 60 * 1000, graceMs: 0 };
const PRUNE_ALL = { ...PRUNE, dangling: true };

/** How blobs are removed from a store. */
export function garbageSuite(open: OpenStore): void {
  describe('discard', () => discardSuite(open));
  describe('prune', () => pruneSuite(open));
}

async function storeLoose(store: Store, ...contents: readonly string[]): Promise<void> {
  await inSession(store, async (session) => {
    for (const content of contents) await storeBytes(session, content);
  });
}

function discardSuite(open: OpenStore): void {
  it(
    'removes blobs that no image needs and keeps blobs that an image needs',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 'kept' });
      await storeSet(store, blobs, [{ name: NAME, descriptor: root }]);
      await storeLoose(store, 'loose', 'not named');
      const removed = await inSession(store, (session) => session.discard([...blobs.keys(), digestOf('loose')]));
      assert.deepEqual(removed, [digestOf('loose')]);
      assert.deepEqual(await digestsIn(store), [...blobs.keys(), digestOf('not named')].sort());
    }),
  );

  it(
    'removes blobs that its own session holds and keeps blobs that another session holds',
    withStore(open, async (store) => {
      await storeLoose(store, 'mine', 'theirs');
      await inSession(store, (other) =>
        inSession(store, async (session) => {
          await other.stat(digestOf('theirs'), 'blob');
          await session.stat(digestOf('mine'), 'blob');
          const removed = await session.discard([digestOf('mine'), digestOf('theirs')]);
          assert.deepEqual(removed, [digestOf('mine')]);
        }),
      );
      assert.deepEqual(await digestsIn(store), [digestOf('theirs')]);
    }),
  );

  it(
    'ignores digests that are not in the store',
    withStore(open, async (store) => {
      assert.deepEqual(await inSession(store, (session) => session.discard([digestOf('nowhere')])), []);
    }),
  );

  it(
    'keeps blobs shared with an image whose manifest is larger than the default limit',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const large = buildLarge(blobs);
      const other = buildManifest(blobs, { platform: 'linux/amd64', seed: 'other', layers: ['shared', 'other'] });
      await storeSet(store, blobs, [{ name: NAME, descriptor: large }]);
      await inSession(store, (session) => session.discard(closureOf(blobs, other)));
      assert.deepEqual(await digestsIn(store), closureOf(blobs, large).sort());
    }),
  );

  it(
    'removes what is not kept of a root, but not what it shares with what is kept',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const platforms = ['linux/amd64', 'linux/arm64'];
      const { root, manifests } = buildMultiPlatform(blobs, platforms, { sharedLayer: true });
      const [cut, kept] = platforms.map((platform) => manifests.get(platform)!);
      await storeSet(store, blobs, [{ name: NAME, descriptor: root, kept: [kept!.digest] }]);
      const own = closureOf(blobs, cut!).filter((digest) => !closureOf(blobs, kept!).includes(digest));
      const removed = await inSession(store, (session) => session.discard(blobs.keys()));
      assert.deepEqual([...removed].sort(), own.sort());
      assert.deepEqual(await digestsIn(store), [root.digest, ...closureOf(blobs, kept!)].sort());
    }),
  );

  it(
    'keeps a manifest that only another image keeps',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const { root, manifests } = buildMultiPlatform(blobs, ['linux/amd64', 'linux/arm64']);
      const [amd64, arm64] = [...manifests.values()];
      await storeSet(store, blobs, [
        { name: NAME, descriptor: root, kept: [arm64!.digest] },
        { name: 'docker.io/example/other:1', descriptor: amd64! },
      ]);
      assert.deepEqual(await inSession(store, (session) => session.discard(blobs.keys())), []);
    }),
  );
}

/** An image whose manifest is larger than the default limit of a load. */
function buildLarge(blobs: BlobSet): Descriptor {
  const annotations = { 'org.example.note': 'x'.repeat(DEFAULT_LIMITS.maxDocumentBytes) };
  return buildManifest(blobs, { platform: 'linux/amd64', seed: 'large', layers: ['shared', 'own'], annotations });
}

function pruneSuite(open: OpenStore): void {
  it(
    'prunes what is not kept of a root',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const { root, manifests } = buildMultiPlatform(blobs, ['linux/amd64', 'linux/arm64']);
      const [amd64] = [...manifests.values()];
      await storeSet(store, blobs, [{ name: NAME, descriptor: root, kept: [amd64!.digest] }]);
      await store.prune(PRUNE_ALL);
      assert.deepEqual(await digestsIn(store), [root.digest, ...closureOf(blobs, amd64!)].sort());
    }),
  );

  it(
    'keeps the blobs of an image whose manifest is larger than the default limit',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const root = buildLarge(blobs);
      await storeSet(store, blobs, [{ name: NAME, descriptor: root }]);
      await store.prune(PRUNE_ALL);
      assert.deepEqual(await namesIn(store), [NAME]);
      assert.deepEqual(await digestsIn(store), closureOf(blobs, root).sort());
    }),
  );

  it(
    'keeps the blobs of an image whose index is larger or nested deeper than the default limits',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 'deep' });
      const annotations = { 'org.example.note': 'x'.repeat(DEFAULT_LIMITS.maxDocumentBytes) };
      let root = buildIndex(blobs, [manifest], { annotations });
      for (let level = 0; level <= DEFAULT_LIMITS.maxIndexDepth; level += 1) root = buildIndex(blobs, [root]);
      await storeSet(store, blobs, [{ name: NAME, descriptor: root }]);
      await store.prune(PRUNE_ALL);
      assert.deepEqual(await digestsIn(store), closureOf(blobs, root).sort());
    }),
  );

  it(
    'keeps what an image needs whose manifest another image lists as something else, or in another size',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const root = buildManifest(blobs, { platform: 'linux/amd64', seed: 'victim' });
      const kept = closureOf(blobs, root);
      const { digest, size } = root;
      const asLayer = blobs.document(
        {
          schemaVersion: 2,
          config: blobs.document({}, MEDIA_TYPES.ociConfig),
          layers: [{ mediaType: MEDIA_TYPES.ociLayer, digest, size }],
        },
        MEDIA_TYPES.ociManifest,
      );
      const inOtherSize = buildIndex(blobs, [{ ...root, size: size + 1 }]);
      const records = [asLayer, inOtherSize].flatMap((descriptor, at) => [
        { name: `docker.io/example/a${at}:1`, descriptor },
        { name: `docker.io/example/z${at}:1`, descriptor },
      ]);
      await storeSet(store, blobs, [{ name: NAME, descriptor: root }, ...records]);
      await store.prune(PRUNE_ALL);
      await inSession(store, (session) => session.discard(kept));
      assert.deepEqual(await digestsIn(store), [...blobs.keys()].sort());
    }),
  );

  it(
    'reads no layer as a document, whatever its media type',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const inner = buildManifest(blobs, { platform: 'linux/amd64', seed: 'inner' });
      const parts = closureOf(blobs, inner).filter((digest) => digest !== inner.digest);
      const config = blobs.document({}, MEDIA_TYPES.ociConfig);
      const outer = blobs.document({ schemaVersion: 2, config, layers: [inner] }, MEDIA_TYPES.ociManifest);
      await storeSet(store, blobs, [{ name: NAME, descriptor: outer }]);
      const { blobs: gone } = await store.prune(PRUNE_ALL);
      assert.deepEqual(gone.map(({ digest }) => digest).sort(), parts.sort());
    }),
  );

  it(
    'keeps what an index of very many children leads to',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 'last' });
      const absent = { mediaType: MEDIA_TYPES.ociLayer, digest: digestOf('absent'), size: 6 };
      const root = buildIndex(blobs, [...Array.from({ length: 150_000 }, () => absent), manifest]);
      await storeSet(store, blobs, [{ name: NAME, descriptor: root }]);
      await store.prune(PRUNE_ALL);
      assert.deepEqual(await digestsIn(store), [...blobs.keys()].sort());
    }),
  );

  it(
    'keeps a referrer whose subject stands in an index larger than the default limit',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 'subject' });
      const annotations = { 'org.example.note': 'x'.repeat(DEFAULT_LIMITS.maxDocumentBytes) };
      const root = buildIndex(blobs, [manifest], { annotations });
      const referrer = withAnnotations(buildReferrer(blobs, manifest, { seed: 'sbom' }), {
        [ANNOTATIONS.subject]: manifest.digest,
      });
      await storeSet(store, blobs, [{ name: NAME, descriptor: root }, { descriptor: referrer }]);
      const { images } = await store.prune(PRUNE_ALL);
      assert.deepEqual(images, []);
      assert.deepEqual(await digestsIn(store), [...blobs.keys()].sort());
    }),
  );

  it(
    'removes unnamed images and unneeded blobs, and reports them',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const named = buildManifest(blobs, { platform: 'linux/amd64', seed: 'named' });
      const unnamed = buildManifest(blobs, { platform: 'linux/amd64', seed: 'unnamed' });
      await storeSet(store, blobs, [{ name: NAME, descriptor: named }, { descriptor: unnamed }]);
      await storeLoose(store, 'loose');
      const gone = [...closureOf(blobs, unnamed), digestOf('loose')].sort();
      const dry = await store.prune({ ...PRUNE_ALL, dryRun: true });
      assert.deepEqual(await namesIn(store), [NAME, unnamed.digest]);
      const report = await store.prune(PRUNE_ALL);
      assert.deepEqual(report.images, [{ descriptor: unnamed }]);
      assert.deepEqual(report.blobs.map(({ digest }) => digest).sort(), gone);
      assert.equal(report.blobs.find(({ digest }) => digest === digestOf('loose'))?.size, 5);
      assert.deepEqual(dry.images, report.images);
      assert.deepEqual(dry.blobs.map(({ digest }) => digest).sort(), gone);
      assert.deepEqual(await store.list(), [{ name: NAME, descriptor: named }]);
      assert.deepEqual(await digestsIn(store), closureOf(blobs, named).sort());
    }),
  );

  it(
    'keeps an image that lost its name to another until a prune removes it',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const [before, after] = ['before', 'after'].map((seed) =>
        buildManifest(blobs, { platform: 'linux/arm64', seed }),
      );
      await storeSet(store, blobs, [{ name: NAME, descriptor: before! }]);
      await storeSet(store, new BlobSet(), [{ name: NAME, descriptor: after! }]);
      assert.deepEqual(await namesIn(store), [NAME, before!.digest]);
      const dry = await store.prune({ ...PRUNE, dryRun: true });
      const report = await store.prune(PRUNE);
      assert.deepEqual(dry.images, report.images);
      assert.deepEqual(report.images, [{ descriptor: before, replaced: true }]);
      assert.deepEqual(await store.list(), [{ name: NAME, descriptor: after }]);
      assert.deepEqual(await digestsIn(store), closureOf(blobs, after!).sort());
    }),
  );

  it(
    'leaves images that came without a name, unless it is told to remove them',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const [bare, tagged] = ['bare', 'tagged'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
      await storeSet(store, blobs, [{ descriptor: bare! }, ...['1', '2'].map((tag) => ({ tag, descriptor: tagged! }))]);
      const before = await store.list();
      assert.equal(before.length, 3);
      const kept = await store.prune(PRUNE);
      assert.deepEqual([kept.images, kept.blobs, kept.kept.unnamed], [[], [], 3]);
      assert.deepEqual(await store.list(), before);
      const gone = await store.prune(PRUNE_ALL);
      assert.deepEqual([gone.images, gone.kept.unnamed], [before, 0]);
      assert.deepEqual([await store.list(), await digestsIn(store)], [[], []]);
    }),
  );

  it(
    'keeps an image that came without a name after another one had taken its name',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const [first, second] = ['1', '2'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
      await storeSet(store, blobs, [{ name: NAME, descriptor: first! }]);
      await storeSet(store, new BlobSet(), [{ name: NAME, descriptor: second! }]);
      await storeSet(store, new BlobSet(), [{ descriptor: first! }]);
      assert.deepEqual((await store.prune(PRUNE)).images, []);
      assert.deepEqual(await namesIn(store), [NAME, first!.digest]);
    }),
  );

  it(
    'removes the referrers of what it removes, and leaves those that came without their subject',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const [before, after] = ['b', 'a'].map((seed) => buildManifest(blobs, { platform: 'linux/arm64', seed }));
      const lost = buildManifest(new BlobSet(), { platform: 'linux/amd64', seed: 'lost' });
      const [bound, orphan] = [before!, lost].map((subject) =>
        withAnnotations(buildReferrer(blobs, subject, { seed: subject.digest }), {
          [ANNOTATIONS.subject]: subject.digest,
        }),
      );
      await storeSet(store, blobs, [
        { name: NAME, descriptor: before! },
        { descriptor: bound! },
        { descriptor: orphan! },
      ]);
      await storeSet(store, new BlobSet(), [{ name: NAME, descriptor: after! }]);
      await store.prune(PRUNE);
      assert.deepEqual(await namesIn(store), [NAME, orphan!.digest]);
      await store.prune(PRUNE_ALL);
      assert.deepEqual(await namesIn(store), [NAME]);
    }),
  );

  it(
    'keeps referrers whose subject stays, also referrers of referrers, and removes the others',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const image = buildManifest(blobs, { platform: 'linux/amd64', seed: 'subject' });
      const sbom = buildReferrer(blobs, image, { seed: 'sbom' });
      const signature = buildReferrer(blobs, sbom, { seed: 'signature' });
      const lost = buildManifest(new BlobSet(), { platform: 'linux/amd64', seed: 'lost' });
      const orphan = buildReferrer(blobs, lost, { seed: 'orphan' });
      const referrers = [
        [signature, sbom],
        [sbom, image],
        [orphan, lost],
      ].map(([referrer, subject]): ImageRecord => ({
        descriptor: withAnnotations(referrer!, { [ANNOTATIONS.subject]: subject!.digest }),
      }));
      await storeSet(store, blobs, [{ name: NAME, descriptor: image }, ...referrers]);
      const { images } = await store.prune(PRUNE_ALL);
      assert.deepEqual(
        images.map(({ descriptor }) => descriptor.digest),
        [orphan.digest],
      );
      const names = await namesIn(store);
      assert.deepEqual(names, [NAME, ...[sbom.digest, signature.digest].sort()]);
      const staying = [image, sbom, signature].flatMap((root) => closureOf(blobs, root));
      assert.deepEqual(await digestsIn(store), [...new Set(staying)].sort());
    }),
  );

  it(
    'keeps blobs that an open session looked up or stored',
    withStore(open, async (store) => {
      await storeLoose(store, 'looked up', 'loose');
      await inSession(store, async (session) => {
        await session.stat(digestOf('looked up'), 'blob');
        await storeBytes(session, 'stored');
        await store.prune(PRUNE_ALL);
        assert.deepEqual(await digestsIn(store), [digestOf('looked up'), digestOf('stored')].sort());
      });
      await store.prune(PRUNE_ALL);
      assert.deepEqual(await digestsIn(store), []);
    }),
  );

  it(
    'does not undo a publication that comes meanwhile',
    withStore(open, async (store) => {
      const blobs = new BlobSet();
      const [unnamed, root] = ['a', 'b'].map((seed) => buildManifest(blobs, { platform: 'linux/amd64', seed }));
      await storeSet(store, blobs, [{ descriptor: unnamed! }]);
      await inSession(store, async (session) => {
        for (const digest of closureOf(blobs, root!)) await session.stat(digest, 'blob');
        const record = { name: NAME, descriptor: root! };
        await Promise.all([store.prune(PRUNE_ALL), session.publish((records) => publishRecords(records, [record]))]);
      });
      assert.deepEqual(await store.list(), [{ name: NAME, descriptor: root }]);
      assert.deepEqual(await digestsIn(store), closureOf(blobs, root!).sort());
    }),
  );
}
