import type { Descriptor } from '../../src/model/descriptor.js';
import { digestOf, parseDigest } from '../../src/model/digest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { indexJson } from '../fixtures/archive-builder.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { buildIndex } from '../fixtures/manifest-builder.js';
import { tarOf } from '../fixtures/tar-builder.js';
import {
  base,
  BASE_NAME,
  changed,
  flipped,
  layoutOf,
  loads,
  single,
  withBody,
  withEntries,
  withIndex,
  type CorpusCase,
} from './corpus.js';
import { runFamily } from './run-family.js';

const MIB = 1024 * 1024;
const BUILT = base();
const INDEX = indexJson(BUILT.images);
const [LISTED] = INDEX.manifests as readonly [Descriptor];
const TEXT = JSON.stringify(INDEX);

/** `index.json` with some fields of the one descriptor that it lists changed. */
function listing(fields: { readonly [key: string]: unknown }): CorpusCase[2] {
  return () => withIndex({ ...INDEX, manifests: [{ ...LISTED, ...fields }] });
}

/** The base image's blobs, with these bytes as the root, valid or not. */
function rootOf(bytes: string | Uint8Array, mediaType: string = MEDIA_TYPES.ociManifest): CorpusCase[2] {
  const root = { mediaType, digest: digestOf(bytes), size: Buffer.byteLength(bytes) };
  const blob = { name: blobPath(root.digest), body: Buffer.from(bytes) };
  return () => [...withIndex({ ...INDEX, manifests: [root] }).filter(({ name }) => name !== blob.name), blob];
}

/** The manifest of the base image with some fields changed, as the root. */
function manifestWith(fields: { readonly [key: string]: unknown }): CorpusCase[2] {
  return rootOf(JSON.stringify({ ...MANIFEST, ...fields }));
}

const MANIFEST = BUILT.blobs.json(BUILT.of('linux/amd64').digest) as {
  config: Descriptor;
  layers: readonly Descriptor[];
};
const CONFIG = BUILT.blobs.json(MANIFEST.config.digest) as object;
const LAYER = MANIFEST.layers[0] as Descriptor;

/** The manifest of the base image with another config. */
function configOf(bytes: string | Uint8Array): CorpusCase[2] {
  return () => {
    const { blobs } = base();
    const config = blobs.descriptor(bytes, MEDIA_TYPES.ociConfig);
    const root = blobs.document({ ...MANIFEST, config }, MEDIA_TYPES.ociManifest, {
      platform: { os: 'linux', architecture: 'amd64' },
    });
    return layoutOf([{ root, name: BASE_NAME }], blobs);
  };
}

const NESTED = `${'['.repeat(100_000)}${']'.repeat(100_000)}`;

