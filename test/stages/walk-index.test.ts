import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATIONS, type Descriptor } from '../../src/model/descriptor.js';
import type { Digest } from '../../src/model/digest.js';
import type { LadingError } from '../../src/model/errors.js';
import { limitsOf } from '../../src/model/limits.js';
import { formatPlatform } from '../../src/model/platform.js';
import type { ManifestNode } from '../../src/stages/records.js';
import { WalkIndex, type WalkIndexOptions } from '../../src/stages/walk-index.js';
import { buildArtifact, buildAttestation, buildReferrer } from '../fixtures/artifact-builder.js';
import { BlobSet, removeBlob } from '../fixtures/blob-set.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { runStage, stageSuite } from '../suites/stage-suite.js';
import { documentsOf, SetProvider } from './set-provider.js';

const PLATFORMS = ['linux/amd64', 'linux/arm64'];

async function walk(
  blobs: BlobSet,
  roots: readonly Descriptor[],
  options: Partial<WalkIndexOptions> = {},
): Promise<readonly ManifestNode[]> {
  const stage = new WalkIndex({ documents: documentsOf(blobs), ...options });
  return await runStage<ManifestNode>(
    roots.map((descriptor) => ({ descriptor })),
    stage,
  );
}

function digestsOf(nodes: readonly ManifestNode[]): readonly Digest[] {
  return nodes.map(({ descriptor }) => descriptor.digest);
}

function withoutPlatform({ mediaType, digest, size }: Descriptor): Descriptor {
  return { mediaType, digest, size };
}

/** The descriptor with the annotations that BuildKit gives an attestation of `subject`. */
function attests(descriptor: Descriptor, subject: Descriptor): Descriptor {
  const annotations = {
    [ANNOTATIONS.referenceType]: 'attestation-manifest',
    [ANNOTATIONS.referenceDigest]: subject.digest,
  };
  return { ...descriptor, annotations };
}

const shared = new BlobSet();
const image = buildMultiPlatform(shared, PLATFORMS);
stageSuite('WalkIndex', {
  make: () => new WalkIndex({ documents: documentsOf(shared) }),
  inputs: () => Array.from({ length: 200 }, () => ({ descriptor: image.root })),
  maxAhead: 40,
});

