import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { ExpireTags } from '../../src/copy/expire-tags.js';
import { copyImages } from '../../src/copy/copy-images.js';
import { copyToRegistry, type PushReport } from '../../src/copy/copy-to-registry.js';
import type { CopyOptions } from '../../src/copy/copy-images.js';
import { digestOf } from '../../src/model/digest.js';
import { loadImages } from '../../src/load/load-images.js';
import { parseRegistryReference, repositoryOf } from '../../src/registry/registry-name.js';
import type { Registries } from '../../src/registry/registries.js';
import { listTags } from '../../src/registry/tags.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { ImageSource } from '../../src/stores/store.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { buildReferrer } from '../fixtures/artifact-builder.js';
import { closureOf } from '../fixtures/blob-set.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { example, NAME, sorted, type Example } from '../fixtures/example.js';
import { openRegistries } from '../fixtures/registries.js';
import { fill, stateOf } from '../fixtures/stores.js';
import { PROFILES, SpecRegistry, type Profile } from './spec-registry.js';

/*
 * The same work at docker-registry, at a registry that follows the specification to the letter, and at the same one with
 * the ways of vendors. docker-registry shows that the other one is no invention.
 */

interface Scene {
  readonly registries: Registries;
  readonly profile: Profile;
  /** A full name in a repository of the test's own, which may be pushed to. */
  readonly nameOf: (repository: string, tag?: string) => string;
  /** Requests so far; undefined where they are not counted. */
  readonly requests: () => number | undefined;
  /** What the user was told. */
  readonly warnings: readonly string[];
}

type Case = (scene: Scene) => Promise<void>;

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';

async function storeWith({ blobs, root }: Example): Promise<MemoryStore> {
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: root }], blobs);
  return store;
}

async function push(
  { registries }: Scene,
  source: ImageSource,
  name: string,
  { from = NAME, ...options }: CopyOptions & { readonly from?: string } = {},
): Promise<PushReport> {
  const reference = parseRegistryReference(name);
  const own = from === NAME ? [] : [repositoryOf(parseRegistryReference(from)).path];
  const to = registries.destination(repositoryOf(reference), { tag: reference.tag, blobJobs: 4 }, own);
  return await copyToRegistry(source, to, [from], options);
}

