import assert from 'node:assert/strict';
import type { Descriptor } from '../../src/model/descriptor.js';
import { encodedOf } from '../../src/model/digest.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import type { Store } from '../../src/stores/store.js';
import { layoutEntries, type LayoutImage } from '../fixtures/archive-builder.js';
import { blobPath, inOrder, type ArchiveOrder } from '../fixtures/archive-entries.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { chunksOf, load, loadLayout, statesOf } from '../fixtures/loading.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import { namesOf, onEachStore, stateOf } from '../fixtures/stores.js';
import { tarOf, type TarEntry } from '../fixtures/tar-builder.js';
import { refusesLoad } from './refused-loads.js';

/** Two images of one platform each. */
function images(platforms: readonly string[] = ['linux/amd64', 'linux/amd64']) {
  const blobs = new BlobSet();
  const [a, b] = ['a', 'b'].map((seed, at) =>
    buildManifest(blobs, { platform: platforms[at] ?? '', seed, compression: 'none', layers: 2 }),
  );
  assert.ok(a && b);
  return { blobs, a, b };
}

/** The entry of `manifest.json` for a manifest. */
function listed(blobs: BlobSet, { digest }: Descriptor, ...tags: readonly string[]) {
  const { config, layers = [] } = blobs.links(digest);
  assert.ok(config);
  return {
    Config: blobPath(config.digest),
    RepoTags: tags.length === 0 ? null : tags,
    Layers: layers.map((layer) => blobPath(layer.digest)),
  };
}

/** Who has which name after the load: the config of each image, since a manifest may have been made anew. */
async function configsOf(store: Store, blobs: BlobSet): Promise<readonly (readonly [string | undefined, string])[]> {
  const found: (readonly [string | undefined, string])[] = [];
  for (const { name, descriptor } of await store.list()) {
    const bytes: Buffer[] = [];
    for await (const chunk of store.open(descriptor.digest, { kind: 'manifest' })) bytes.push(chunk);
    const { config } = JSON.parse(Buffer.concat(bytes).toString()) as { config?: Descriptor };
    const known = [...blobs.keys()].includes(config?.digest ?? descriptor.digest);
    assert.ok(known);
    found.push([name?.replace('docker.io/example/', ''), config?.digest ?? descriptor.digest]);
  }
  return found;
}

interface Both {
  readonly what: string;
  readonly make: (built: ReturnType<typeof images>) => {
    readonly layout: readonly LayoutImage[];
    readonly manifestJson: unknown;
    readonly without?: readonly Descriptor[];
  };
  /** The name of each image, and whether it is A, B, or the index. */
  readonly expected: readonly (readonly [string | undefined, 'a' | 'b' | 'index'])[];
  readonly warnings?: readonly RegExp[];
}