describe('WalkIndex outputs', () => {
  it('an index, then its manifests in its order, with platform and parent', async () => {
    const blobs = new BlobSet();
    const { root, manifests } = buildMultiPlatform(blobs, PLATFORMS);
    const nodes = await walk(blobs, [root]);
    assert.deepEqual(
      digestsOf(nodes),
      [root, ...manifests.values()].map(({ digest }) => digest),
    );
    assert.deepEqual(
      nodes.map(({ kind, parent, platform }) => [kind, parent, platform && formatPlatform(platform)]),
      [
        ['index', undefined, undefined],
        ['manifest', root.digest, 'linux/amd64'],
        ['manifest', root.digest, 'linux/arm64'],
      ],
    );
  });

  it('a manifest that is the root itself, with the platform of its config', async () => {
    const blobs = new BlobSet();
    const root = withoutPlatform(buildManifest(blobs, { platform: 'linux/arm/v6', seed: 1 }));
    const [node, ...rest] = await walk(blobs, [root]);
    assert.deepEqual(rest, []);
    assert.deepEqual(node?.platform, { os: 'linux', architecture: 'arm', variant: 'v6' });
    assert.equal(node?.parent, undefined);
  });

  it('a child without a platform with that of its config, and a nested one with that of its index', async () => {
    const blobs = new BlobSet();
    const child = withoutPlatform(buildManifest(blobs, { platform: 'linux/s390x', seed: 1 }));
    const artifact = buildArtifact(blobs, { seed: 2 });
    const platform = { os: 'linux', architecture: 'riscv64' };
    const nested = { ...buildIndex(blobs, [artifact]), platform };
    const nodes = await walk(blobs, [buildIndex(blobs, [child, nested])]);
    assert.deepEqual(
      nodes.map((node) => node.platform),
      [undefined, { os: 'linux', architecture: 's390x' }, platform, platform],
    );
  });

  it('an attestation right after the manifest that it attests, bound to it and without platform', async () => {
    const blobs = new BlobSet();
    const { root, manifests, attestations } = buildMultiPlatform(blobs, PLATFORMS, { attestations: true });
    const nodes = await walk(blobs, [root]);
    const pairs = PLATFORMS.flatMap((platform) => [manifests.get(platform), attestations.get(platform)]);
    assert.deepEqual(
      digestsOf(nodes),
      [root, ...pairs].map((descriptor) => descriptor?.digest),
    );
    assert.equal(nodes[2]?.subject, nodes[1]?.descriptor.digest);
    assert.equal(nodes[2]?.platform, undefined);
  });

  it('a listed referrer and its signature after their subject, in any order of the index', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
    const sbom = buildReferrer(blobs, manifest, { seed: 'sbom' });
    const signature = buildReferrer(blobs, sbom, { seed: 'signature' });
    const root = buildIndex(blobs, [signature, sbom, manifest]);
    assert.deepEqual(
      digestsOf(await walk(blobs, [root])),
      [root, manifest, sbom, signature].map(({ digest }) => digest),
    );
  });

  it('an attestation whose subject is not listed as the last of its index', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
    const elsewhere = buildManifest(blobs, { platform: 'linux/amd64', seed: 2 });
    const orphan = buildAttestation(blobs, elsewhere, { seed: 1 });
    const nodes = await walk(blobs, [buildIndex(blobs, [orphan, manifest])]);
    assert.deepEqual(digestsOf(nodes).slice(1), [manifest.digest, orphan.digest]);
    assert.equal(nodes[2]?.subject, elsewhere.digest);
  });

  it('a referrer of such an attestation after it', async () => {
    const blobs = new BlobSet();
    const elsewhere = buildManifest(blobs, { platform: 'linux/amd64', seed: 2 });
    const orphan = buildAttestation(blobs, elsewhere, { seed: 1 });
    const signature = buildReferrer(blobs, orphan, { seed: 1 });
    const nodes = await walk(blobs, [buildIndex(blobs, [signature, orphan])]);
    assert.deepEqual(digestsOf(nodes).slice(1), [orphan.digest, signature.digest]);
  });

  it('attestations that attest one another, too', async () => {
    const blobs = new BlobSet();
    const [one, two] = [buildArtifact(blobs, { seed: 1 }), buildArtifact(blobs, { seed: 2 })];
    const nodes = await walk(blobs, [buildIndex(blobs, [attests(one, two), attests(two, one)])]);
    assert.deepEqual(new Set(digestsOf(nodes).slice(1)), new Set([one.digest, two.digest]));
  });

  it('referrers that no index lists after their subject', async () => {
    const blobs = new BlobSet();
    const { root, manifests } = buildMultiPlatform(blobs, PLATFORMS);
    const arm64 = manifests.get('linux/arm64')!;
    const sbom = buildReferrer(blobs, arm64, { seed: 1 });
    const nodes = await walk(blobs, [root], {
      referrersOf: async ({ descriptor }) => (descriptor.digest === arm64.digest ? [sbom] : []),
    });
    assert.deepEqual(digestsOf(nodes).slice(-2), [arm64.digest, sbom.digest]);
    assert.deepEqual([nodes.at(-1)?.subject, nodes.at(-1)?.parent], [arm64.digest, undefined]);
  });

  it('content of an unknown type as an opaque node', async () => {
    const blobs = new BlobSet();
    const opaque = blobs.descriptor('anything', 'application/vnd.example.thing');
    const nodes = await walk(blobs, [buildIndex(blobs, [opaque])]);
    assert.equal(nodes[1]?.kind, 'opaque');
  });

  it('a missing manifest, so that the next stage can report it', async () => {
    const blobs = new BlobSet();
    const { root, manifests } = buildMultiPlatform(blobs, PLATFORMS);
    manifests.forEach((manifest) => removeBlob(blobs, manifest));
    assert.equal((await walk(blobs, [root])).length, 3);
  });

  it('a manifest that is listed twice once, and twice if it is for two platforms', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
    const other = { ...manifest, platform: { os: 'linux', architecture: '386' } };
    assert.equal((await walk(blobs, [buildIndex(blobs, [manifest, manifest])])).length, 2);
    assert.equal((await walk(blobs, [buildIndex(blobs, [manifest, other])])).length, 3);
  });

  it('the same image again if it comes again, and an empty index alone', async () => {
    const blobs = new BlobSet();
    const empty = buildIndex(blobs, []);
    assert.deepEqual(digestsOf(await walk(blobs, [empty, empty])), [empty.digest, empty.digest]);
  });

  it('one node for each of 15 indexes that list the next one four times', async () => {
    const blobs = new BlobSet();
    let index = buildIndex(blobs, []);
    for (let level = 1; level < 15; level += 1) index = buildIndex(blobs, [index, index, index, index]);
    const provider = new SetProvider(blobs);
    assert.equal((await walk(blobs, [index], { documents: documentsOf(provider) })).length, 15);
    assert.ok(provider.opened < 200, `${provider.opened} reads`);
  });
});

describe('WalkIndex refuses', () => {
  it('more nested indexes than the limit', async () => {
    const blobs = new BlobSet();
    let index = buildIndex(blobs, []);
    for (let level = 1; level < 17; level += 1) index = buildIndex(blobs, [index]);
    await assert.rejects(walk(blobs, [index]), { code: 'ERR_LIMIT_DEPTH' });
    await assert.rejects(
      walk(blobs, [index], { documents: documentsOf(blobs, { limits: limitsOf({ maxIndexDepth: 3 }) }) }),
      { code: 'ERR_LIMIT_DEPTH' },
    );
  });

  it('more manifests than the limit', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    await assert.rejects(
      walk(blobs, [root], { documents: documentsOf(blobs, { limits: limitsOf({ maxDescriptors: 2 }) }) }),
      {
        code: 'ERR_LIMIT_DESCRIPTORS',
      },
    );
    assert.equal(
      (await walk(blobs, [root], { documents: documentsOf(blobs, { limits: limitsOf({ maxDescriptors: 3 }) }) }))
        .length,
      3,
    );
  });

  it('a damaged document, or counts it as missing if the documents tolerate damage', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    blobs.set(root.digest, Buffer.alloc(root.size, ' '));
    await assert.rejects(walk(blobs, [root]), { code: 'ERR_DIGEST_MISMATCH' });
    const damaged: [LadingError, Digest][] = [];
    const documents = documentsOf(blobs, { onDamage: (error, digest) => void damaged.push([error, digest]) });
    const nodes = await walk(blobs, [root], { documents });
    assert.deepEqual(digestsOf(nodes), [root.digest]);
    assert.deepEqual(
      damaged.map(([{ code }, digest]) => [code, digest]),
      [['ERR_DIGEST_MISMATCH', root.digest]],
    );
  });
});
