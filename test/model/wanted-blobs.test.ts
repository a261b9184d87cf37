import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ANNOTATIONS, withAnnotations, type Descriptor } from '../../src/model/descriptor.js';
import type { ImageIndex } from '../../src/model/image-index.js';
import type { ImageManifest } from '../../src/model/image-manifest.js';
import { PlatformSet } from '../../src/model/platform-set.js';
import { parsePlatform } from '../../src/model/platform.js';
import { WantedBlobs, type WantedOptions } from '../../src/model/wanted-blobs.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';

const blobs = new BlobSet();
const { root, manifests, attestations } = buildMultiPlatform(blobs, ['linux/amd64', 'linux/arm64'], {
  attestations: true,
});
const INDEX = blobs.json(root.digest) as ImageIndex;

function wantedOf(platforms: readonly string[] = [], change: Partial<WantedOptions> = {}): WantedBlobs {
  const set = new PlatformSet<never>(platforms.map((text) => parsePlatform(text)));
  return new WantedBlobs({ platforms: set, referrers: 'follow', limits: { maxDescriptors: 100 }, ...change });
}

function layoutOf(...listed: readonly Descriptor[]): ImageIndex {
  return { schemaVersion: 2, manifests: listed };
}

const digestsOf = (list: readonly Descriptor[]): readonly string[] => list.map(({ digest }) => digest);
const manifestOf = (platform: string): Descriptor => manifests.get(platform) ?? root;
const attestationOf = (platform: string): Descriptor => attestations.get(platform) ?? root;

describe('WantedBlobs', () => {
  it('is complete where nothing is wanted, and not before every wanted document was read', () => {
    const wanted = wantedOf();
    assert.equal(wanted.isComplete(), true);
    assert.deepEqual(wanted.learnLayout(layoutOf(root)), [root]);
    assert.deepEqual([wanted.isComplete(), wanted.unread.has(root.digest)], [false, true]);
    const documents = wanted.learnIndex(root, INDEX);
    assert.deepEqual(digestsOf(documents), digestsOf(INDEX.manifests));
    for (const document of documents) {
      const manifest = blobs.json(document.digest) as ImageManifest;
      assert.deepEqual(wanted.learnManifest(document, manifest), []);
      assert.deepEqual(wanted.find(manifest.config.digest), manifest.config);
    }
    assert.equal(wanted.isComplete(), true);
  });

  it('wants of an index the platforms that were asked for, and what refers to them', () => {
    const wanted = wantedOf(['linux/arm64']);
    wanted.learnLayout(layoutOf(root));
    const documents = wanted.learnIndex(root, INDEX);
    assert.deepEqual(digestsOf(documents), digestsOf([manifestOf('linux/arm64'), attestationOf('linux/arm64')]));
    assert.equal(wanted.find(manifestOf('linux/amd64').digest), undefined);
  });

  it('leaves referrers out where they are dropped', () => {
    const wanted = wantedOf(['linux/arm64'], { referrers: 'drop' });
    wanted.learnLayout(layoutOf(root));
    assert.deepEqual(digestsOf(wanted.learnIndex(root, INDEX)), [manifestOf('linux/arm64').digest]);
  });

  it('wants a referrer that was listed before its subject as soon as the subject is wanted', () => {
    const wanted = wantedOf(['linux/arm64']);
    const subject = manifestOf('linux/arm64');
    const referrer = withAnnotations(attestationOf('linux/amd64'), { [ANNOTATIONS.subject]: subject.digest });
    assert.deepEqual(wanted.learnLayout(layoutOf(referrer)), []);
    assert.deepEqual(digestsOf(wanted.learnLayout(layoutOf(subject))), digestsOf([subject, referrer]));
  });

  it('gives children without a platform that of their index', () => {
    const wanted = wantedOf(['linux/arm64']);
    const nested = { ...root, platform: parsePlatform('linux/amd64') };
    const { mediaType, digest, size } = manifestOf('linux/arm64');
    assert.deepEqual(wanted.learnIndex(nested, layoutOf({ mediaType, digest, size })), []);
  });

  it('refuses more blobs than the limit', () => {
    const wanted = wantedOf([], { limits: { maxDescriptors: 2 } });
    assert.throws(() => wanted.learnIndex(root, INDEX), { code: 'ERR_LIMIT_DESCRIPTORS' });
  });
});
