import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readAll } from '../../src/content/check-document.js';
import type { ContentProvider } from '../../src/content/content-provider.js';
import { Documents } from '../../src/content/documents.js';
import { parseIndexBytes } from '../../src/content/parse-document.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import { digestOf, parseDigest, type Digest } from '../../src/model/digest.js';
import { LadingError } from '../../src/model/errors.js';
import { DEFAULT_LIMITS, limitsOf, type Limits } from '../../src/model/limits.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { buildReferrer } from '../fixtures/artifact-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildManifest } from '../fixtures/manifest-builder.js';

const LAYER = { mediaType: MEDIA_TYPES.ociLayer, digest: digestOf('layer'), size: 5 };
const CONFIG = { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf('{}'), size: 2 };
const MANIFEST = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config: CONFIG, layers: [LAYER] };
const CHILD = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf('child'), size: 5 };
const INDEX = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [CHILD] };

/** A provider of the set's blobs that counts opened blobs. */
class SetProvider implements ContentProvider {
  readonly blobs = new BlobSet();
  opened = 0;

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    const bytes = this.blobs.get(digest);
    return bytes && { size: bytes.length };
  }

  async *open(digest: Digest): AsyncGenerator<Buffer> {
    this.opened += 1;
    yield this.blobs.bytes(digest);
  }
}

type Find = (provider: ContentProvider, descriptor: Descriptor, limits?: Limits) => Promise<unknown>;

const documentsOf = (provider: ContentProvider, limits = DEFAULT_LIMITS): Documents =>
  new Documents(provider, { limits });
const findIndex: Find = async (provider, descriptor, limits) => await documentsOf(provider, limits).index(descriptor);
const findManifest: Find = async (provider, descriptor) => await documentsOf(provider).manifest(descriptor);
const findConfig: Find = async (provider, descriptor) => await documentsOf(provider).config(descriptor);

/** Reads a document of this text with one of the three readers. */
async function read(find: Find, value: unknown, mediaType: string): Promise<unknown> {
  const provider = new SetProvider();
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return await find(provider, provider.blobs.descriptor(text, mediaType));
}