const CASES: Readonly<Record<string, Case>> = {
  'pushes an image and pulls the same bytes': async (scene) => {
    const built = example({ attestations: true, sharedLayer: true });
    const name = scene.nameOf('app');
    await push(scene, await storeWith(built), name);
    const store = new MemoryStore();
    await copyImages(scene.registries.source(), store, [name]);
    const { images, blobs } = await stateOf(store);
    assert.deepEqual(
      images.map((one) => one.name),
      [name],
    );
    assert.deepEqual(blobs, sorted(closureOf(built.blobs, built.root)));
  },
  'keeps nested indexes, fields that it does not know, and an image without layers, byte for byte': async (scene) => {
    const built = example({ platforms: ['linux/amd64'] });
    const { blobs } = built;
    const config = blobs.document(
      { os: 'linux', architecture: 's390x', rootfs: { type: 'layers', diff_ids: [] } },
      'application/vnd.oci.image.config.v1+json',
    );
    const bare = blobs.document({ zz: [1], schemaVersion: 2, mediaType: MANIFEST, config, layers: [] }, MANIFEST);
    const platform = { os: 'linux', architecture: 's390x' };
    const data = blobs.bytes(bare.digest).toString('base64');
    const inner = {
      schemaVersion: 2,
      'x-own': { b: 1, a: 2 },
      mediaType: INDEX,
      manifests: [{ ...bare, platform, data }],
    };
    const nested = blobs.document(inner, INDEX);
    const root = blobs.document({ schemaVersion: 2, mediaType: INDEX, manifests: [built.root, nested] }, INDEX);
    const name = scene.nameOf('app');
    await push(scene, await storeWith({ ...built, root }), name);
    const store = new MemoryStore();
    await copyImages(scene.registries.source(), store, [name]);
    assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(blobs, root)));
  },
  'knows what is up to date': async (scene) => {
    const name = scene.nameOf('app');
    const store = await storeWith(example());
    await push(scene, store, name);
    const before = scene.requests() ?? 0;
    assert.equal((await push(scene, store, name)).upToDate, true);
    const count = (scene.requests() ?? 0) - before;
    assert.ok(
      count <= (scene.profile.headStatus === undefined && scene.profile.digestHeader !== false ? 1 : 2),
      `${count}`,
    );
  },
  'copies from repository to repository, by mounts where they are known': async (scene) => {
    const built = example();
    const [from, to] = [scene.nameOf('app'), scene.nameOf('copy')];
    await push(scene, await storeWith(built), from);
    const { blobs } = await push(scene, scene.registries.source(), to, { from });
    const bytes = closureOf(built.blobs, built.root).reduce((sum, digest) => sum + built.blobs.bytes(digest).length, 0);
    if (scene.profile.mount === undefined) assert.ok(blobs.bytesCopied < bytes / 2, 'only documents travel');
    else assert.ok(blobs.bytesCopied <= bytes);
    const [record] = await scene.registries.source().resolve([to]);
    assert.equal(record?.descriptor.digest, built.root.digest);
  },
  'lists every tag, and nothing else': async (scene) => {
    const store = await storeWith(example({ platforms: ['linux/amd64'] }));
    for (const tag of ['1', '2', '3', '4', '5']) await push(scene, store, scene.nameOf('app', tag));
    const repository = scene.registries.repository(repositoryOf(parseRegistryReference(scene.nameOf('app'))), 'pull');
    assert.deepEqual(await listTags(repository), ['1', '2', '3', '4', '5']);
  },
  'says that an image is not there': async (scene) => {
    await push(scene, await storeWith(example({ platforms: ['linux/amd64'] })), scene.nameOf('app'));
    const code = scene.profile.unknownStatus === 403 ? 'ERR_REGISTRY_DENIED' : 'ERR_IMAGE_UNKNOWN';
    await assert.rejects(scene.registries.source().resolve([scene.nameOf('app', 'none')]), { code });
  },
  'sends an index of which a part was left out, or a new one': async (scene) => {
    const built = example();
    const name = scene.nameOf('app');
    const platforms = ['linux/amd64', 'linux/arm64'];
    const { images, warnings } = await push(scene, await storeWith(built), name, { platforms });
    const isKept = images[0]?.digest === built.root.digest;
    assert.equal(isKept, scene.profile.sparse === true);
    assert.equal(
      warnings.some(({ code }) => code === 'WARN_INDEX_REWRITTEN'),
      !isKept,
    );
  },
  'sends referrers along, and finds them again': async (scene) => {
    const built = example({ platforms: ['linux/amd64'] });
    const subject = built.root;
    await push(scene, await storeWith(built), scene.nameOf('app', 'before'));
    const own = buildReferrer(built.blobs, subject, { seed: 'about' });
    const store = new MemoryStore();
    const annotations = { 'io.containerd.manifest.subject': subject.digest };
    await fill(store, [{ name: NAME, descriptor: subject }, { descriptor: { ...own, annotations } }], built.blobs);
    const name = scene.nameOf('app');
    await push(scene, store, name);
    const source = scene.registries.source();
    await source.resolve([name]);
    await copyImages(source, new MemoryStore(), [name]);
    const found = (await source.referrersOf(subject.digest)).map(({ digest }) => digest);
    // Where the tag of the list means the subject itself, there is no list, and the push says so.
    assert.deepEqual(found, scene.profile.tagIsDigest === true ? [] : [own.digest]);
    assert.equal(
      scene.warnings.some((text) => text.includes('lists no referrers')),
      scene.profile.tagIsDigest === true,
    );
  },
  'removes one of two tags of an image, and knows what is gone': async (scene) => {
    const store = await storeWith(example({ platforms: ['linux/amd64'] }));
    for (const tag of ['1', '2']) await push(scene, store, scene.nameOf('app', tag));
    const name = repositoryOf(parseRegistryReference(scene.nameOf('app')));
    const tags = new ExpireTags(scene.registries, name);
    const [record] = await scene.registries.source().resolve([scene.nameOf('app', '2')]);
    const digest = record?.descriptor.digest ?? digestOf('');
    const going = ['1', 'none'].map((tag) => ({ tag, digest, reason: '', lastWantedMs: 0 }));
    const survey = await tags.survey(going);
    assert.deepEqual([survey.going, survey.gone, survey.moved], [[going[0]], [going[1]], []]);
    for (const one of survey.going) assert.equal(await tags.remove(one), 'removed');
    const [left] = await scene.registries.source().resolve([scene.nameOf('app', '2')]);
    assert.equal(left?.descriptor.digest, digest);
    assert.equal((await tags.survey(going)).gone.length, 2);
  },
  'sends a large blob of a pipe': async (scene) => {
    const built = example({ platforms: ['linux/amd64'] });
    const { root } = withLargeLayer(built);
    const reference = parseRegistryReference(scene.nameOf('app'));
    const destination = scene.registries.destination(repositoryOf(reference), { tag: '1', blobJobs: 4 });
    const archive = await layoutArchive([{ root, name: NAME }], built.blobs);
    const loading = loadImages(destination, Readable.from(inChunks(archive)));
    if (scene.profile.chunks === false) return await assert.rejects(loading, { code: 'ERR_REGISTRY_REFUSED' });
    assert.equal((await loading).images[0]?.digest, root.digest);
  },
};