const CASES: readonly Both[] = [
  {
    what: 'takes every RepoTag of the config of an unnamed root',
    make: ({ blobs, a }) => ({ layout: [{ root: a }], manifestJson: [listed(blobs, a, 'example/x:1', 'example/x:2')] }),
    expected: [
      ['x:1', 'a'],
      ['x:2', 'a'],
    ],
  },
  {
    what: 'drops a RepoTag that is no text, and takes the others',
    make: ({ blobs, a, b }) => ({
      layout: [{ root: a, name: 'example/x:1' }],
      manifestJson: [
        { ...listed(blobs, a), RepoTags: [null, 'example/x:2'] },
        { ...listed(blobs, b), RepoTags: ['example/y:1', {}] },
      ],
    }),
    expected: [
      ['x:1', 'a'],
      ['x:2', 'a'],
      ['y:1', 'b'],
    ],
    warnings: [/the name "null" cannot be used: it is not a text/, /the name "\{\}" cannot be used: it is not a text/],
  },
  {
    what: 'takes a RepoTag beside the name of a root with the same config',
    make: ({ blobs, a }) => ({
      layout: [{ root: a, name: 'example/x:1' }],
      manifestJson: [listed(blobs, a, 'example/x:1', 'example/x:2')],
    }),
    expected: [
      ['x:1', 'a'],
      ['x:2', 'a'],
    ],
  },
  {
    what: 'takes the RepoTag of a platform for an index without a name',
    make: ({ blobs, a }) => ({
      layout: [{ root: buildIndex(blobs, [a]) }],
      manifestJson: [listed(blobs, a, 'example/x:1')],
    }),
    expected: [['x:1', 'index']],
  },
  {
    what: 'takes no other name for an index that has one',
    make: ({ blobs, a }) => ({
      layout: [{ root: buildIndex(blobs, [a]), name: 'example/x:1' }],
      manifestJson: [listed(blobs, a, 'example/x:1', 'example/evil:1')],
    }),
    expected: [['x:1', 'index']],
    warnings: [/"example\/evil:1", index\.json does not/],
  },
  {
    what: 'loads an image that only manifest.json describes, with and without a name',
    make: ({ blobs, a, b }) => ({
      layout: [{ root: a, name: 'example/x:1' }],
      manifestJson: [listed(blobs, a), listed(blobs, b, 'example/y:1')],
    }),
    expected: [
      ['x:1', 'a'],
      ['y:1', 'b'],
    ],
  },
  {
    what: 'loads by manifest.json where index.json lists nothing',
    make: ({ blobs, a, b }) => ({ layout: [], manifestJson: [listed(blobs, a, 'example/x:1'), listed(blobs, b)] }),
    expected: [
      ['x:1', 'a'],
      [undefined, 'b'],
    ],
  },
  {
    what: 'follows index.json where both give one name to different images',
    make: ({ blobs, a, b }) => ({
      layout: [{ root: a, name: 'example/x:1' }],
      manifestJson: [listed(blobs, b, 'example/x:1')],
    }),
    expected: [
      ['x:1', 'a'],
      [undefined, 'b'],
    ],
    warnings: [/"example\/x:1" another image than index\.json/],
  },
  {
    what: 'warns of an image of manifest.json that is not here, and of each of its names',
    make: ({ blobs, a, b }) => ({
      layout: [{ root: a }],
      manifestJson: [listed(blobs, a), listed(blobs, b, 'example/y:1', 'example/y:2')],
      without: [blobs.links(b.digest).layers?.[0] ?? b],
    }),
    expected: [[undefined, 'a']],
    warnings: [/"example\/y:1".*left out/, /"example\/y:2".*left out/],
  },
  {
    what: 'loads an image of manifest.json, and warns of one that only index.json names and is not here',
    make: ({ blobs, a, b }) => ({
      layout: [{ root: a, name: 'example/x:1' }],
      manifestJson: [listed(blobs, b, 'example/y:1')],
      without: [a],
    }),
    expected: [['y:1', 'b']],
    warnings: [/index\.json lists example\/x:1, but .* is missing/],
  },
  {
    what: 'reads an image by manifest.json where the manifest of its name is not here',
    make: ({ blobs, a }) => ({
      layout: [{ root: a, name: 'example/x:1' }],
      manifestJson: [listed(blobs, a, 'example/x:1')],
      without: [a],
    }),
    expected: [['x:1', 'a']],
    warnings: [/index\.json lists example\/x:1/],
  },
  {
    what: 'takes an empty manifest.json for none',
    make: ({ a }) => ({ layout: [{ root: a, name: 'example/x:1' }], manifestJson: [] }),
    expected: [['x:1', 'a']],
  },
  {
    what: 'drops a RepoTag that is no name, beside a layout too',
    make: ({ blobs, a }) => ({
      layout: [{ root: a }],
      manifestJson: [listed(blobs, a, 'Bad:1', '', '<none>:<none>', 'example/x:1')],
    }),
    expected: [['x:1', 'a']],
    warnings: [/"Bad:1" cannot be used/, /"<none>:<none>" cannot be used/],
  },
];

const ORDERS = ['metadata-first', 'blobs-first', 3, 7, 11] satisfies readonly ArchiveOrder[];

for (const { what, make, expected, warnings = [] } of CASES) {
  onEachStore(what, async (open) => {
    const built = images();
    const { blobs, a, b } = built;
    const { layout, manifestJson, without = [] } = make(built);
    const entries = layoutEntries(layout, blobs, {
      manifestJson,
      without: new Set(without.map(({ digest }) => digest)),
    });
    const index = layout[0]?.root;
    const configs = {
      a: blobs.links(a.digest).config?.digest,
      b: blobs.links(b.digest).config?.digest,
      index: index?.digest,
    };
    for (const order of ORDERS) {
      const store = await open();
      const report = await load(store, chunksOf(await tarOf(inOrder(entries, order))));
      assert.deepEqual(
        new Set(await configsOf(store, blobs)),
        new Set(expected.map(([name, which]) => [name, configs[which]])),
        String(order),
      );
      assert.equal(report.images.length, expected.length);
      assert.equal(report.warnings.length, warnings.length, JSON.stringify(report.warnings));
      for (const [at, warning] of warnings.entries()) assert.match(report.warnings[at]?.message ?? '', warning);
    }
  });
}

onEachStore('reads manifests without layers, as Docker 25.0.0 wrote them, by manifest.json', async (open) => {
  const { blobs, a } = images();
  const { config } = blobs.links(a.digest);
  for (const layers of [null, []]) {
    const bare = blobs.document({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers }, a.mediaType);
    const store = await open();
    const manifestJson = [listed(blobs, a, 'example/x:1')];
    const report = await loadLayout(store, [{ root: bare, name: 'example/x:1' }], blobs, { layout: { manifestJson } });
    assert.deepEqual([report.warnings, report.images.length], [[], 1]);
    assert.deepEqual(await configsOf(store, blobs), [['x:1', config?.digest]]);
    assert.ok(!(await stateOf(store)).blobs.includes(bare.digest));
    assert.deepEqual(statesOf(report.images[0]), { 'linux/amd64': 'complete' });
  }
});

