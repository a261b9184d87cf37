import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import { PlatformSet } from '../../src/model/platform-set.js';
import { formatPlatform, parsePlatform } from '../../src/model/platform.js';
import { FilterPlatforms } from '../../src/stages/filter-platforms.js';
import type { ManifestNode } from '../../src/stages/records.js';
import { WalkIndex } from '../../src/stages/walk-index.js';
import { buildArtifact, buildAttestation } from '../fixtures/artifact-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { runStage, stageSuite } from '../suites/stage-suite.js';
import { documentsOf } from './set-provider.js';

const PLATFORMS = ['linux/amd64', 'linux/arm/v7', 'linux/arm64'];

interface Filtered {
  readonly target: ImageRecord;
  readonly nodes: readonly ManifestNode[];
  readonly platforms: PlatformSet<ImageRecord>;
}

async function filter(
  blobs: BlobSet,
  root: Descriptor,
  wanted: readonly string[],
  referrers?: 'follow' | 'drop',
): Promise<Filtered> {
  const target = { descriptor: root };
  const platforms = new PlatformSet<ImageRecord>(wanted.map((text) => parsePlatform(text)));
  const walk = new WalkIndex({ documents: documentsOf(blobs) });
  const options = referrers === undefined ? { platforms } : { platforms, referrers };
  return { target, platforms, nodes: await runStage([target], walk, new FilterPlatforms(options)) };
}

/** The platform of each node, or its kind if it has no platform. */
function namesOf(nodes: readonly ManifestNode[]): readonly string[] {
  return nodes.map(({ platform, kind, subject }) =>
    platform === undefined ? (subject === undefined ? kind : 'referrer') : formatPlatform(platform),
  );
}

const node: ManifestNode = {
  target: { descriptor: buildManifest(new BlobSet(), { platform: 'linux/amd64', seed: 1 }) },
  descriptor: buildManifest(new BlobSet(), { platform: 'linux/amd64', seed: 1 }),
  kind: 'manifest',
  platform: { os: 'linux', architecture: 'amd64' },
};
stageSuite('FilterPlatforms', {
  make: () => new FilterPlatforms({ platforms: new PlatformSet<ImageRecord>() }),
  inputs: () => Array.from({ length: 200 }, () => node),
  maxAhead: 40,
});

describe('FilterPlatforms', () => {
  const cases: readonly (readonly [wanted: readonly string[], kept: readonly string[]])[] = [
    [[], ['index', ...PLATFORMS]],
    [['linux/amd64'], ['index', 'linux/amd64']],
    [
      ['linux/arm64', 'linux/amd64'],
      ['index', 'linux/amd64', 'linux/arm64'],
    ],
    [['linux/arm'], ['index', 'linux/arm/v7']],
    [['linux/arm/v6'], ['index']],
    [['linux/aarch64'], ['index', 'linux/arm64']],
  ];
  for (const [wanted, kept] of cases) {
    it(`keeps ${kept.join(', ')} when ${wanted.join(', ') || 'no platform'} is asked for`, async () => {
      const blobs = new BlobSet();
      const { root } = buildMultiPlatform(blobs, PLATFORMS);
      assert.deepEqual(namesOf((await filter(blobs, root, wanted)).nodes), kept);
    });
  }

  it('notes the manifests that it left out, in the order of the index', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const { target, platforms } = await filter(blobs, root, ['linux/arm64', 'linux/s390x']);
    assert.deepEqual(
      platforms.outcomesOf(target).map(({ platform, state }) => [formatPlatform(platform!), state]),
      [
        ['linux/amd64', 'excluded'],
        ['linux/arm/v7', 'excluded'],
        ['linux/arm64', 'missing'],
        ['linux/s390x', 'absent'],
      ],
    );
  });

  it('keeps attestations with their subject, or drops all of them if asked', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS, { attestations: true });
    assert.deepEqual(namesOf((await filter(blobs, root, ['linux/arm64'])).nodes), ['index', 'linux/arm64', 'referrer']);
    assert.deepEqual(namesOf((await filter(blobs, root, [], 'drop')).nodes), ['index', ...PLATFORMS]);
  });

  it('keeps an orphan only when all platforms are asked for', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
    const orphan = buildAttestation(blobs, buildManifest(blobs, { platform: 'linux/amd64', seed: 2 }), { seed: 1 });
    const root = buildIndex(blobs, [manifest, orphan]);
    assert.deepEqual(namesOf((await filter(blobs, root, [])).nodes), ['index', 'linux/amd64', 'referrer']);
    assert.deepEqual(namesOf((await filter(blobs, root, ['linux/amd64'])).nodes), ['index', 'linux/amd64']);
  });

  it('keeps every child without a platform, but a root without one only if all platforms are asked for', async () => {
    const blobs = new BlobSet();
    const artifact = buildArtifact(blobs, { seed: 1 });
    const root = buildIndex(blobs, [artifact]);
    assert.deepEqual(namesOf((await filter(blobs, root, ['linux/amd64'])).nodes), ['index', 'manifest']);
    assert.deepEqual(namesOf((await filter(blobs, artifact, ['linux/amd64'])).nodes), []);
    assert.deepEqual(namesOf((await filter(blobs, artifact, [])).nodes), ['manifest']);
  });

  it('drops the children of an index that it dropped', async () => {
    const blobs = new BlobSet();
    const nested = {
      ...buildIndex(blobs, [buildArtifact(blobs, { seed: 1 })]),
      platform: { os: 'linux', architecture: 's390x' },
    };
    const root = buildIndex(blobs, [nested, buildManifest(blobs, { platform: 'linux/amd64', seed: 1 })]);
    assert.deepEqual(namesOf((await filter(blobs, root, ['linux/amd64'])).nodes), ['index', 'linux/amd64']);
  });

  it('handles two images that share a manifest separately', async () => {
    const blobs = new BlobSet();
    const { root, manifests } = buildMultiPlatform(blobs, PLATFORMS);
    const platforms = new PlatformSet<ImageRecord>([parsePlatform('linux/amd64')]);
    const targets = [root, manifests.get('linux/arm64')!].map((descriptor) => ({ descriptor }));
    const walk = new WalkIndex({ documents: documentsOf(blobs) });
    await runStage(targets, walk, new FilterPlatforms({ platforms }));
    assert.deepEqual(
      targets.map((target) => platforms.unmetOf(target).map(({ state }) => state)),
      [['missing'], ['absent']],
    );
  });
});