const LIMITS: readonly CorpusCase[] = [
  ['an index.json of 21 MiB', 'ERR_LIMIT_DOCUMENT', () => withBody('index.json', TEXT.padEnd(21 * MIB))],
  [
    'a manifest.json of 21 MiB',
    'ERR_LIMIT_DOCUMENT',
    () => withEntries({ name: 'manifest.json', body: Buffer.alloc(21 * MIB, ' ') }),
  ],
  [
    'an oci-layout of 5 KiB',
    'ERR_LIMIT_DOCUMENT',
    () => withBody('oci-layout', '{"imageLayoutVersion":"1.0.0"}'.padEnd(5 * 1024)),
  ],
  ['a manifest of 5 MiB', 'ERR_LIMIT_DOCUMENT', rootOf(JSON.stringify(MANIFEST).padEnd(5 * MIB))],
  ['a nested index of 5 MiB', 'ERR_LIMIT_DOCUMENT', rootOf(TEXT.padEnd(5 * MIB), MEDIA_TYPES.ociIndex)],
  ['a config of 5 MiB', 'ERR_LIMIT_DOCUMENT', configOf(JSON.stringify(CONFIG).padEnd(5 * MIB))],
  [
    'an annotation of 8 MiB in index.json',
    'ERR_LIMIT_DOCUMENT',
    listing({ annotations: { large: 'x'.repeat(8 * MIB) } }),
  ],
  [
    'an annotation of 8 MiB in a manifest',
    'ERR_LIMIT_DOCUMENT',
    manifestWith({ annotations: { large: 'x'.repeat(8 * MIB) } }),
  ],
  ['100 000 nested arrays as index.json', 'ERR_LIMIT_DEPTH', () => withIndex(NESTED)],
  [
    '100 000 nested arrays in index.json',
    'ERR_LIMIT_DEPTH',
    () => withIndex(`{"schemaVersion":2,"x":${NESTED},"manifests":[]}`),
  ],
  ['100 000 nested arrays as a manifest', 'ERR_LIMIT_DEPTH', rootOf(NESTED)],
  ['100 000 nested arrays as a config', 'ERR_LIMIT_DEPTH', configOf(NESTED)],
  ['100 000 nested arrays as oci-layout', 'ERR_LIMIT_DOCUMENT', () => withBody('oci-layout', NESTED)],
  ['200 nested indexes', 'ERR_LIMIT_DEPTH', () => nested(200, 1)],
  ['16 levels of 4 equal references each', loads(), () => nested(16, 4)],
  ['17 levels of indexes', 'ERR_LIMIT_DEPTH', () => nested(17, 1)],
  [
    '20 000 descriptors of missing manifests, in an index',
    'ERR_BLOB_MISSING',
    () => tarOf(absent(20_000)),
    { isLarge: true },
  ],
  [
    '40 000 descriptors of missing manifests',
    'ERR_BLOB_MISSING',
    () => tarOf(withIndex(listOf(40_000))),
    { isLarge: true },
  ],
  [
    '100 001 descriptors of missing manifests',
    'ERR_LIMIT_DESCRIPTORS',
    () => tarOf(withIndex(listOf(100_001))),
    { isLarge: true },
  ],
  [
    'a manifest of 5 000 layers',
    'ERR_LIMIT_DESCRIPTORS',
    manifestWith({ layers: Array.from({ length: 5000 }, () => LAYER) }),
  ],
];

/** Nested indexes, each with several equal references to the next. The innermost one lists a manifest. */
function nested(levels: number, references: number): ReturnType<typeof layoutOf> {
  const { blobs, of } = base();
  let root = of('linux/amd64');
  for (let level = 0; level < levels; level += 1) {
    root = buildIndex(
      blobs,
      Array.from({ length: references }, () => root),
    );
  }
  return layoutOf([{ root, name: BASE_NAME }], blobs);
}

/** A short descriptor, so that many of them fit into an index of the allowed size. */
function descriptorAt(_: unknown, at: number): Descriptor {
  const digest = parseDigest(`sha256:${at.toString(16).padStart(64, '0')}`);
  return { mediaType: MEDIA_TYPES.ociManifest, digest, size: 9 };
}

function listOf(count: number): { readonly schemaVersion: 2; readonly manifests: readonly Descriptor[] } {
  return { schemaVersion: 2, manifests: Array.from({ length: count }, descriptorAt) };
}

function absent(count: number): ReturnType<typeof layoutOf> {
  const blobs = new BlobSet();
  return layoutOf([{ root: blobs.document(listOf(count), MEDIA_TYPES.ociIndex), name: BASE_NAME }], blobs);
}

