import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { copyImages } from '../../src/copy/copy-images.js';
import type { CopyEvent } from '../../src/copy/copy-blobs.js';
import { copyToRegistry, type PushReport } from '../../src/copy/copy-to-registry.js';
import { planExport } from '../../src/export/plan-export.js';
import { exportImages } from '../../src/export/export-images.js';
import { loadImages } from '../../src/load/load-images.js';
import { digestOf, encodedOf, type Digest } from '../../src/model/digest.js';
import type { DestinationOptions } from '../../src/registry/registry-destination.js';
import { parseRegistryReference, repositoryOf } from '../../src/registry/registry-name.js';
import type { OpenOptions } from '../../src/content/content-provider.js';
import type { Registries } from '../../src/registry/registries.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { ImageSource } from '../../src/stores/store.js';
import { listTags } from '../../src/registry/tags.js';
import { sharedRegistry, type RunningRegistry } from '../fixtures/docker-registry.js';
import { example, NAME, PLATFORMS, sorted, type Example } from '../fixtures/example.js';
import { closureOf } from '../fixtures/blob-set.js';
import { IS_ALL } from '../fixtures/extent.js';
import { seededBytes } from '../fixtures/seeded.js';
import { FaultProxy } from '../fixtures/fault-proxy.js';
import { openRegistries } from '../fixtures/registries.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { fill, stateOf } from '../fixtures/stores.js';

const registryFor = sharedRegistry();

async function storeWith({ blobs, root }: Example): Promise<MemoryStore> {
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: root }], blobs);
  return store;
}

async function push(
  registries: Registries,
  built: Example,
  name: string,
  options: Partial<DestinationOptions> = {},
): Promise<PushReport> {
  const reference = parseRegistryReference(name);
  const to = { tag: reference.tag, digest: reference.digest, blobJobs: 4, ...options };
  return await copyToRegistry(await storeWith(built), registries.destination(repositoryOf(reference), to), [NAME]);
}

interface Scene {
  readonly registry: RunningRegistry;
  readonly proxy: FaultProxy;
  readonly registries: Registries;
  /** A name in a repository of the test's own, through the proxy. */
  readonly nameOf: (tag: string, repository?: string) => string;
}

let scenes = 0;

async function sceneFor(t: TestContext, firstWaitMs = 1): Promise<Scene | undefined> {
  const registry = await registryFor(t);
  if (registry === undefined) return undefined;
  const proxy = await FaultProxy.start(t, registry.port);
  scenes += 1;
  const own = `scene-${scenes}`;
  return {
    registry,
    proxy,
    registries: openRegistries(t, { firstWaitMs }),
    nameOf: (tag, repository = 'app') => `${proxy.host}/${own}/${repository}:${tag}`,
  };
}

test('pushes an image, and pulls the same bytes into a store', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ attestations: true, sharedLayer: true });
  const name = scene.nameOf('1');
  const pushed = await push(scene.registries, built, name);
  assert.deepEqual([pushed.upToDate, pushed.images[0]?.digest], [false, built.root.digest]);
  const store = new MemoryStore();
  const pulled = await copyImages(scene.registries.source(), store, [name]);
  assert.deepEqual(pulled.moved, [{ name, to: built.root.digest }]);
  const { images, blobs } = await stateOf(store);
  assert.deepEqual(
    images.map(({ name: own }) => own),
    [name],
  );
  assert.deepEqual(blobs, sorted(closureOf(built.blobs, built.root)));
});

test('asks once for an image that is up to date, and sends no body', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example();
  const name = scene.nameOf('1');
  await push(scene.registries, built, name);
  const before = scene.proxy.seen.length;
  assert.equal((await push(scene.registries, built, name)).upToDate, true);
  const after = scene.proxy.seen.slice(before);
  assert.deepEqual(
    after.map(({ method, bytes }) => [method, bytes]),
    [['HEAD', 0]],
  );
});

