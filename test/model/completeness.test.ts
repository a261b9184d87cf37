import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { completenessOf } from '../../src/model/completeness.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import { digestOf } from '../../src/model/digest.js';
import type { ImageManifest } from '../../src/model/image-manifest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';

const FOREIGN = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';

function blob(name: string, mediaType: string = MEDIA_TYPES.ociLayer): Descriptor {
  return { mediaType, digest: digestOf(name), size: name.length };
}

const root = blob('manifest', MEDIA_TYPES.ociManifest);
const [config, one, two, foreign] = [blob('config', MEDIA_TYPES.ociConfig), blob('1'), blob('2'), blob('f', FOREIGN)];
const manifest = { schemaVersion: 2, config, layers: [foreign, one, two] } as ImageManifest;
const bare = { schemaVersion: 2, config, layers: [] } as ImageManifest;

describe('completenessOf', () => {
  const cases: readonly (readonly [
    what: string,
    descriptor: Descriptor | undefined,
    manifest: ImageManifest | undefined,
    here: readonly Descriptor[],
    expected: ReturnType<typeof completenessOf>,
  ])[] = [
    ['absent where no index lists it', undefined, undefined, [], { state: 'absent' }],
    ['absent also where its content is here', undefined, manifest, [config, one, two], { state: 'absent' }],
    ['missing without its document', root, undefined, [config], { state: 'missing', missing: root.digest }],
    ['missing without its config', root, manifest, [one, two], { state: 'missing', missing: config.digest }],
    ['missing without a layer', root, manifest, [config, one], { state: 'missing', missing: two.digest }],
    ['missing with the first of two digests', root, manifest, [config], { state: 'missing', missing: one.digest }],
    ['complete with config and layers', root, manifest, [config, one, two, foreign], { state: 'complete' }],
    ['complete without a layer that may not be distributed', root, manifest, [config, one, two], { state: 'complete' }],
    ['complete with a config and no layers', root, bare, [config], { state: 'complete' }],
  ];
  for (const [what, descriptor, document, here, expected] of cases) {
    it(`is ${what}`, () => {
      const digests = new Set(here.map(({ digest }) => digest));
      assert.deepEqual(
        completenessOf(descriptor, document, ({ digest }) => digests.has(digest)),
        expected,
      );
    });
  }
});
