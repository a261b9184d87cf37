import type { Descriptor } from '../../src/model/descriptor.js';
import { digestOf } from '../../src/model/digest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { blobPath } from '../fixtures/archive-entries.js';
import type { Example } from '../fixtures/example.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { base, BASE_NAME, flipped, layoutOf, loads, single, withBlob, withEntries, type CorpusCase } from './corpus.js';
import { runFamily } from './run-family.js';

interface Manifest {
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

const manifestOf = (built: Example): Descriptor => built.of('linux/amd64');
const documentOf = (built: Example): Manifest => built.blobs.json(manifestOf(built).digest) as Manifest;
const PARTS: Readonly<Record<string, (built: Example) => Descriptor>> = {
  layer: (built) => documentOf(built).layers[1] as Descriptor,
  config: (built) => documentOf(built).config,
  manifest: manifestOf,
  'root index': ({ root }) => root,
};

const DAMAGE: readonly CorpusCase[] = Object.entries(PARTS).flatMap(([part, pick]): CorpusCase[] => [
  [`a flipped bit in a ${part}`, 'ERR_DIGEST_MISMATCH', () => withBlob(pick, flipped)],
  [`a ${part} without its last byte`, 'ERR_SIZE_MISMATCH', () => withBlob(pick, (body) => body.subarray(0, -1))],
  [
    `a ${part} with one more byte`,
    'ERR_SIZE_MISMATCH',
    () => withBlob(pick, (body) => Buffer.concat([body, Buffer.from(' ')])),
  ],
  [`an empty ${part}`, 'ERR_SIZE_MISMATCH', () => withBlob(pick, () => Buffer.alloc(0))],
  [`an image of one platform without its ${part}`, 'ERR_BLOB_MISSING', () => withBlob(pick, () => undefined, single())],
]);

/** The base image below one more index; `change` is applied to its own index, which is then the nested one. */
function nested(change: (body: Buffer) => Uint8Array | undefined): CorpusCase[2] {
  return () => {
    const { root, blobs } = base();
    const outer = buildIndex(blobs, [root]);
    const entries = layoutOf([{ root: outer, name: BASE_NAME }], blobs);
    return entries.flatMap((entry) => {
      if (entry.name !== blobPath(root.digest)) return [entry];
      const body = change(Buffer.from(entry.body ?? []));
      return body === undefined ? [] : [{ ...entry, body }];
    });
  };
}

const WHERE: readonly CorpusCase[] = [
  ['a flipped bit in a nested index', 'ERR_DIGEST_MISMATCH', nested(flipped)],
  ['a nested index without its last byte', 'ERR_SIZE_MISMATCH', nested((body) => body.subarray(0, -1))],
  ['a missing nested index', 'ERR_BLOB_MISSING', nested(() => undefined)],
  [
    'a missing layer of one of two platforms',
    loads(undefined, ['WARN_PLATFORM_MISSING']),
    () => withBlob(PARTS['layer'] as () => Descriptor, () => undefined),
  ],
  [
    'a missing manifest of one of two platforms',
    loads(undefined, ['WARN_PLATFORM_MISSING']),
    () => withBlob(manifestOf, () => undefined),
  ],
  [
    'a missing config of one of two platforms',
    loads(undefined, ['WARN_PLATFORM_MISSING']),
    () => withBlob(PARTS['config'] as () => Descriptor, () => undefined),
  ],
  [
    'a blob of the wrong content that no image needs',
    loads(),
    () => withEntries({ name: blobPath(digestOf('never')), body: Buffer.from('lie') }),
  ],
  [
    'a sha512 blob of the wrong content that no image needs',
    loads(),
    () => withEntries({ name: blobPath(digestOf('never', 'sha512')), body: Buffer.from('lie') }),
  ],
];

/** The base image's manifest with other layers or another config. The descriptor has the platform given. */
function imageOf(
  change: (built: Example, document: Manifest, config: Config) => { layers?: readonly Descriptor[]; config?: object },
  platform: Descriptor['platform'] | undefined = { os: 'linux', architecture: 'amd64' },
): CorpusCase[2] {
  return () => {
    const built = base();
    const { blobs } = built;
    const document = documentOf(built);
    const { layers = document.layers, config } = change(built, document, blobs.json(document.config.digest) as Config);
    const described = config === undefined ? document.config : blobs.document(config, MEDIA_TYPES.ociConfig);
    const root = blobs.document(
      { ...document, config: described, layers },
      MEDIA_TYPES.ociManifest,
      platform && { platform },
    );
    return layoutOf([{ root, name: BASE_NAME }], blobs);
  };
}

interface Config {
  readonly rootfs: { readonly type: string; readonly diff_ids: readonly string[] };
}

const withDiffIds = (change: (ids: readonly string[]) => readonly string[]): CorpusCase[2] =>
  imageOf((_, __, config) => ({
    config: { ...config, rootfs: { ...config.rootfs, diff_ids: change(config.rootfs.diff_ids) } },
  }));

const CONFIGS: readonly CorpusCase[] = [
  ['one diff id too few', 'ERR_DIFF_ID_MISMATCH', withDiffIds((ids) => ids.slice(1))],
  ['one diff id too many', 'ERR_DIFF_ID_MISMATCH', withDiffIds((ids) => [...ids, digestOf('more')])],
  ['no diff ids', 'ERR_DIFF_ID_MISMATCH', imageOf((_, __, config) => ({ config: { ...config, rootfs: undefined } }))],
  [
    'a diff id that is not a digest',
    'ERR_DOCUMENT_INVALID',
    withDiffIds((ids) => [...ids.slice(1), '../../etc/passwd']),
  ],
  [
    'a wrong diff id, which only deep verification finds',
    loads(),
    withDiffIds((ids) => [...ids.slice(1), digestOf('other')]),
  ],
  [
    'a config whose platform differs from its descriptor',
    loads(undefined, ['WARN_PLATFORM_MISMATCH']),
    imageOf(() => ({}), { os: 'linux', architecture: 's390x' }),
  ],
  [
    'a config whose platform differs from its descriptor, strictly',
    'ERR_PLATFORM_MISMATCH',
    imageOf(() => ({}), { os: 'linux', architecture: 's390x' }),
    { strict: true },
  ],
  [
    'a config whose os differs from its descriptor, strictly',
    'ERR_PLATFORM_MISMATCH',
    imageOf(() => ({}), { os: 'windows', architecture: 'amd64' }),
    { strict: true },
  ],
  [
    'a config of the same platform in another spelling, strictly',
    loads(),
    imageOf(() => ({}), { os: 'linux', architecture: 'x86_64' }),
    { strict: true },
  ],
  ['a descriptor without platform, strictly', loads(), imageOf(() => ({}), undefined), { strict: true }],
  ['a config that is not JSON', 'ERR_DOCUMENT_INVALID', () => configBytes('{"os":')],
  ['a config that is a layer', 'ERR_DOCUMENT_INVALID', () => configBytes(Buffer.alloc(1024))],
  [
    'an image whose one layer is empty',
    loads(),
    imageOf(({ blobs }, _, config) => ({
      layers: [blobs.descriptor('', MEDIA_TYPES.ociLayer)],
      config: { ...config, rootfs: { type: 'layers', diff_ids: [digestOf('')] } },
    })),
  ],
];

/** An image whose config is these bytes. */
function configBytes(bytes: string | Buffer): ReturnType<typeof layoutOf> {
  const built = base();
  const config = built.blobs.descriptor(bytes, MEDIA_TYPES.ociConfig);
  const root = built.blobs.document({ ...documentOf(built), config }, MEDIA_TYPES.ociManifest, {
    platform: { os: 'linux', architecture: 'amd64' },
  });
  return layoutOf([{ root, name: BASE_NAME }], built.blobs);
}

const SECOND: readonly CorpusCase[] = [
  [
    'damage in the second of two images',
    'ERR_DIGEST_MISMATCH',
    () => {
      const built = base();
      const broken = buildManifest(built.blobs, { platform: 'linux/amd64', seed: 'broken' });
      const layer = (built.blobs.json(broken.digest) as Manifest).layers[0] as Descriptor;
      const entries = layoutOf([...built.images, { root: broken, name: 'b:1' }], built.blobs);
      return entries.map((entry) =>
        entry.name === blobPath(layer.digest) ? { ...entry, body: flipped(Buffer.from(entry.body ?? [])) } : entry,
      );
    },
  ],
];

runFamily('content', [...DAMAGE, ...WHERE, ...CONFIGS, ...SECOND], 42);