test('sends only what is new, and sends tags last, after their children', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const name = scene.nameOf('1');
  await push(scene.registries, example({ platforms: ['linux/amd64'] }), name);
  const before = scene.proxy.seen.length;
  const built = example({ platforms: ['linux/amd64', 'linux/arm64'] });
  await push(scene.registries, built, name);
  const puts = scene.proxy.seen.slice(before).filter(({ method }) => method === 'PUT');
  const manifests = puts.filter(({ url }) => url.includes('/manifests/')).map(({ url }) => url.split('/').at(-1));
  assert.deepEqual(manifests, [built.of('linux/arm64').digest, '1']);
  const old = closureOf(built.blobs, built.of('linux/amd64'));
  for (const digest of old) assert.ok(!puts.some(({ url }) => url.includes(encodeURIComponent(digest))), digest);
});

test('makes the same archive from a registry as from a store, planned to its last byte', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ attestations: true });
  const name = scene.nameOf('1');
  await push(scene.registries, built, name);
  const source = scene.registries.source();
  const store = new MemoryStore();
  await fill(store, [{ name, descriptor: built.root }], built.blobs);
  for (const options of [
    {},
    { platforms: ['linux/arm64'] },
    { platforms: ['linux/amd64', 'linux/arm64'], index: 'rewrite' },
  ] as const) {
    const plan = await planExport(source, [name], options);
    const archive = await bytesOf(exportImages(source, plan));
    assert.equal(archive.length, plan.size);
    assert.ok(archive.equals(await bytesOf(exportImages(store, [name], options))), JSON.stringify(options));
  }
});

test('reads no layer before the plan is made', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example();
  await push(scene.registries, built, scene.nameOf('1'));
  const before = scene.proxy.seen.length;
  await planExport(scene.registries.source(), [scene.nameOf('1')]);
  const layers = [...built.manifests.values()].flatMap(({ digest }) => built.blobs.links(digest).layers ?? []);
  const asked = scene.proxy.seen.slice(before).map(({ url }) => url);
  for (const { digest } of layers) assert.ok(!asked.some((url) => url.includes(digest)), digest);
});

for (const order of ['metadata-first', 'blobs-first'] as const) {
  test(`streams an archive into a registry in one pass (${order})`, async (t) => {
    const scene = await sceneFor(t);
    if (scene === undefined) return;
    const built = example({ attestations: true });
    const archive = await layoutArchive(built.images, built.blobs, { order });
    const reference = parseRegistryReference(scene.nameOf('7'));
    const destination = scene.registries.destination(repositoryOf(reference), { tag: reference.tag, blobJobs: 4 });
    const { Readable } = await import('node:stream');
    const report = await loadImages(destination, Readable.from(chunksOf(archive)));
    assert.equal(report.images[0]?.digest, built.root.digest);
    const store = new MemoryStore();
    await copyImages(scene.registries.source(), store, [scene.nameOf('7')]);
    assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(built.blobs, built.root)));
  });
}

function* chunksOf(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
}

test('copies from repository to repository by mounts, without a byte of a layer', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ layerBytes: 5_000_000 });
  await push(scene.registries, built, scene.nameOf('1', 'from'));
  const before = scene.proxy.seen.length;
  const to = repositoryOf(parseRegistryReference(scene.nameOf('2', 'to')));
  const from = repositoryOf(parseRegistryReference(scene.nameOf('1', 'from')));
  const destination = scene.registries.destination(to, { tag: '2', blobJobs: 4 }, [from.path]);
  await copyToRegistry(scene.registries.source(), destination, [scene.nameOf('1', 'from')]);
  const layers = [...built.manifests.values()].flatMap(({ digest }) => built.blobs.links(digest).layers ?? []);
  const after = scene.proxy.seen.slice(before);
  assert.equal(
    after.filter(({ method, url }) => method === 'POST' && url.includes('mount=')).length >= layers.length,
    true,
  );
  assert.deepEqual(
    after.filter(
      ({ method, url }) =>
        method === 'GET' && url.includes('/blobs/') && layers.some(({ digest }) => url.includes(digest)),
    ),
    [],
  );
  const copied = await scene.registries.source().resolve([scene.nameOf('2', 'to')]);
  assert.equal(copied[0]?.descriptor.digest, built.root.digest);
});

