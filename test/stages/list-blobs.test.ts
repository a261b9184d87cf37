import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Completeness } from '../../src/model/completeness.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { LadingError } from '../../src/model/errors.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import { limitsOf } from '../../src/model/limits.js';
import { PlatformSet } from '../../src/model/platform-set.js';
import { ListBlobs, type ListBlobsOptions } from '../../src/stages/list-blobs.js';
import type { BlobNeed, ManifestNode } from '../../src/stages/records.js';
import { buildReferrer } from '../fixtures/artifact-builder.js';
import { BlobSet, removeBlob, removeLayers } from '../fixtures/blob-set.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { runStage, stageSuite } from '../suites/stage-suite.js';
import { documentsOf, SetProvider } from './set-provider.js';

const FOREIGN = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';

function nodeOf(descriptor: Descriptor, kind: ManifestNode['kind'] = 'manifest'): ManifestNode {
  const { platform } = descriptor;
  return { target: { descriptor }, descriptor, kind, ...(platform && { platform }) };
}

function optionsOf(blobs: BlobSet, change: Partial<ListBlobsOptions> = {}): ListBlobsOptions {
  const platforms = new PlatformSet<ImageRecord>();
  return { documents: documentsOf(blobs), platforms, foreignLayers: 'drop', ...change };
}

async function list(nodes: readonly ManifestNode[], options: ListBlobsOptions): Promise<readonly BlobNeed[]> {
  return await runStage<BlobNeed>(nodes, new ListBlobs(options));
}

/** A manifest with one layer of its own and one that may not be distributed. */
function withForeignLayer(blobs: BlobSet): { manifest: Descriptor; foreign: Descriptor } {
  const base = buildManifest(blobs, { platform: 'windows/amd64', seed: 'foreign', layers: 1 });
  const foreign = blobs.descriptor('foreign layer', FOREIGN, { urls: ['https://example.com/layer'] });
  const document = blobs.json(base.digest) as { layers: Descriptor[] };
  const value = { ...document, layers: [foreign, ...document.layers] };
  return { manifest: blobs.document(value, base.mediaType, { platform: base.platform! }), foreign };
}

const shared = new BlobSet();
const one = buildManifest(shared, { platform: 'linux/amd64', seed: 1 });
stageSuite('ListBlobs', {
  make: () => new ListBlobs(optionsOf(shared)),
  inputs: () => Array.from({ length: 200 }, () => nodeOf(one)),
  maxAhead: 24,
});