/** The bytes as a pipe brings them. */
function* inChunks(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
}

/** An image of one layer of 17 MiB, which is sent in pieces when it comes through a pipe. */
function withLargeLayer({ blobs }: Example) {
  const layer = blobs.descriptor(
    randomFillSync(Buffer.alloc(17 * 1024 * 1024)),
    'application/vnd.oci.image.layer.v1.tar',
  );
  const rootfs = { type: 'layers', diff_ids: [layer.digest] };
  const config = blobs.document(
    { os: 'linux', architecture: 'amd64', rootfs },
    'application/vnd.oci.image.config.v1+json',
  );
  const mediaType = 'application/vnd.oci.image.manifest.v1+json';
  const root = blobs.document({ schemaVersion: 2, mediaType, config, layers: [layer] }, mediaType);
  assert.equal(root.digest, digestOf(blobs.bytes(root.digest)));
  return { root };
}

const real = sharedRegistry();
let repositories = 0;

for (const [what, run] of Object.entries(CASES)) {
  test(`docker-registry: ${what}`, async (t) => {
    const registry = await real(t);
    if (registry === undefined) return;
    repositories += 1;
    const own = `profiles-${repositories}`;
    const nameOf = (repository: string, tag = '1'): string => `${registry.host}/${own}/${repository}:${tag}`;
    const warnings: string[] = [];
    const registries = openRegistries(t, { onWarning: (text) => void warnings.push(text) });
    await run({ registries, profile: {}, nameOf, requests: () => undefined, warnings });
  });
  for (const [vendor, profile] of Object.entries<Profile>(PROFILES)) {
    test(`${vendor}: ${what}`, async (t) => await runAt(t, profile, run));
  }
}

async function runAt(t: TestContext, profile: Profile, run: Case): Promise<void> {
  const registry = await SpecRegistry.start(t, profile);
  if (profile.autoCreate === false) for (const path of ['own/app', 'own/copy']) registry.create(path);
  const nameOf = (repository: string, tag = '1'): string => `${registry.host}/own/${repository}:${tag}`;
  const warnings: string[] = [];
  const registries = openRegistries(t, { onWarning: (text) => void warnings.push(text) });
  await run({ registries, profile, nameOf, requests: () => registry.seen.length, warnings });
  assert.deepEqual(registry.violations, []);
  assert.equal(registry.openUploads, 0, 'no upload was left open');
}

test('ecr: says to create the repository first', async (t) => {
  const registry = await SpecRegistry.start(t, PROFILES.ecr);
  const scene = { registries: openRegistries(t), profile: PROFILES.ecr } as unknown as Scene;
  await assert.rejects(push(scene, await storeWith(example()), `${registry.host}/not/there:1`), {
    code: 'ERR_REGISTRY_REFUSED',
    message: /create the repository first/,
  });
});

test('ecr: a tag that is immutable keeps its image, with ERR_NAME_CONFLICT', async (t) => {
  const registry = await SpecRegistry.start(t, PROFILES.ecr);
  registry.create('own/app');
  const scene = { registries: openRegistries(t), profile: PROFILES.ecr } as unknown as Scene;
  const name = `${registry.host}/own/app:1`;
  await push(scene, await storeWith(example()), name);
  await assert.rejects(push(scene, await storeWith(example({ seed: 'other' })), name), { code: 'ERR_NAME_CONFLICT' });
});