test('writes a new index where the registry takes none with children left out, and says so', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example();
  const platforms = PLATFORMS.slice(0, 2);
  const store = await storeWith(built);
  const { name, ...place } = { ...repositoryOf(parseRegistryReference(scene.nameOf('1'))), name: scene.nameOf('1') };
  const to = (options: Partial<DestinationOptions> = {}) =>
    scene.registries.destination(place, { tag: '1', blobJobs: 4, ...options });
  const report = await copyToRegistry(store, to(), [NAME], { platforms });
  assert.deepEqual(
    report.warnings.map(({ code }) => code),
    ['WARN_INDEX_REWRITTEN'],
  );
  assert.notEqual(report.images[0]?.digest, built.root.digest);
  const [record] = await scene.registries.source().resolve([name]);
  assert.equal(record?.descriptor.digest, report.images[0]?.digest);
  await assert.rejects(copyToRegistry(store, to(), [NAME], { platforms, index: 'preserve' }), {
    code: 'ERR_REGISTRY_REFUSED',
  });
  await assert.rejects(copyToRegistry(store, to({ digest: built.root.digest }), [NAME], { platforms }), {
    code: 'ERR_NAME_CONFLICT',
  });
});

test('pushes by digest without a tag', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example();
  const name = scene.nameOf('1').replace(/:1$/, `@${built.root.digest}`);
  await push(scene.registries, built, name);
  assert.equal(
    await listTags(scene.registries.repository(repositoryOf(parseRegistryReference(name)), 'pull')),
    undefined,
  );
  const [record] = await scene.registries.source().resolve([name]);
  assert.equal(record?.descriptor.digest, built.root.digest);
});

test('moves no tag and completes no upload if the source is damaged', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const name = scene.nameOf('1');
  const old = example({ seed: 'old' });
  await push(scene.registries, old, name);
  const built = example({ layerBytes: 6_000_000, platforms: ['linux/amd64'], compression: 'none' });
  const [layer] = built.blobs.links(built.of('linux/amd64').digest).layers ?? [];
  assert.ok(layer);
  const bytes = Buffer.from(built.blobs.bytes(layer.digest));
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  const before = scene.proxy.seen.length;
  const source = await storeWith(built);
  source.open = async function* (digest: Digest, { range }: Partial<OpenOptions>) {
    yield (digest === layer.digest ? bytes : built.blobs.bytes(digest)).subarray(range?.start, range?.end);
  };
  const reference = parseRegistryReference(name);
  const destination = scene.registries.destination(repositoryOf(reference), { tag: '1', blobJobs: 4 });
  await assert.rejects(copyToRegistry(source, destination, [NAME]), { code: 'ERR_DIGEST_MISMATCH' });
  const archive = await layoutArchive(built.images, built.blobs);
  const at = archive.indexOf(built.blobs.bytes(layer.digest).subarray(0, 4096));
  archive[at + 5_000_000] = (archive[at + 5_000_000] ?? 0) ^ 1;
  const { Readable } = await import('node:stream');
  await assert.rejects(loadImages(destination, Readable.from(chunksOf(archive))), { code: 'ERR_DIGEST_MISMATCH' });
  const puts = scene.proxy.seen
    .slice(before)
    .filter(({ method, url }) => method === 'PUT' && url.includes(encodedOf(layer.digest)));
  for (const { bytes: sent } of puts) assert.ok(sent < layer.size, `${sent} of ${layer.size} bytes were sent`);
  const [record] = await scene.registries.source().resolve([name]);
  assert.equal(record?.descriptor.digest, old.root.digest);
});