onEachStore('loads only the asked platform of an image that only manifest.json describes', async (open) => {
  const { blobs, a, b } = images(['linux/amd64', 'linux/arm64']);
  const manifestJson = [listed(blobs, a, 'example/x:1'), listed(blobs, b, 'example/y:1')];
  for (const order of ['metadata-first', 'blobs-first'] as const) {
    for (const [platform, name] of [
      ['linux/amd64', 'x:1'],
      ['linux/arm64', 'y:1'],
    ] as const) {
      const store = await open();
      await loadLayout(store, [], blobs, {
        platforms: [platform],
        missingPlatforms: 'skip',
        layout: { manifestJson, order },
      });
      assert.deepEqual(await namesOf(store), [`docker.io/example/${name}`]);
    }
  }
});

onEachStore('finds layers under other names beside a layout', async (open) => {
  const { blobs, a, b } = images();
  const { config, layers = [] } = blobs.links(b.digest);
  assert.ok(config);
  const files: TarEntry[] = layers.map(({ digest }, at) => ({ name: `${at}/layer.tar`, body: blobs.bytes(digest) }));
  files.push({ name: `${encodedOf(config.digest)}.json`, body: blobs.bytes(config.digest) });
  const Layers = layers.map((_, at) => `${at}/layer.tar`);
  const manifestJson = [{ Config: `${encodedOf(config.digest)}.json`, RepoTags: ['example/y:1'], Layers }];
  const without = new Set([b, config, ...layers].map(({ digest }) => digest));
  const entries = layoutEntries([{ root: a, name: 'example/x:1' }], blobs, { manifestJson, without, extra: files });
  for (const order of ORDERS) {
    const store = await open();
    const report = await load(store, chunksOf(await tarOf(inOrder(entries, order))));
    assert.deepEqual(report.warnings, []);
    assert.deepEqual(await namesOf(store), ['docker.io/example/x:1', 'docker.io/example/y:1']);
  }
});

onEachStore('refuses one name that manifest.json gives to two images, and damage in one of them', async (open) => {
  const store = await open();
  const { blobs, a, b } = images();
  const twice = [listed(blobs, a, 'example/x:1'), listed(blobs, b, 'example/x:1')];
  const archive = await tarOf(layoutEntries([{ root: a }], blobs, { manifestJson: twice }));
  await refusesLoad(store, { archive, code: 'ERR_NAME_DUPLICATE' });
  const [layer] = blobs.links(b.digest).layers ?? [];
  assert.ok(layer);
  blobs.set(layer.digest, Buffer.concat([blobs.bytes(layer.digest).subarray(1), Buffer.from('x')]));
  const manifestJson = [listed(blobs, a), listed(blobs, b, 'example/y:1')];
  const damaged = await tarOf(layoutEntries([{ root: a }], blobs, { manifestJson }));
  await refusesLoad(store, { archive: damaged, code: 'ERR_DIGEST_MISMATCH' });
});

onEachStore('still refuses a layout whose image is not here, if manifest.json has nothing else', async (open) => {
  const store = await open();
  const { blobs, a, b } = images();
  const without = new Set([b.digest]);
  const roots = [{ root: a }, { root: b, name: 'example/y:1' }];
  const archive = await tarOf(layoutEntries(roots, blobs, { manifestJson: [listed(blobs, a)], without }));
  await refusesLoad(store, { archive, code: 'ERR_BLOB_MISSING' });
});

onEachStore(
  'leaves out an image of another platform that only manifest.json describes, in every order',
  async (open) => {
    const { blobs, a, b } = images(['linux/amd64', 'linux/arm64']);
    const manifestJson = [listed(blobs, a, 'example/x:1'), listed(blobs, b, 'example/y:1')];
    const entries = layoutEntries([{ root: a, name: 'example/x:1' }], blobs, {
      manifestJson,
      without: new Set([b.digest]),
    });
    for (const order of ORDERS) {
      const store = await open();
      const source = chunksOf(await tarOf(inOrder(entries, order)));
      const { warnings } = await load(store, source, { platforms: ['linux/amd64'] });
      assert.deepEqual(
        warnings.map(({ code, image, message }) => [code, image, message.endsWith('it has only linux/arm64')]),
        [['WARN_MANIFEST_JSON', 'example/y:1', true]],
      );
      assert.deepEqual(await namesOf(store), ['docker.io/example/x:1']);
    }
  },
);

onEachStore('a choice of one image says nothing of others that only manifest.json describes', async (open) => {
  const { blobs, a, b } = images();
  const manifestJson = [listed(blobs, a, 'example/x:1'), listed(blobs, b, 'example/y:2')];
  const entries = layoutEntries([{ root: a, refName: '1' }], blobs, { manifestJson, without: new Set([b.digest]) });
  for (const order of ORDERS) {
    for (const [image, name] of [
      ['1', 'example/x:1'],
      [a.digest, 'example/x:1'],
      ['example/x:1', 'example/x:1'],
      ['2', 'example/y:2'],
    ] as const) {
      const store = await open();
      const source = chunksOf(await tarOf(inOrder(entries, order)));
      assert.deepEqual((await load(store, source, { images: [image] })).warnings, []);
      assert.deepEqual(await namesOf(store), [`docker.io/${name}`]);
    }
  }
});