/** Bytes that are not a valid document of any kind. */
const NO_DOCUMENTS: readonly (readonly [what: string, bytes: string | Buffer])[] = [
  ['nothing', ''],
  ['a list', '[]'],
  ['null', 'null'],
  ['a text', '"text"'],
  ['half an object', '{"schemaVersion":2'],
  ['two JSON values', '{}{}'],
  ['one comma too many', '{"schemaVersion":2,}'],
  ['a byte-order mark', '\u{FEFF}{}'],
  ['bytes that are not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
  ['a key twice', '{"schemaVersion":2,"schemaVersion":2}'],
  ['a key twice, in lower case and capitalised', '{"manifests":[],"layers":[],"config":{},"Manifests":[]}'],
];

const DOCUMENTS: readonly CorpusCase[] = NO_DOCUMENTS.flatMap(([what, bytes]): CorpusCase[] => [
  [`${what} as index.json`, 'ERR_DOCUMENT_INVALID', () => withIndex(bytes)],
  [`${what} as a manifest`, 'ERR_DOCUMENT_INVALID', rootOf(bytes)],
  [`${what} as a nested index`, 'ERR_DOCUMENT_INVALID', rootOf(bytes, MEDIA_TYPES.ociIndex)],
  [`${what} as a config`, 'ERR_DOCUMENT_INVALID', configOf(bytes)],
]);

const LAYOUT: readonly CorpusCase[] = [
  ['no oci-layout', 'ERR_ARCHIVE_FORMAT', () => changed((entry) => (entry.name === 'oci-layout' ? undefined : entry))],
  ['no index.json', 'ERR_ARCHIVE_FORMAT', () => changed((entry) => (entry.name === 'index.json' ? undefined : entry))],
  [
    'neither layout nor manifest.json',
    'ERR_ARCHIVE_FORMAT',
    () => changed((entry) => (entry.name.endsWith('n') || entry.name === 'oci-layout' ? undefined : entry)),
  ],
  [
    'INDEX.JSON in place of index.json',
    'ERR_ARCHIVE_FORMAT',
    () => changed((entry) => (entry.name === 'index.json' ? { ...entry, name: 'INDEX.JSON' } : entry)),
  ],
  ['a layout of version 9', 'ERR_FORMAT_UNSUPPORTED', () => withBody('oci-layout', '{"imageLayoutVersion":"9.0.0"}')],
  ['a layout without version', 'ERR_FORMAT_UNSUPPORTED', () => withBody('oci-layout', '{}')],
  [
    'a layout whose version is not a text',
    'ERR_FORMAT_UNSUPPORTED',
    () => withBody('oci-layout', '{"imageLayoutVersion":1}'),
  ],
  ['an oci-layout of null', 'ERR_DOCUMENT_INVALID', () => withBody('oci-layout', 'null')],
  [
    'an oci-layout with its key in another case',
    'ERR_DOCUMENT_INVALID',
    () => withBody('oci-layout', '{"imageLayoutVersion":"1.0.0","ImageLayoutVersion":"1.0.0"}'),
  ],
  ['schemaVersion 1', 'ERR_DOCUMENT_INVALID', () => withIndex({ ...INDEX, schemaVersion: 1 })],
  ['schemaVersion as a text', 'ERR_DOCUMENT_INVALID', () => withIndex({ ...INDEX, schemaVersion: '2' })],
  ['a manifest of schemaVersion 1', 'ERR_DOCUMENT_INVALID', manifestWith({ schemaVersion: 1 })],
  ['manifests that are not a list', 'ERR_DOCUMENT_INVALID', () => withIndex({ ...INDEX, manifests: { 0: LISTED } })],
  ['manifests of null, which is an empty list', 'ERR_ARCHIVE_FORMAT', () => withIndex({ ...INDEX, manifests: null })],
  [
    'a key only in another case',
    'ERR_DOCUMENT_INVALID',
    () => withIndex({ ...INDEX, MediaType: MEDIA_TYPES.ociIndex, mediaType: undefined }),
  ],
  ['a platform in another case', 'ERR_DOCUMENT_INVALID', listing({ Platform: { os: 'linux', architecture: 's390x' } })],
  ['a key with a long s in place of an s', 'ERR_DOCUMENT_INVALID', () => withIndex({ ...INDEX, 'manife\u017Fts': [] })],
  [
    'an index.json with the media type of a manifest',
    'ERR_MEDIA_TYPE',
    () => withIndex({ ...INDEX, mediaType: MEDIA_TYPES.ociManifest }),
  ],
  ['an index.json without images', 'ERR_ARCHIVE_FORMAT', () => withIndex({ schemaVersion: 2, manifests: [] })],
  ['unknown fields', loads(), () => withIndex({ ...INDEX, 'x-unknown': [1, { y: null }] })],
];

const TYPES: readonly CorpusCase[] = [
  ['a manifest with layers and manifests', 'ERR_DOCUMENT_INVALID', manifestWith({ manifests: [LISTED] })],
  [
    'an index with manifests and layers',
    'ERR_DOCUMENT_INVALID',
    rootOf(JSON.stringify({ ...INDEX, layers: [] }), MEDIA_TYPES.ociIndex),
  ],
  ['an index.json with a config', 'ERR_DOCUMENT_INVALID', () => withIndex({ ...INDEX, config: MANIFEST.config })],
  [
    'a manifest that its descriptor calls an index',
    'ERR_MEDIA_TYPE',
    rootOf(JSON.stringify(MANIFEST), MEDIA_TYPES.ociIndex),
  ],
  ['an index that its descriptor calls a manifest', 'ERR_MEDIA_TYPE', rootOf(TEXT, MEDIA_TYPES.ociManifest)],
  [
    'an OCI manifest that its descriptor calls a Docker one',
    'ERR_MEDIA_TYPE',
    rootOf(JSON.stringify(MANIFEST), MEDIA_TYPES.dockerManifest),
  ],
  [
    'a manifest without a type that its descriptor calls an index',
    'ERR_DOCUMENT_INVALID',
    rootOf(JSON.stringify({ ...MANIFEST, mediaType: undefined }), MEDIA_TYPES.ociIndex),
  ],
  ['a media type that is not a text', 'ERR_DOCUMENT_INVALID', manifestWith({ mediaType: 7 })],
  ['a manifest without config', 'ERR_DOCUMENT_INVALID', manifestWith({ config: undefined })],
  ['a manifest whose config is a list', 'ERR_DOCUMENT_INVALID', manifestWith({ config: [] })],
  ['a manifest without layers', 'ERR_DOCUMENT_INVALID', manifestWith({ layers: undefined })],
  ['layers of null, which is an empty list, and diff ids', 'ERR_DIFF_ID_MISMATCH', manifestWith({ layers: null })],
  ['a subject that is not a descriptor', 'ERR_DESCRIPTOR_INVALID', manifestWith({ subject: {} })],
  ['annotations that are a list', 'ERR_DOCUMENT_INVALID', listing({ annotations: [] })],
  ['annotations of a manifest that are not texts', 'ERR_DOCUMENT_INVALID', manifestWith({ annotations: { a: 1 } })],
  ['a platform that is a text', 'ERR_DOCUMENT_INVALID', listing({ platform: 'linux/amd64' })],
  ['a platform whose os is a number', 'ERR_DOCUMENT_INVALID', listing({ platform: { os: 1, architecture: 'amd64' } })],
  [
    'diff ids that are not a list',
    'ERR_DOCUMENT_INVALID',
    configOf(JSON.stringify({ ...CONFIG, rootfs: { diff_ids: 'x' } })),
  ],
  [
    'features of a platform with a null',
    loads(),
    listing({ platform: { os: 'linux', architecture: 'amd64', 'os.features': [null, 'x', null] } }),
  ],
  ['features of a platform that are no texts', 'ERR_DOCUMENT_INVALID', listing({ platform: { 'os.features': [1] } })],
  ['urls with a null', loads(), listing({ urls: [null] })],
  ['features of a config with a null', loads(), configOf(JSON.stringify({ ...CONFIG, 'os.features': [null] }))],
  [
    'features of a config that are no list',
    'ERR_DOCUMENT_INVALID',
    configOf(JSON.stringify({ ...CONFIG, 'os.features': 'x' })),
  ],
  ['a config whose os is a number', 'ERR_DOCUMENT_INVALID', configOf(JSON.stringify({ ...CONFIG, os: 7 }))],
  ['a config with two rootfs', 'ERR_DOCUMENT_INVALID', configOf(JSON.stringify({ ...CONFIG, Rootfs: {} }))],
  ['a __proto__ key in index.json', loads(), () => withIndex(TEXT.replace('{', '{"__proto__":{"manifests":[]},'))],
  [
    'a __proto__ key in a descriptor',
    loads(),
    () => withIndex(TEXT.replace('"manifests":[{', '"manifests":[{"__proto__":{"platform":{"os":"evil"}},')),
  ],
  [
    'a __proto__ key in a config',
    loads(),
    configOf(JSON.stringify(CONFIG).replace('{', '{"__proto__":{"os":"evil"},')),
  ],
];

/** Invalid digests, each used for the root and for a layer. */
const DIGESTS: readonly CorpusCase[] = [
  ['that climbs', 'sha256:../../../../etc/passwd'],
  ['that climbs and is long enough', `sha256:${'../'.repeat(21)}a`],
  ['in upper case', LISTED.digest.toUpperCase()],
  ['with hex in upper case', `sha256:${'A'.repeat(64)}`],
  ['of an unknown algorithm', 'md5:d41d8cd98f00b204e9800998ecf8427e'],
  ['of an algorithm with a slash', `sha256/../x:${'a'.repeat(64)}`],
  ['that is short', 'sha256:abc'],
  ['that is empty', ''],
  ['with a line feed at its end', `${LISTED.digest}\n`],
  ['that is not a text', 7],
].flatMap(([what, digest]): CorpusCase[] => [
  [`the root’s digest ${what}`, 'ERR_DESCRIPTOR_INVALID', listing({ digest })],
  [`a layer’s digest ${what}`, 'ERR_DESCRIPTOR_INVALID', manifestWith({ layers: [{ ...LAYER, digest }] })],
]);

const SIZES: readonly CorpusCase[] = [
  ...[-1, 1.5, '9', null].map((size): CorpusCase => [
    `a size of ${JSON.stringify(size)}`,
    'ERR_DESCRIPTOR_INVALID',
    listing({ size }),
  ]),
  [
    'a size over 2^53',
    'ERR_DESCRIPTOR_INVALID',
    () => withIndex(TEXT.replace(/"size":\d+/, '"size":9007199254740993')),
  ],
  ['a size of 1e400', 'ERR_DESCRIPTOR_INVALID', () => withIndex(TEXT.replace(/"size":\d+/, '"size":1e400'))],
  ['a layer with a negative size', 'ERR_DESCRIPTOR_INVALID', manifestWith({ layers: [{ ...LAYER, size: -1 }] })],
  ['a wrong size of the root', 'ERR_SIZE_MISMATCH', listing({ size: LISTED.size + 1 })],
  ['a wrong size of a layer', 'ERR_SIZE_MISMATCH', manifestWith({ layers: [{ ...LAYER, size: LAYER.size - 1 }] })],
  ['a wrong size of a config', 'ERR_SIZE_MISMATCH', manifestWith({ config: { ...MANIFEST.config, size: 5 } })],
  ['a wrong size of a child', 'ERR_SIZE_MISMATCH', () => childOf({ size: 10 })],
];

/** The base image in an index whose one descriptor has some fields changed. */
function childOf(fields: Partial<Descriptor>): ReturnType<typeof layoutOf> {
  const { blobs, of } = base();
  return layoutOf([{ root: buildIndex(blobs, [{ ...of('linux/amd64'), ...fields }]), name: BASE_NAME }], blobs);
}

const rootBytes = BUILT.blobs.bytes(LISTED.digest);
const foreign = {
  mediaType: 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip',
  digest: digestOf('foreign'),
  size: 7,
  urls: ['http://127.0.0.1:9/never'],
};

const FIELDS: readonly CorpusCase[] = [
  ['data that is the content', loads(), listing({ data: rootBytes.toString('base64') })],
  ['data of another digest', 'ERR_DIGEST_MISMATCH', listing({ data: flipped(rootBytes).toString('base64') })],
  ['data of another size', 'ERR_SIZE_MISMATCH', listing({ data: 'e30=' })],
  ['data that is not base64', 'ERR_DESCRIPTOR_INVALID', listing({ data: '!!!' })],
  ['data that is not a text', 'ERR_DESCRIPTOR_INVALID', listing({ data: 5 })],
  [
    'urls that are not a list',
    'ERR_DOCUMENT_INVALID',
    manifestWith({ layers: [{ ...LAYER, urls: 'http://127.0.0.1' }] }),
  ],
  ['an artifact type that is not a text', 'ERR_DOCUMENT_INVALID', listing({ artifactType: 7 })],
  ['a missing media type', 'ERR_DESCRIPTOR_INVALID', listing({ mediaType: undefined })],
  [
    'a foreign layer that would have to be fetched',
    loads(),
    () => {
      const { blobs } = single();
      const config = blobs.document(
        { ...CONFIG, rootfs: { type: 'layers', diff_ids: [digestOf('foreign')] } },
        MEDIA_TYPES.ociConfig,
      );
      const root = blobs.document({ ...MANIFEST, config, layers: [foreign] }, MEDIA_TYPES.ociManifest, {
        platform: { os: 'linux', architecture: 'amd64' },
      });
      return layoutOf([{ root, name: BASE_NAME }], blobs);
    },
  ],
];

runFamily('json', [...LIMITS, ...DOCUMENTS, ...LAYOUT, ...TYPES, ...DIGESTS, ...SIZES, ...FIELDS], 152);