test('goes on where a body was cut, however often, with hardly a byte twice', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const layerBytes = 24_000_000;
  const built = example({ layerBytes, layers: 1, platforms: ['linux/amd64'], compression: 'none' });
  await push(scene.registries, built, scene.nameOf('1'));
  let cuts = 0;
  scene.proxy.fault = ({ method, url }) => {
    if (method !== 'GET' || !url.includes('/blobs/') || cuts >= 12) return undefined;
    cuts += 1;
    return { cutAfter: 1_500_000 + cuts };
  };
  const store = new MemoryStore();
  await copyImages(scene.registries.source(), store, [scene.nameOf('1')]);
  assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(built.blobs, built.root)));
  assert.equal(cuts, 12);
  const ranges = scene.proxy.requests('GET', /blobs/).flatMap(({ headers }) => headers.range ?? []);
  const starts = ranges.map((range) => Number(/^bytes=(\d+)-$/.exec(range)?.[1]));
  assert.deepEqual(
    starts,
    starts.toSorted((a, b) => a - b),
  );
  assert.ok(starts.length >= 10);
});

test('sends an upload to the other host that the registry names, without credentials', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const behind = await FaultProxy.start(t, scene.registry.port);
  const built = example({ layerBytes: 5_000_000, platforms: ['linux/amd64'] });
  const registries = openRegistries(t, {
    credentials: async () => ({ kind: 'password', username: 'robot', password: 's3cret' }),
  });
  scene.proxy.fault = ({ method, headers }, request, response) => {
    if (headers.authorization === undefined) {
      request.resume();
      response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      return 'answered';
    }
    return method === 'POST' ? { location: (to) => to.replace(scene.proxy.host, behind.host) } : undefined;
  };
  const name = scene.nameOf('1', 'elsewhere');
  await push(registries, built, name);
  assert.ok(behind.requests('PUT').length >= 3);
  for (const { headers } of behind.seen) assert.equal(headers.authorization, undefined);
  assert.equal(scene.proxy.requests('PUT', /uploads/).length, 0);
  const [record] = await registries.source().resolve([name]);
  assert.equal(record?.descriptor.digest, built.root.digest);
});

const MANY = IS_ALL ? 100 : 25;

test(`reads hardly a byte twice in ${MANY} cuts at any place`, async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const layerBytes = MANY * 1_500_000;
  const built = example({ layerBytes, layers: 1, platforms: ['linux/amd64'], compression: 'none' });
  await push(scene.registries, built, scene.nameOf('1'));
  const random = seededBytes('cuts', MANY * 2);
  let cuts = 0;
  scene.proxy.fault = ({ method, url }) => {
    if (method !== 'GET' || !url.includes('/blobs/') || cuts >= MANY) return undefined;
    cuts += 1;
    return { cutAfter: 1_050_000 + (random.readUInt16BE((cuts - 1) * 2) % 400_000) };
  };
  const store = new MemoryStore();
  await copyImages(scene.registries.source(), store, [scene.nameOf('1')]);
  assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(built.blobs, built.root)));
  assert.equal(cuts, MANY);
  const total = built.blobs.links(built.of('linux/amd64').digest).layers?.[0]?.size ?? 0;
  t.diagnostic(`${scene.proxy.answered} bytes for a blob of ${total}`);
  assert.ok(scene.proxy.answered <= 1.1 * total, `${scene.proxy.answered} bytes for ${total}`);
});

test('goes on where the registry knows no ranges, and refuses a wrong part', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ layerBytes: 3_000_000, layers: 1, platforms: ['linux/amd64'], compression: 'none' });
  await push(scene.registries, built, scene.nameOf('1'));
  const [layer] = built.blobs.links(built.of('linux/amd64').digest).layers ?? [];
  const isLayer = (url: string): boolean => url.includes(layer?.digest ?? '?');
  let answers = 0;
  scene.proxy.fault = ({ method, url }, request) => {
    if (method !== 'GET' || !isLayer(url)) return undefined;
    answers += 1;
    delete request.headers.range;
    return answers === 1 ? { cutAfter: 1_000_000 } : undefined;
  };
  const store = new MemoryStore();
  await copyImages(scene.registries.source(), store, [scene.nameOf('1')]);
  assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(built.blobs, built.root)));
  answers = 0;
  scene.proxy.fault = ({ method, url }) => {
    if (method !== 'GET' || !isLayer(url)) return undefined;
    answers += 1;
    return answers === 1
      ? { cutAfter: 1_000_000 }
      : { headers: { 'content-range': `bytes 5-${layer?.size}/${layer?.size}` } };
  };
  await assert.rejects(copyImages(scene.registries.source(), new MemoryStore(), [scene.nameOf('1')]), {
    code: 'ERR_REGISTRY_PROTOCOL',
  });
});