describe('an index is refused', () => {
  const child = (change: object): object => ({ ...INDEX, manifests: [{ ...CHILD, ...change }] });
  const hex = 'a'.repeat(64);
  const refused: readonly (readonly [what: string, value: unknown, code: string])[] = [
    ['that is null', null, 'ERR_DOCUMENT_INVALID'],
    ['that is a list', [], 'ERR_DOCUMENT_INVALID'],
    ['that is a text', '"index"', 'ERR_DOCUMENT_INVALID'],
    ['that is empty', '', 'ERR_DOCUMENT_INVALID'],
    ['of two values', '{}{}', 'ERR_DOCUMENT_INVALID'],
    ['with a byte-order mark', `\ufeff${JSON.stringify(INDEX)}`, 'ERR_DOCUMENT_INVALID'],
    ['with manifests twice', '{"schemaVersion":2,"manifests":[],"manifests":[]}', 'ERR_DOCUMENT_INVALID'],
    ['with manifests in two cases', '{"schemaVersion":2,"manifests":[],"Manifests":[]}', 'ERR_DOCUMENT_INVALID'],
    ['65 levels deep', `{"schemaVersion":2,"manifests":[],"x":${'['.repeat(64)}${']'.repeat(64)}}`, 'ERR_LIMIT_DEPTH'],
    ['of schemaVersion 1', { ...INDEX, schemaVersion: 1 }, 'ERR_DOCUMENT_INVALID'],
    ['of schemaVersion "2"', { ...INDEX, schemaVersion: '2' }, 'ERR_DOCUMENT_INVALID'],
    ['without manifests', { schemaVersion: 2 }, 'ERR_DOCUMENT_INVALID'],
    ['with a child whose digest is null', child({ digest: null }), 'ERR_DESCRIPTOR_INVALID'],
    ['whose manifests are an object', { ...INDEX, manifests: {} }, 'ERR_DOCUMENT_INVALID'],
    ['that has layers too', { ...INDEX, layers: [] }, 'ERR_DOCUMENT_INVALID'],
    ['that has a config too', { ...INDEX, config: CONFIG }, 'ERR_DOCUMENT_INVALID'],
    ['whose mediaType is that of a manifest', { ...INDEX, mediaType: MEDIA_TYPES.ociManifest }, 'ERR_MEDIA_TYPE'],
    [
      'whose mediaType is that of the other family',
      { ...INDEX, mediaType: MEDIA_TYPES.dockerManifestList },
      'ERR_MEDIA_TYPE',
    ],
    ['whose mediaType is a number', { ...INDEX, mediaType: 2 }, 'ERR_DOCUMENT_INVALID'],
    ['with a child that is null', { ...INDEX, manifests: [null] }, 'ERR_DOCUMENT_INVALID'],
    ['with a child without media type', child({ mediaType: undefined }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a child of an empty media type', child({ mediaType: '' }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a digest that holds a path', child({ digest: 'sha256:../../etc/passwd' }), 'ERR_DESCRIPTOR_INVALID'],
    ['with an algorithm that holds a path', child({ digest: `../sha256:${hex}` }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a digest in upper case', child({ digest: `sha256:${hex.toUpperCase()}` }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a short digest', child({ digest: `sha256:${hex.slice(1)}` }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a digest and a line feed', child({ digest: `sha256:${hex}\n` }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a digest of an unknown algorithm', child({ digest: `md5:${hex.slice(32)}` }), 'ERR_DESCRIPTOR_INVALID'],
    ['with an empty digest', child({ digest: '' }), 'ERR_DESCRIPTOR_INVALID'],
    ['without digest', child({ digest: undefined }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a digest that is a list', child({ digest: [`sha256:${hex}`] }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a negative size', child({ size: -1 }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a size of 1.5 bytes', child({ size: 1.5 }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a size over 2^53', child({ size: 2 ** 53 }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a size that is a text', child({ size: '5' }), 'ERR_DESCRIPTOR_INVALID'],
    ['without size', child({ size: undefined }), 'ERR_DESCRIPTOR_INVALID'],
    ['with a platform that is a text', child({ platform: 'linux/amd64' }), 'ERR_DOCUMENT_INVALID'],
    ['with an os that is a number', child({ platform: { os: 1, architecture: 'amd64' } }), 'ERR_DOCUMENT_INVALID'],
    ['with os.features that are a text', child({ platform: { 'os.features': 'x' } }), 'ERR_DOCUMENT_INVALID'],
    ['with an annotation that is a number', child({ annotations: { a: 1 } }), 'ERR_DOCUMENT_INVALID'],
    ['with annotations that are a list', child({ annotations: [] }), 'ERR_DOCUMENT_INVALID'],
    ['with a subject that is no descriptor', { ...INDEX, subject: {} }, 'ERR_DESCRIPTOR_INVALID'],
  ];
  for (const [what, value, code] of refused) {
    it(what, async () => {
      await assert.rejects(read(findIndex, value, MEDIA_TYPES.ociIndex), { name: 'LadingError', code });
    });
  }
});

describe('a manifest is refused', () => {
  const refused: readonly (readonly [what: string, value: unknown, code: string])[] = [
    ['that has manifests too', { ...MANIFEST, manifests: [] }, 'ERR_DOCUMENT_INVALID'],
    ['without config', { ...MANIFEST, config: undefined }, 'ERR_DOCUMENT_INVALID'],
    ['whose config is null', { ...MANIFEST, config: null }, 'ERR_DOCUMENT_INVALID'],
    ['without layers', { ...MANIFEST, layers: undefined }, 'ERR_DOCUMENT_INVALID'],
    ['whose config is null', { ...MANIFEST, config: null }, 'ERR_DOCUMENT_INVALID'],
    ['with a layer that is no descriptor', { ...MANIFEST, layers: [LAYER, {}] }, 'ERR_DESCRIPTOR_INVALID'],
    ['of schemaVersion 1', { ...MANIFEST, schemaVersion: 1 }, 'ERR_DOCUMENT_INVALID'],
    ['that calls itself an index', { ...MANIFEST, mediaType: MEDIA_TYPES.ociIndex }, 'ERR_MEDIA_TYPE'],
    ['whose artifactType is a number', { ...MANIFEST, artifactType: 1 }, 'ERR_DOCUMENT_INVALID'],
    ['with a subject that is no descriptor', { ...MANIFEST, subject: 'x' }, 'ERR_DOCUMENT_INVALID'],
  ];
  for (const [what, value, code] of refused) {
    it(what, async () => {
      await assert.rejects(read(findManifest, value, MEDIA_TYPES.ociManifest), { name: 'LadingError', code });
    });
  }
});

describe('a config is refused', () => {
  const refused: readonly (readonly [what: string, value: unknown])[] = [
    ['that is a list', []],
    ['whose os is a number', { os: 1 }],
    ['whose os.features hold a number', { 'os.features': [1] }],
    ['whose config is a text', { config: 'x' }],
    ['whose rootfs is a list', { rootfs: [] }],
    ['whose diff ids are a text', { rootfs: { diff_ids: 'x' } }],
    ['with a diff id that is a number', { rootfs: { diff_ids: [1] } }],
    ['that is not JSON', 'ELF'],
  ];
  for (const [what, value] of refused) {
    it(what, async () => {
      await assert.rejects(read(findConfig, value, MEDIA_TYPES.ociConfig), { code: 'ERR_DOCUMENT_INVALID' });
    });
  }
});

describe('a document is accepted', () => {
  const accepted: readonly (readonly [what: string, find: Find, value: unknown, mediaType: string])[] = [
    ['without mediaType of its own', findIndex, { schemaVersion: 2, manifests: [] }, MEDIA_TYPES.ociIndex],
    ['with an empty list of manifests', findIndex, { ...INDEX, manifests: [] }, MEDIA_TYPES.ociIndex],
    ['with unknown fields', findIndex, { ...INDEX, 'x-field': [1, { a: null }] }, MEDIA_TYPES.ociIndex],
    [
      'with an empty platform object',
      findIndex,
      { ...INDEX, manifests: [{ ...CHILD, platform: {} }] },
      MEDIA_TYPES.ociIndex,
    ],
    [
      '64 levels deep',
      findIndex,
      `{"schemaVersion":2,"manifests":[],"x":${'['.repeat(63)}${']'.repeat(63)}}`,
      MEDIA_TYPES.ociIndex,
    ],
    ['with an empty list of layers', findManifest, { ...MANIFEST, layers: [] }, MEDIA_TYPES.ociManifest],
    [
      'of the largest size a descriptor can have',
      findManifest,
      { ...MANIFEST, layers: [{ ...LAYER, size: 2 ** 53 - 1 }] },
      MEDIA_TYPES.ociManifest,
    ],
  ];
  for (const [what, find, value, mediaType] of accepted) {
    it(what, async () => {
      const expected: unknown = typeof value === 'string' ? JSON.parse(value) : value;
      assert.deepEqual(await read(find, value, mediaType), expected);
    });
  }

  const nulls: readonly (readonly [what: string, find: Find, value: object, mediaType: string, read: object])[] = [
    [
      'with null for each optional member of an index, its list too',
      findIndex,
      {
        ...INDEX,
        mediaType: null,
        manifests: null,
        subject: null,
        annotations: null,
        artifactType: null,
        layers: null,
      },
      MEDIA_TYPES.ociIndex,
      { schemaVersion: 2, manifests: [] },
    ],
    [
      'with null for each optional member of a descriptor and of its platform',
      findIndex,
      {
        ...INDEX,
        manifests: [
          { ...CHILD, annotations: { a: null, b: 'c' }, artifactType: null, urls: null, data: null, platform: null },
          { ...CHILD, platform: { os: 'linux', architecture: 'arm64', variant: null, 'os.version': null } },
          { ...CHILD, platform: { os: null, architecture: null, 'os.features': null } },
        ],
      },
      MEDIA_TYPES.ociIndex,
      {
        ...INDEX,
        manifests: [
          { ...CHILD, annotations: { b: 'c' } },
          { ...CHILD, platform: { os: 'linux', architecture: 'arm64' } },
          { ...CHILD, platform: {} },
        ],
      },
    ],
    [
      'with null for each optional member of a manifest, its layers too',
      findManifest,
      {
        ...MANIFEST,
        mediaType: null,
        layers: null,
        subject: null,
        annotations: null,
        artifactType: null,
        manifests: null,
      },
      MEDIA_TYPES.ociManifest,
      { schemaVersion: 2, config: CONFIG, layers: [] },
    ],
    [
      'with null for each optional member of a config',
      findConfig,
      {
        os: 'linux',
        architecture: null,
        variant: null,
        created: null,
        config: null,
        rootfs: { type: null, diff_ids: null },
      },
      MEDIA_TYPES.ociConfig,
      { os: 'linux', rootfs: {} },
    ],
    [
      'with null for its unknown members, which stay',
      findConfig,
      { 'x-field': null },
      MEDIA_TYPES.ociConfig,
      { 'x-field': null },
    ],
  ];
  for (const [what, find, value, mediaType, expected] of nulls) {
    it(what, async () => assert.deepEqual(await read(find, value, mediaType), expected));
  }

  it('with a __proto__ field, which stays and changes nothing', async () => {
    const text = '{"schemaVersion":2,"manifests":[],"__proto__":{"layers":[]}}';
    const index = await read(findIndex, text, MEDIA_TYPES.ociIndex);
    assert.equal(JSON.stringify(index), text);
  });
});

describe('a document that the provider has', () => {
  const provider = new SetProvider();
  const { root } = buildMultiPlatform(provider.blobs, ['linux/amd64']);

  it('is not read if its descriptor is larger than a document may be', async () => {
    const before = provider.opened;
    await assert.rejects(findIndex(provider, root, limitsOf({ maxDocumentBytes: root.size - 1 })), {
      code: 'ERR_LIMIT_DOCUMENT',
      details: { digest: root.digest, size: root.size },
    });
    await assert.rejects(findIndex(provider, { ...root, size: DEFAULT_LIMITS.maxDocumentBytes + 1 }), {
      code: 'ERR_LIMIT_DOCUMENT',
    });
    assert.equal(provider.opened, before);
    assert.ok(await findIndex(provider, root, limitsOf({ maxDocumentBytes: root.size })));
  });

  it('is refused if it is smaller or larger than its descriptor says', async () => {
    for (const size of [root.size - 1, root.size + 1, 0]) {
      await assert.rejects(findIndex(provider, { ...root, size }), { code: 'ERR_SIZE_MISMATCH' });
    }
  });

  it('is refused if a byte of it was changed', async () => {
    const damaged = new SetProvider();
    const descriptor = buildManifest(damaged.blobs, { platform: 'linux/amd64', seed: 'damaged' });
    const bytes = Buffer.from(damaged.blobs.bytes(descriptor.digest));
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 3) ^ 1, bytes.length - 3);
    damaged.blobs.set(descriptor.digest, bytes);
    await assert.rejects(findManifest(damaged, descriptor), {
      code: 'ERR_DIGEST_MISMATCH',
      details: { digest: descriptor.digest, actual: digestOf(bytes) },
    });
  });

  it('is refused if the provider sends more bytes than it announced', async () => {
    const growing: ContentProvider = {
      stat: async () => ({ size: root.size }),
      open: async function* () {
        yield provider.blobs.bytes(root.digest);
        yield Buffer.from(' ');
      },
    };
    await assert.rejects(findIndex(growing, root), { code: 'ERR_LIMIT_DOCUMENT' });
  });

  it('may have a sha512 digest', async () => {
    const text = JSON.stringify(INDEX);
    const digest = provider.blobs.add(text, 'sha512');
    const descriptor = { mediaType: MEDIA_TYPES.ociIndex, digest, size: text.length };
    assert.deepEqual(await findIndex(provider, descriptor), INDEX);
  });
});

describe('documents that tolerate damage', () => {
  const provider = new SetProvider();
  const { root } = buildMultiPlatform(provider.blobs, ['linux/amd64']);
  const damaged: [string, Digest][] = [];
  const tolerant = new Documents(provider, {
    limits: limitsOf({ maxDocumentBytes: root.size }),
    onDamage: ({ code }, digest) => void damaged.push([code, digest]),
  });

  it('report it and count it as missing', async () => {
    const wrong = { ...root, size: root.size - 1 };
    assert.equal(await tolerant.index(wrong), undefined);
    assert.equal(await tolerant.bytes({ ...root, size: root.size + 1 }), undefined);
    assert.equal(await tolerant.document(wrong), undefined);
    assert.equal(await tolerant.has(wrong), false);
    const codes = ['ERR_SIZE_MISMATCH', 'ERR_LIMIT_DOCUMENT', 'ERR_SIZE_MISMATCH', 'ERR_SIZE_MISMATCH'];
    assert.deepEqual(
      damaged,
      codes.map((code) => [code, root.digest]),
    );
  });

  it('throw if content cannot be read, and if their callback throws', async () => {
    const unreadable: ContentProvider = {
      stat: async (digest) => await provider.stat(digest),
      open: () => {
        throw new LadingError('ERR_STORAGE_IO', 'cannot read', { details: { system: 'EIO' } });
      },
    };
    await assert.rejects(Documents.stored(unreadable).document(root), { code: 'ERR_STORAGE_IO' });
    const refusing = new Documents(provider, {
      limits: DEFAULT_LIMITS,
      onDamage: (error) => {
        throw error;
      },
    });
    await assert.rejects(refusing.has({ ...root, size: 1 }), { code: 'ERR_SIZE_MISMATCH' });
  });

  it('are read by their media type, and name their subject', async () => {
    const documents = documentsOf(provider);
    const index = await documents.document(root);
    assert.ok(index !== undefined && 'manifests' in index);
    const [manifest] = index.manifests;
    assert.ok(manifest);
    const document = await documents.document(manifest);
    assert.ok(document !== undefined && 'layers' in document);
    assert.equal(await documents.document(document.config), undefined);
    const referrer = buildReferrer(provider.blobs, manifest, { seed: 'sbom' });
    assert.equal(await documents.subject(referrer), manifest.digest);
    assert.equal(await documents.subject(root), undefined);
  });
});

describe('a document that the provider does not have', () => {
  it('is undefined', async () => {
    const descriptor = { ...CHILD, digest: parseDigest(`sha256:${'0'.repeat(64)}`) };
    for (const find of [findIndex, findManifest, findConfig]) {
      assert.equal(await find(new SetProvider(), descriptor), undefined);
    }
  });
});

describe('readAll', () => {
  it('stops reading a body as soon as it has too many bytes', async () => {
    let isClosed = false;
    const body = (async function* () {
      try {
        for (;;) yield Buffer.alloc(10);
      } finally {
        isClosed = true;
      }
    })();
    await assert.rejects(readAll(body, 25), { code: 'ERR_LIMIT_DOCUMENT' });
    assert.equal(isClosed, true);
  });

  it('reads a body of exactly the limit, and an empty one', async () => {
    assert.equal((await readAll(chunks(10, 0, 15), 25)).length, 25);
    assert.equal((await readAll(chunks(), 0)).length, 0);
  });
});

describe('index.json', () => {
  it('may be larger than other documents: its reader has a limit of its own', async () => {
    const manifests = Array.from({ length: 30_000 }, (_, at) => ({ ...CHILD, digest: digestOf(String(at)) }));
    const bytes = Buffer.from(JSON.stringify({ ...INDEX, manifests }));
    assert.ok(bytes.length > DEFAULT_LIMITS.maxDocumentBytes);
    assert.equal((await parseIndexBytes(bytes, 'index.json', DEFAULT_LIMITS)).manifests.length, 30_000);
  });
});

async function* chunks(...sizes: readonly number[]): AsyncGenerator<Buffer> {
  for (const size of sizes) yield Buffer.alloc(size, 'x');
}
