import { gzipSync } from 'node:zlib';
import { encodedOf } from '../../src/model/digest.js';
import { blobPath, jsonEntry } from '../fixtures/archive-entries.js';
import { dockerArchiveEntries, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { seededBytes } from '../fixtures/seeded.js';
import { rawEntry, type TarEntry } from '../fixtures/tar-builder.js';
import { base, loads, withEntries, type CorpusCase } from './corpus.js';
import { runFamily } from './run-family.js';

interface Listed {
  readonly Config: string;
  readonly RepoTags: readonly string[] | null;
  readonly Layers: readonly string[];
}

const { blobs, of } = base();
const IMAGE = dockerImageOf(blobs, of('linux/amd64'), ['example/app:1']);
const ENTRIES = dockerArchiveEntries([IMAGE], { layout: '1.2', symlinkedLayers: false });
const manifest = ENTRIES.find(({ name }) => name === 'manifest.json');
const [listed] = JSON.parse(String(manifest?.body)) as [Listed];
const [firstLayer = '', secondLayer = ''] = listed.Layers;

const THRICE = ['WARN_NAME_DROPPED', 'WARN_NAME_DROPPED', 'WARN_NAME_DROPPED'] as const;
const DROPPED = ['WARN_NAME_DROPPED'] as const;

/** The archive with another value of `manifest.json`. */
function withManifest(value: unknown): CorpusCase[2] {
  return () => ENTRIES.map((entry) => (entry.name === 'manifest.json' ? jsonEntry('manifest.json', value) : entry));
}

/** The archive with some fields of its one image changed. */
function listing(fields: { readonly [Key in keyof Listed]?: unknown }): CorpusCase[2] {
  return withManifest([{ ...listed, ...fields }]);
}

/** The archive with this config, under a name that states no digest. */
function configOf(text: string): CorpusCase[2] {
  const manifest = JSON.stringify([{ ...listed, Config: 'config.json' }]);
  return withEntry('manifest.json', () => Buffer.from(manifest), { name: 'config.json', body: Buffer.from(text) });
}

/** The archive with one entry changed, or without it. */
function withEntry(
  name: string,
  change: (body: Buffer) => Uint8Array | undefined,
  ...more: readonly TarEntry[]
): CorpusCase[2] {
  return () => [
    ...ENTRIES.flatMap((entry) => {
      if (entry.name !== name) return [entry];
      const body = change(Buffer.from(entry.body ?? []));
      return body === undefined ? [] : [{ ...entry, body }];
    }),
    ...more,
  ];
}

/** The first layer under another name, and a link in its place. */
function linkedLayer(type: 'link' | 'symlink', linkname: string, prefix = ''): readonly TarEntry[] {
  const { body } = ENTRIES.find(({ name }) => name === firstLayer) ?? {};
  return [
    { name: `${prefix}real.tar`, body: Buffer.from(body ?? []) },
    { name: `${prefix}${firstLayer}`, type, linkname },
  ];
}

/** The image with its layers and config as blobs, and without a layout. */
function inBlobs(pack: (tar: Buffer) => Buffer): readonly TarEntry[] {
  const { config, layers } = IMAGE;
  const digests = layers.map((tar) => blobs.add(pack(tar)));
  const configDigest = blobs.add(config);
  return [
    jsonEntry('manifest.json', [
      {
        Config: blobPath(configDigest),
        RepoTags: ['example/app:1'],
        Layers: digests.map((digest) => blobPath(digest)),
      },
    ]),
    ...[configDigest, ...digests].map((digest) => ({ name: blobPath(digest), body: blobs.bytes(digest) })),
  ];
}

const outside = `../../${encodedOf(of('linux/amd64').digest)}`;

const CASES: readonly CorpusCase[] = [
  ['an image', loads(), () => ENTRIES],
  ['an image whose layers are blobs', loads(), () => inBlobs((tar) => tar)],
  ['an image whose layers are packed blobs', loads(), () => inBlobs((tar) => gzipSync(tar))],
  ['a config out of the archive', 'ERR_ARCHIVE_FORMAT', listing({ Config: '../../etc/passwd' })],
  ['a config by an absolute path that is not there', 'ERR_BLOB_MISSING', listing({ Config: '/etc/passwd' })],
  [
    'a layer by an absolute path that is not there',
    'ERR_BLOB_MISSING',
    listing({ Layers: ['/etc/passwd', secondLayer] }),
  ],
  [
    'a layer that is a hard link to an absolute name',
    loads(),
    withEntry(firstLayer, () => undefined, ...linkedLayer('link', '/real.tar')),
  ],
  [
    'the same where all names are absolute',
    loads(),
    withEntry(firstLayer, () => undefined, ...linkedLayer('link', '//real.tar', '/')),
  ],
  [
    'a layer that is a hard link out of the archive',
    'ERR_TAR_ENTRY',
    withEntry(firstLayer, () => undefined, ...linkedLayer('link', '/../real.tar')),
  ],
  [
    'a layer that is a symlink to an absolute path',
    'ERR_TAR_ENTRY',
    withEntry(firstLayer, () => undefined, ...linkedLayer('symlink', '/real.tar')),
  ],
  ['layers by absolute paths', loads(), listing({ Layers: [`/${firstLayer}`, `//${secondLayer}`] })],
  ['a layer out of the archive', 'ERR_ARCHIVE_FORMAT', listing({ Layers: [outside, secondLayer] })],
  ['a manifest.json of null', 'ERR_DOCUMENT_INVALID', withManifest(null)],
  ['a manifest.json that lists no image', 'ERR_ARCHIVE_FORMAT', withManifest([])],
  ['a manifest.json of [null]', 'ERR_DOCUMENT_INVALID', withManifest([null])],
  ['a manifest.json of an object', 'ERR_DOCUMENT_INVALID', withManifest({ ...listed })],
  ['a config of null', 'ERR_DOCUMENT_INVALID', listing({ Config: null })],
  ['layers that are not a list', 'ERR_DOCUMENT_INVALID', listing({ Layers: firstLayer })],
  ['layers that are not texts', 'ERR_DOCUMENT_INVALID', listing({ Layers: [1, 2] })],
  ['a key in another case', 'ERR_DOCUMENT_INVALID', withManifest([{ ...listed, layers: [] }])],
  [
    'a key only in another case',
    'ERR_DOCUMENT_INVALID',
    withManifest([{ Config: listed.Config, repoTags: [], Layers: listed.Layers }]),
  ],
  ['fewer layers than diff ids', 'ERR_DIFF_ID_MISMATCH', listing({ Layers: [firstLayer] })],
  ['more layers than diff ids', 'ERR_DIFF_ID_MISMATCH', listing({ Layers: [firstLayer, secondLayer, firstLayer] })],
  ['layers in another order', 'ERR_DIFF_ID_MISMATCH', listing({ Layers: [secondLayer, firstLayer] })],
  ['no layers, though the config has some', 'ERR_DIFF_ID_MISMATCH', listing({ Layers: null })],
  ['a missing config', 'ERR_BLOB_MISSING', withEntry(listed.Config, () => undefined)],
  ['a missing layer', 'ERR_BLOB_MISSING', withEntry(firstLayer, () => undefined)],
  ['a changed layer', 'ERR_DIFF_ID_MISMATCH', withEntry(firstLayer, () => rawEntry({ name: 'evil' }, 'evil'))],
  ['a packed layer cut short', 'ERR_COMPRESSED_DATA', withEntry(firstLayer, (tar) => gzipSync(tar).subarray(0, -20))],
  [
    'a packed layer with bytes behind it',
    'ERR_COMPRESSED_DATA',
    withEntry(firstLayer, (tar) => Buffer.concat([gzipSync(tar), Buffer.from('more')])),
  ],
  [
    'a packed layer of 256 MiB of zeros',
    'ERR_LIMIT_RATIO',
    withEntry(firstLayer, () => gzipSync(Buffer.alloc(256 * 1024 * 1024))),
  ],
  ['a config whose name is not its digest', 'ERR_DIGEST_MISMATCH', withEntry(listed.Config, () => Buffer.from('{'))],
  ['a config that is not JSON', 'ERR_DOCUMENT_INVALID', configOf('{')],
  [
    'a config of 5 MiB',
    'ERR_LIMIT_DOCUMENT',
    withEntry(listed.Config, (config) => Buffer.concat([config, Buffer.alloc(5 * 1024 * 1024, ' ')])),
  ],
  [
    'a layer twice',
    loads(),
    withEntry(firstLayer, (tar) => tar, { name: firstLayer, body: IMAGE.layers[0] ?? Buffer.alloc(0) }),
  ],
  [
    'a layer twice, with other bytes',
    'ERR_TAR_ENTRY',
    withEntry(firstLayer, (tar) => tar, { name: firstLayer, body: seededBytes('other', 1000) }),
  ],
  [
    'a layer and a symlink of its name',
    'ERR_TAR_ENTRY',
    withEntry(firstLayer, (tar) => tar, { name: firstLayer, type: 'symlink', linkname: secondLayer }),
  ],
  [
    'a file twice that no image needs',
    loads(),
    withEntry(firstLayer, (tar) => tar, { name: 'x', body: Buffer.from('1') }, { name: 'x', body: Buffer.from('2') }),
  ],
  [
    'a layer that is a symlink to the other',
    'ERR_DIFF_ID_MISMATCH',
    withEntry(firstLayer, () => undefined, { name: firstLayer, type: 'symlink', linkname: secondLayer }),
  ],
  [
    'a layer that is a symlink to a file of the archive',
    loads(),
    withEntry(
      firstLayer,
      () => undefined,
      { name: 'elsewhere', body: IMAGE.layers[0] ?? Buffer.alloc(0) },
      { name: firstLayer, type: 'symlink', linkname: 'elsewhere' },
    ),
  ],
  [
    'a layer that is a symlink out of the archive',
    'ERR_TAR_ENTRY',
    withEntry(firstLayer, () => undefined, { name: firstLayer, type: 'symlink', linkname: '../../etc/passwd' }),
  ],
  [
    'a layer that is a symlink to itself',
    'ERR_ARCHIVE_FORMAT',
    withEntry(firstLayer, () => undefined, { name: firstLayer, type: 'symlink', linkname: firstLayer }),
  ],
  [
    'a layer that is a symlink to nothing',
    'ERR_BLOB_MISSING',
    withEntry(firstLayer, () => undefined, { name: firstLayer, type: 'symlink', linkname: 'nothing' }),
  ],
  ['an invalid name', loads([''], ['WARN_NAME_DROPPED']), listing({ RepoTags: ['Example//App'] })],
  ['a name with an escape sequence', loads([''], ['WARN_NAME_DROPPED']), listing({ RepoTags: ['a/\u001B[2J:1'] })],
  ['an empty name', loads(['']), listing({ RepoTags: [''] })],
  ['names of null', loads(['']), listing({ RepoTags: null })],
  ['a null among the names', loads(['docker.io/library/d:1'], DROPPED), listing({ RepoTags: ['d:1', null] })],
  ['only a null as name', loads([''], DROPPED), listing({ RepoTags: [null] })],
  ['names that are no texts', loads(['docker.io/library/d:1'], THRICE), listing({ RepoTags: [1, 'd:1', {}, []] })],
  ['a null among the names, strict', 'ERR_REFERENCE_INVALID', listing({ RepoTags: ['d:1', null] }), { strict: true }],
  ['names that are no list', 'ERR_DOCUMENT_INVALID', listing({ RepoTags: 'd:1' })],
  [
    'a manifest.json that names other images than the layout',
    loads(undefined, ['WARN_MANIFEST_JSON']),
    () => withEntries(jsonEntry('manifest.json', [{ ...listed, RepoTags: ['example/evil:1'] }])),
  ],
  [
    'a manifest.json that is not JSON, beside a layout',
    'ERR_DOCUMENT_INVALID',
    () => withEntries({ name: 'manifest.json', body: Buffer.from('[') }),
  ],
];

runFamily('docker-archive', CASES, 54);