test('believes no byte that does not have its digest', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ platforms: ['linux/amd64'] });
  await push(scene.registries, built, scene.nameOf('1'));
  const pull = async (): Promise<unknown> =>
    await copyImages(scene.registries.source(), new MemoryStore(), [scene.nameOf('1')]);
  const [layer] = built.blobs.links(built.of('linux/amd64').digest).layers ?? [];
  for (const part of ['/manifests/', `/blobs/${layer?.digest}`]) {
    scene.proxy.fault = ({ method, url }) => (method === 'GET' && url.includes(part) ? { flipAt: 20 } : undefined);
    await assert.rejects(
      pull(),
      (error: { readonly code?: string }) => /^ERR_(?:DIGEST_MISMATCH|DOCUMENT_INVALID)$/.test(error.code ?? ''),
      part,
    );
  }
  scene.proxy.fault = ({ method, url }) =>
    method === 'GET' && url.includes('/blobs/')
      ? { headers: { 'content-length': undefined }, cutAfter: 30 }
      : undefined;
  await assert.rejects(pull(), { code: 'ERR_REGISTRY_UNREACHABLE', category: 'network' });
});

test('uploads again after a cut, and finds what a lost answer had completed', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ layerBytes: 6_000_000, layers: 1, platforms: ['linux/amd64'], compression: 'none' });
  let puts = 0;
  scene.proxy.fault = ({ method, url }) => {
    if (method !== 'PUT' || !url.includes('/blobs/uploads/')) return undefined;
    puts += 1;
    return [{ cutRequestAfter: 2_000_000 }, { swallow: true } as const][puts - 1];
  };
  await push(scene.registries, built, scene.nameOf('1'));
  const [record] = await scene.registries.source().resolve([scene.nameOf('1')]);
  assert.equal(record?.descriptor.digest, built.root.digest);
  assert.ok(puts >= 2);
});

test('cancels its upload when it is aborted, and says so', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ layerBytes: 6_000_000, layers: 1, platforms: ['linux/amd64'], compression: 'none' });
  const controller = new AbortController();
  const registries = openRegistries(t, { signal: controller.signal });
  scene.proxy.fault = ({ method, url }) => {
    if (method === 'PUT' && url.includes('/blobs/uploads/')) controller.abort();
    return undefined;
  };
  const place = repositoryOf(parseRegistryReference(scene.nameOf('1')));
  const copying = copyToRegistry(
    await storeWith(built),
    registries.destination(place, { tag: '1', blobJobs: 1 }),
    [NAME],
    { signal: controller.signal },
  );
  await assert.rejects(copying, { code: 'ERR_ABORTED' });
  assert.equal(scene.proxy.requests('DELETE', /uploads/).length, 1);
  assert.equal(await listTags(scene.registries.repository(place, 'pull')), undefined);
});

test('sends a large blob of a pipe in pieces, and a piece again that got lost', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ layerBytes: 40_000_000, layers: 1, platforms: ['linux/amd64'], compression: 'none' });
  const archive = await layoutArchive(built.images, built.blobs);
  let patches = 0;
  scene.proxy.fault = ({ method }, request, response) => {
    if (method !== 'PATCH') return undefined;
    patches += 1;
    if (patches !== 2) return undefined;
    request.resume().once('end', () => response.writeHead(503).end());
    return 'answered';
  };
  const reference = parseRegistryReference(scene.nameOf('1'));
  const destination = scene.registries.destination(repositoryOf(reference), { tag: '1', blobJobs: 4 });
  const { Readable } = await import('node:stream');
  await loadImages(destination, Readable.from(chunksOf(archive)));
  assert.ok(patches >= 2, `${patches} pieces`);
  const store = new MemoryStore();
  await copyImages(scene.registries.source(), store, [scene.nameOf('1')]);
  assert.deepEqual((await stateOf(store)).blobs, sorted(closureOf(built.blobs, built.root)));
});