describe('ListBlobs', () => {
  it('lists a manifest, its config and its layers in their order, including repeated ones', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1, layers: ['a', 'b', 'a'] });
    const needs = await list([nodeOf(manifest)], optionsOf(blobs));
    const { config, layers = [] } = blobs.links(manifest.digest);
    assert.deepEqual(
      needs.map(({ descriptor }) => descriptor.digest),
      [manifest, config!, ...layers].map(({ digest }) => digest),
    );
    assert.deepEqual(
      needs.map(({ kind }) => kind),
      ['manifest', 'config', 'layer', 'layer', 'layer'],
    );
    assert.ok(needs.every((need) => need.manifest === manifest.digest));
  });

  it('lists an index alone, and content of an unknown type as one blob', async () => {
    const blobs = new BlobSet();
    const index = buildIndex(blobs, []);
    const opaque = blobs.descriptor('anything', 'application/vnd.example.thing');
    const needs = await list([nodeOf(index, 'index'), nodeOf(opaque, 'opaque')], optionsOf(blobs));
    assert.deepEqual(
      needs.map(({ kind, descriptor }) => [kind, descriptor]),
      [
        ['index', index],
        ['layer', opaque],
      ],
    );
  });

  const gaps: readonly (readonly [what: string, take: (blobs: BlobSet, manifest: Descriptor) => Descriptor])[] = [
    ['the manifest', (_, manifest) => manifest],
    ['the config', (blobs, manifest) => blobs.links(manifest.digest).config!],
    ['the last layer', (blobs, manifest) => blobs.links(manifest.digest).layers!.at(-1)!],
  ];
  for (const [what, take] of gaps) {
    it(`lists nothing of a manifest if ${what} is missing, and notes the missing digest`, async () => {
      const blobs = new BlobSet();
      const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
      const missing = take(blobs, manifest);
      removeBlob(blobs, missing);
      const node = nodeOf(manifest);
      const listed: Completeness[] = [];
      const options = optionsOf(blobs, { onListed: (_, completeness) => void listed.push(completeness) });
      assert.deepEqual(await list([node], options), []);
      assert.deepEqual(listed, [{ state: 'missing', missing: missing.digest }]);
      assert.deepEqual(options.platforms.outcomesOf(node.target), [
        { platform: manifest.platform, digest: manifest.digest, state: 'missing', missing: missing.digest },
      ]);
    });
  }

  it('notes a complete manifest, and does not note a referrer', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
    const referrer = buildReferrer(blobs, manifest, { seed: 1 });
    const node = nodeOf(manifest);
    const options = optionsOf(blobs);
    await list([node, { ...nodeOf(referrer), target: node.target, subject: manifest.digest }], options);
    assert.deepEqual(
      options.platforms.outcomesOf(node.target).map(({ digest, state }) => [digest, state]),
      [[manifest.digest, 'complete']],
    );
  });

  it('drops a layer that may not be distributed, or keeps it if it came along', async () => {
    const blobs = new BlobSet();
    const { manifest, foreign } = withForeignLayer(blobs);
    const count = async (change: Partial<ListBlobsOptions>): Promise<number> =>
      (await list([nodeOf(manifest)], optionsOf(blobs, change))).length;
    assert.equal(await count({ foreignLayers: 'drop' }), 3);
    assert.equal(await count({ foreignLayers: 'keep' }), 4);
    removeBlob(blobs, foreign);
    assert.equal(await count({ foreignLayers: 'keep' }), 3);
  });

  it('refuses a blob whose size is not that of its descriptor, or counts it as missing', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
    const layer = blobs.links(manifest.digest).layers![0]!;
    blobs.set(layer.digest, Buffer.from('short'));
    await assert.rejects(list([nodeOf(manifest)], optionsOf(blobs)), { code: 'ERR_SIZE_MISMATCH' });
    const damaged: LadingError[] = [];
    assert.deepEqual(
      await list(
        [nodeOf(manifest)],
        optionsOf(blobs, { documents: documentsOf(blobs, { onDamage: (error) => void damaged.push(error) }) }),
      ),
      [],
    );
    assert.deepEqual(
      damaged.map(({ code }) => code),
      ['ERR_SIZE_MISMATCH'],
    );
  });

  it('refuses a damaged manifest, or counts it as missing', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1 });
    blobs.set(manifest.digest, Buffer.alloc(manifest.size, ' '));
    await assert.rejects(list([nodeOf(manifest)], optionsOf(blobs)), { code: 'ERR_DIGEST_MISMATCH' });
    const damaged: LadingError[] = [];
    await list(
      [nodeOf(manifest)],
      optionsOf(blobs, { documents: documentsOf(blobs, { onDamage: (error) => void damaged.push(error) }) }),
    );
    assert.deepEqual(
      damaged.map(({ code }) => code),
      ['ERR_DIGEST_MISMATCH'],
    );
  });

  it('refuses more layers than the limit', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1, layers: 3 });
    const limits = limitsOf({ maxLayers: 2 });
    await assert.rejects(list([nodeOf(manifest)], optionsOf(blobs, { documents: documentsOf(blobs, { limits }) })), {
      code: 'ERR_LIMIT_DESCRIPTORS',
    });
  });

  it('lists nothing of a missing index, and notes that it is missing', async () => {
    const blobs = new BlobSet();
    const index = buildIndex(blobs, []);
    removeBlob(blobs, index);
    const listed: Completeness[] = [];
    const options = optionsOf(blobs, { onListed: (_, completeness) => void listed.push(completeness) });
    assert.deepEqual(await list([nodeOf(index, 'index')], options), []);
    assert.deepEqual(listed, [{ state: 'missing', missing: index.digest }]);
  });

  it('looks at most 16 blobs up at once', async () => {
    const blobs = new BlobSet();
    const layers = Array.from({ length: 60 }, (_, at) => `layer-${at}`);
    const manifest = buildManifest(blobs, { platform: 'linux/amd64', seed: 1, layers, layerBytes: 10 });
    const provider = new SetProvider(blobs);
    await list([nodeOf(manifest)], optionsOf(blobs, { documents: documentsOf(provider) }));
    assert.equal(provider.mostLookups, 16);
    removeLayers(blobs, manifest);
  });
});