test('lists referrers by the tag that stands for them, in both directions', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ platforms: ['linux/amd64'] });
  const name = scene.nameOf('1');
  await push(scene.registries, built, name);
  const config = built.blobs.descriptor('{}', 'application/vnd.oci.empty.v1+json');
  const referrer = built.blobs.document(
    {
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: 'application/x.signature',
      config,
      layers: [config],
      subject: { mediaType: built.root.mediaType, digest: built.root.digest, size: built.root.size },
    },
    'application/vnd.oci.image.manifest.v1+json',
  );
  const signed = new MemoryStore();
  const marked = { ...referrer, annotations: { 'io.containerd.manifest.subject': built.root.digest } };
  await fill(signed, [{ name: NAME, descriptor: built.root }, { descriptor: marked }], built.blobs);
  const target = scene.nameOf('signed', 'signed');
  const destination = scene.registries.destination(repositoryOf(parseRegistryReference(target)), {
    tag: 'signed',
    blobJobs: 4,
  });
  await copyToRegistry(signed, destination, [NAME]);
  const source = scene.registries.source();
  await source.resolve([target]);
  assert.deepEqual(
    (await source.referrersOf(built.root.digest)).map(({ digest, artifactType }) => [digest, artifactType]),
    [[referrer.digest, 'application/x.signature']],
  );
  const pulled = new MemoryStore();
  await copyImages(scene.registries.source(), pulled, [target]);
  assert.deepEqual(
    (await pulled.referrersOf(built.root.digest)).map(({ digest }) => digest),
    [referrer.digest],
  );
  // It is listed once, however often it is pushed.
  await copyToRegistry(signed, destination, [NAME], { platforms: [] });
  const tags = await listTags(scene.registries.repository(repositoryOf(parseRegistryReference(target)), 'pull'));
  assert.deepEqual(tags, [`sha256-${encodedOf(built.root.digest)}`, 'signed']);
});

test('sends a new signature of an image whose tag is up to date, once', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example();
  const name = scene.nameOf('1');
  await push(scene.registries, built, name);
  const config = built.blobs.descriptor('{"new":1}', 'application/vnd.oci.empty.v1+json');
  const { mediaType, digest, size } = built.root;
  const type = 'application/vnd.oci.image.manifest.v1+json';
  const subject = { mediaType, digest, size };
  const document = { schemaVersion: 2, mediaType: type, config, layers: [config], subject };
  const referrer = built.blobs.document({ ...document, artifactType: 'application/x.new' }, type);
  const store = new MemoryStore();
  const marked = { ...referrer, annotations: { 'io.containerd.manifest.subject': digest } };
  await fill(store, [{ name: NAME, descriptor: built.root }, { descriptor: marked }], built.blobs);
  const reference = parseRegistryReference(name);
  const pushAgain = async (referrers: 'follow' | 'drop') => {
    const before = scene.proxy.seen.length;
    const to = scene.registries.destination(repositoryOf(reference), { tag: '1', blobJobs: 4 });
    const { upToDate, referrers: sent } = await copyToRegistry(store, to, [NAME], { referrers });
    return { upToDate, sent, seen: scene.proxy.seen.slice(before).map(({ method, url }) => `${method} ${url}`) };
  };
  const first = await pushAgain('follow');
  assert.deepEqual([first.upToDate, first.sent], [false, 1]);
  const puts = first.seen.filter((line) => line.startsWith('PUT') && line.includes('/manifests/'));
  assert.match(puts[0] ?? '', new RegExp(`${referrer.digest}$`));
  assert.ok(!puts.some((line) => line.endsWith('/manifests/1')), 'its own tag is not written again');
  const again = await pushAgain('follow');
  assert.equal(again.upToDate, true);
  assert.equal(again.seen.length, 2, `its tag, and the signature: ${again.seen.join()}`);
});

test('takes signatures along that have a tag of their own', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ platforms: ['linux/amd64'] });
  const name = scene.nameOf('1');
  await push(scene.registries, built, name);
  const signature = example({ seed: 'signature', platforms: ['linux/amd64'] });
  const tag = `sha256-${encodedOf(built.root.digest)}.sig`;
  const only = signature.of('linux/amd64');
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: only }], signature.blobs);
  const place = repositoryOf(parseRegistryReference(name));
  await copyToRegistry(store, scene.registries.destination(place, { tag, blobJobs: 4 }), [NAME]);
  const pulled = new MemoryStore();
  await copyImages(scene.registries.source(), pulled, [name]);
  assert.deepEqual(
    (await pulled.list()).map((record) => [record.name, record.descriptor.digest]),
    [
      [name, built.root.digest],
      [name.replace(/:1$/, `:${tag}`), only.digest],
    ],
  );
  scene.proxy.fault = ({ url }, _, response) => {
    if (!url.includes('/tags/list')) return undefined;
    response.writeHead(403).end();
    return 'answered';
  };
  const unlisted = new MemoryStore();
  await copyImages(scene.registries.source(), unlisted, [name]);
  assert.equal((await unlisted.list()).length, 2, 'also where no tags are listed');
  scene.proxy.fault = () => undefined;
  const all = await scene.registries.source().resolve([name.replace(/:1$/, '')]);
  assert.deepEqual(
    all.map((record) => record.name),
    [name],
  );
});

test('tells a blob that the registry has lost', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const built = example({ seed: 'lost', platforms: ['linux/amd64'] });
  await push(scene.registries, built, scene.nameOf('1'));
  const [layer] = built.blobs.links(built.of('linux/amd64').digest).layers ?? [];
  const hex = encodedOf(layer?.digest ?? digestOf(''));
  await rm(path.join(scene.registry.folder, 'root/docker/registry/v2/blobs/sha256', hex.slice(0, 2), hex), {
    recursive: true,
  });
  await assert.rejects(copyImages(scene.registries.source(), new MemoryStore(), [scene.nameOf('1')]), {
    code: 'ERR_BLOB_MISSING',
    category: 'not-found',
  });
  const source = scene.registries.source({ checkBlobs: true });
  await assert.rejects(planExport(source, [scene.nameOf('1')]), { code: 'ERR_BLOB_MISSING' });
});

test('tells what happens to each blob, and which was mounted', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { registries, nameOf } = scene;
  const built = example();
  const told = async (source: ImageSource, name: string, sources: readonly string[] = []): Promise<CopyEvent[]> => {
    const reference = parseRegistryReference(name);
    const destination = registries.destination(repositoryOf(reference), { tag: '1', blobJobs: 4 }, sources);
    const events: CopyEvent[] = [];
    await copyToRegistry(source, destination, [NAME], { onBlob: (event) => void events.push(event) });
    return events;
  };
  const store = await storeWith(built);
  const first = await told(store, nameOf('1'));
  const layers = closureOf(built.blobs, built.root).filter((digest) => digest !== built.root.digest);
  for (const digest of layers) {
    const own = first.filter((event) => event.digest === digest);
    assert.deepEqual([own.at(0)?.state, own.at(-1)?.state], ['waiting', 'copied'], digest);
    assert.equal(own.at(-1)?.bytes, own.at(0)?.size);
    assert.ok(own.slice(1, -1).every(({ state, bytes, size }) => state === 'copying' && bytes <= size));
  }
  const from = repositoryOf(parseRegistryReference(nameOf('1'))).path;
  const second = await told(store, nameOf('1', 'other'), [from]);
  const blobs = second.filter(({ kind }) => kind === 'blob');
  assert.ok(blobs.length > 0);
  assert.ok(blobs.every(({ state, mountedFrom }) => state === 'present' && mountedFrom === from));
});

test('refuses a link-local address of a registry, if others choose its name', async (t) => {
  const registries = openRegistries(t, { refusesLinkLocal: true, plainHttp: new Set(['169.254.169.254']) });
  const source = registries.source();
  await assert.rejects(source.resolve(['169.254.169.254/latest/meta-data:1']), { code: 'ERR_REDIRECT_REFUSED' });
});
