import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { copyImages } from '../../src/copy/copy-images.js';
import { copyToRegistry } from '../../src/copy/copy-to-registry.js';
import { exportImages } from '../../src/export/export-images.js';
import { planExport } from '../../src/export/plan-export.js';
import { LadingError } from '../../src/model/errors.js';
import { Mirrors, type Mirror } from '../../src/registry/mirrors.js';
import { parseRegistryReference, repositoryOf } from '../../src/registry/registry-name.js';
import type { RegistrySettings } from '../../src/registry/settings.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { closureOf } from '../fixtures/blob-set.js';
import { freePort, sharedRegistry } from '../fixtures/docker-registry.js';
import { example, NAME, sorted, type Example } from '../fixtures/example.js';
import { FaultProxy, type Fault, type SeenRequest } from '../fixtures/fault-proxy.js';
import { openRegistries } from '../fixtures/registries.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { fill, stateOf } from '../fixtures/stores.js';

/*
 * A registry, and a mirror of it that a test can spoil. Both lead to one docker-registry, so that a mirror has
 * everything unless its test says otherwise.
 */

const registryFor = sharedRegistry();

const built = example({ platforms: ['linux/amd64'], attestations: false });
const large = example({ platforms: ['linux/amd64'], layerBytes: 3_000_000, compression: 'none' });

let scenes = 0;

interface SceneOptions {
  readonly image?: Example;
  readonly settings?: Partial<RegistrySettings>;
  readonly mirror?: Omit<Mirror, 'host'>;
  readonly now?: () => number;
}

async function sceneFor(
  t: TestContext,
  { image = built, settings = {}, mirror = {}, now = () => 0 }: SceneOptions = {},
) {
  const registry = await registryFor(t);
  if (registry === undefined) return undefined;
  const [origin, copy] = [await FaultProxy.start(t, registry.port), await FaultProxy.start(t, registry.port)];
  scenes += 1;
  const path = `mirrors/scene-${scenes}`;
  const name = `${origin.host}/${path}:1`;
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: image.root }], image.blobs);
  const to = openRegistries(t).destination({ host: registry.host, path }, { tag: '1', blobJobs: 4 });
  await copyToRegistry(store, to, [NAME]);
  const warnings: string[] = [];
  const mirrors = new Mirrors({ [origin.host]: [{ host: copy.host, ...mirror }] }, now);
  const registries = openRegistries(t, { mirrors, onWarning: (text) => void warnings.push(text), ...settings });
  const pull = async () => {
    const into = new MemoryStore();
    await copyImages(registries.source(), into, [name]);
    return await stateOf(into);
  };
  return {
    registry,
    origin,
    copy,
    path,
    name,
    warnings,
    registries,
    pull,
    wanted: sorted(closureOf(image.blobs, image.root)),
  };
}

function kinds(seen: readonly SeenRequest[]): readonly string[] {
  return seen.map(({ method, url }) => `${method} ${/\/(manifests|blobs|referrers|tags)\//.exec(url)?.[1] ?? url}`);
}

/** Gives a large layer with another byte in its middle. */
const spoiled: Fault = ({ url }) => (url.includes('/blobs/') ? { flipAt: 2_000_000 } : undefined);

/** The header with the password of a test for a host. */
function shownTo(host: string): string {
  return `Basic ${Buffer.from(`u:for ${host}`).toString('base64')}`;
}

/** Answers every request in the same way. */
function always(status: number, headers: Readonly<Record<string, string>> = {}, body = ''): Fault {
  return (_seen, _request, response) => {
    response.writeHead(status, headers).end(body);
    return 'answered';
  };
}

test('reads all but the tag from a mirror', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  assert.deepEqual((await scene.pull()).blobs, scene.wanted);
  assert.deepEqual(
    kinds(scene.origin.seen)
      .filter((kind) => !/referrers|tags|sha256-/.test(kind))
      .slice(0, 1),
    ['HEAD manifests'],
  );
  assert.equal(scene.origin.requests('GET', /\/blobs\//).length, 0);
  assert.equal(scene.origin.requests('GET', /manifests\/sha256:/).length, 0);
  assert.ok(scene.copy.requests('GET', /\/blobs\//).length > 0);
  assert.deepEqual(
    scene.copy.seen.filter(({ url }) => /manifests\/1|referrers|tags\/list/.test(url)),
    [],
  );
  assert.deepEqual(scene.warnings, []);
});

test('asks a mirror for tags if it is said to be up to date', async (t) => {
  const scene = await sceneFor(t, { mirror: { tags: true, ns: true } });
  if (scene === undefined) return;
  assert.deepEqual((await scene.pull()).blobs, scene.wanted);
  assert.equal(scene.origin.requests('HEAD').length + scene.origin.requests('GET', /manifests\/1/).length, 0);
  assert.ok(scene.copy.seen.every(({ url }) => url.endsWith(`?ns=${encodeURIComponent(scene.origin.host)}`)));
});

test('finds the repositories of a mirror below a path', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const [prefix, rest] = scene.path.split('/');
  const mirrors = new Mirrors({ [scene.origin.host]: [{ host: `${scene.copy.host}/${prefix}` }] }, () => 0);
  const source = openRegistries(t, { mirrors }).source();
  const store = new MemoryStore();
  await copyImages(source, store, [`${scene.origin.host}/${scene.path}:1`]);
  // The mirror has it as `mirrors/mirrors/scene-…`, which is nowhere.
  assert.ok(
    scene.copy.seen.every(({ url }) => url.startsWith(`/v2/${prefix}/${prefix}/${rest}/`)),
    kinds(scene.copy.seen).join(),
  );
  assert.deepEqual((await stateOf(store)).blobs, scene.wanted);
});

test('pushes nothing to a mirror', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: built.root }], built.blobs);
  const name = repositoryOf(parseRegistryReference(`${scene.origin.host}/${scene.path}-pushed:2`));
  await copyToRegistry(store, scene.registries.destination(name, { tag: '2', blobJobs: 2 }), [NAME]);
  assert.deepEqual(scene.copy.seen, []);
});

const SPOILED: readonly (readonly [string, Fault, RegExp])[] = [
  ['500', always(500, {}, '<html>secret page</html>'), /left out.*status 500; try again later$/],
  ['503', always(503), /status 503/],
  ['429', always(429, { 'retry-after': '1' }), /ERR_REGISTRY_RATE|status 429/],
  ['403', always(403), /status 403/],
  ['401 without a challenge', always(401), /credentials are needed/],
  ['a page', always(200, { 'content-type': 'text/html' }, '<html></html>'), /hashes to/],
  ['a body without end', always(200, { 'content-length': '99999999999' }), /99999999999 bytes, more than/],
  ['a redirect to nowhere', always(307, { location: 'ftp://x/' }), /redirect was not followed/],
  ['a cut', (_seen, request) => (request.socket.destroy(), 'answered'), /the connection was cut/],
  ['silence', () => 'answered', /no answer came/],
];

for (const [what, fault, warning] of SPOILED)
  test(`goes on at the registry, with one warning, if a mirror answers with ${what}`, async (t) => {
    // The registry has five tries of that time, the mirror one.
    const scene = await sceneFor(t, { settings: { headersMs: what === 'silence' ? 2000 : 60_000 } });
    if (scene === undefined) return;
    scene.copy.fault = fault;
    assert.deepEqual((await scene.pull()).blobs, scene.wanted);
    assert.equal(scene.warnings.length, 1, scene.warnings.join('\n'));
    assert.match(scene.warnings[0] ?? '', warning);
    assert.match(
      scene.warnings[0] ?? '',
      new RegExp(`^the mirror ${scene.copy.host} of ${scene.origin.host} is left out`),
    );
    assert.doesNotMatch(scene.warnings[0] ?? '', /secret page/);
    // The question whether it speaks TLS is none of them; 401 without a challenge is looked up at /v2/.
    assert.ok(scene.copy.seen.length <= 2, kinds(scene.copy.seen).join());
  });

test('takes without a word what a mirror lacks from the registry, and asks it for the rest', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;

  scene.copy.fault = ({ url }) => (url.includes('/blobs/') ? { status: 404 } : undefined);
  assert.deepEqual((await scene.pull()).blobs, scene.wanted);
  assert.deepEqual(scene.warnings, []);
  assert.equal(scene.copy.requests('GET', /\/blobs\//).length, scene.origin.requests('GET', /\/blobs\//).length);
  scene.copy.fault = always(404);
  const before = scene.copy.seen.length;
  await scene.pull();
  assert.equal(scene.copy.seen.length, before + 1, 'after one manifest that it lacks, its repository is left out');
});

test('asks a mirror again after a minute', async (t) => {
  let now = 0;
  const scene = await sceneFor(t, { now: () => now });
  if (scene === undefined) return;
  scene.copy.fault = always(500);
  await scene.pull();
  const failed = scene.copy.seen.length;
  scene.copy.fault = () => undefined;
  now = 59_999;
  await scene.pull();
  assert.equal(scene.copy.seen.length, failed);
  now = 60_000;
  await scene.pull();
  assert.ok(scene.copy.requests('GET', /\/blobs\//).length > 0);
});

test('takes a small blob with wrong bytes from the registry', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  scene.copy.fault = ({ url }) => (url.includes('/blobs/') ? { flipAt: 0 } : undefined);
  const source = scene.registries.source();
  const plan = await planExport(source, [scene.name]);
  assert.ok((await bytesOf(exportImages(source, plan))).length > 0, 'also where nothing is read twice');
  assert.match(scene.warnings[0] ?? '', /content hashes to/);
  assert.deepEqual((await scene.pull()).blobs, scene.wanted);
});

test('fetches a large layer with wrong bytes again, into a store and into a registry', async (t) => {
  const scene = await sceneFor(t, { image: large });
  if (scene === undefined) return;
  scene.copy.fault = spoiled;
  assert.deepEqual((await scene.pull()).blobs, scene.wanted);
  // Two blobs were on their way from the mirror.
  assert.ok(scene.warnings.length <= 2 && scene.warnings.some((text) => text.includes('hashes to')));
  const other = await sceneFor(t, { image: large });
  if (other === undefined) return;
  other.copy.fault = spoiled;
  const to = { host: other.registry.host, path: `${other.path}-copied` };
  const copied = await copyToRegistry(
    other.registries.source(),
    other.registries.destination(to, { tag: '1', blobJobs: 4 }),
    [other.name],
  );
  assert.equal(copied.images[0]?.digest, large.root.digest);
  assert.match(other.warnings[0] ?? '', /left out for a while: blob sha256:[0-9a-f]{64}: content hashes to/);
});

test('fails a stream whose large layer came wrong from a mirror, and names the mirror', async (t) => {
  const scene = await sceneFor(t, { image: large });
  if (scene === undefined) return;
  scene.copy.fault = spoiled;
  const source = scene.registries.source();
  const plan = await planExport(source, [scene.name]);
  await assert.rejects(bytesOf(exportImages(source, plan)), (error: LadingError) => {
    assert.deepEqual([error.code, error.details['mirror']], ['ERR_DIGEST_MISMATCH', scene.copy.host]);
    return true;
  });
  assert.ok((await bytesOf(exportImages(source, plan))).length > 3_000_000, 'the next try asks the registry');
});

test('goes on with a cut layer at the mirror after progress, else at the registry', async (t) => {
  const scene = await sceneFor(t, { image: large });
  if (scene === undefined) return;
  let cuts = 0;
  scene.copy.fault = ({ url }) => (/\/blobs\//.test(url) && (cuts += 1) <= 2 ? { cutAfter: 1_200_000 } : undefined);
  assert.deepEqual((await scene.pull()).blobs, scene.wanted);
  assert.deepEqual([scene.origin.requests('GET', /\/blobs\//).length, scene.warnings], [0, []]);
  const other = await sceneFor(t, { image: large });
  if (other === undefined) return;
  other.copy.fault = ({ url }) => (/\/blobs\//.test(url) ? { cutAfter: 300_000 } : undefined);
  assert.deepEqual((await other.pull()).blobs, other.wanted);
  const ranges = other.origin.requests('GET', /\/blobs\//).map(({ headers }) => headers.range);
  assert.ok(
    ranges.some((range) => range !== undefined && range !== 'bytes=0-'),
    `goes on where it was cut: ${ranges.join()}`,
  );
});

test('shows a mirror its own credentials, and no others', async (t) => {
  const asked: string[] = [];
  const scene = await sceneFor(t, {
    settings: {
      credentials: async (host) => {
        asked.push(host);
        return { kind: 'password', username: 'u', password: `for ${host}` };
      },
    },
  });
  if (scene === undefined) return;
  const shown = new Map<FaultProxy, Set<string>>();
  for (const proxy of [scene.origin, scene.copy])
    proxy.fault = (seen, request, response) => {
      const { authorization } = seen.headers;
      if (authorization === undefined)
        return always(401, { 'www-authenticate': 'Basic realm="x"' })(seen, request, response);
      shown.set(proxy, (shown.get(proxy) ?? new Set()).add(authorization));
      delete (request.headers as Record<string, unknown>)['authorization'];
      return undefined;
    };
  assert.deepEqual((await scene.pull()).blobs, scene.wanted);
  assert.deepEqual([...(shown.get(scene.copy) ?? [])], [shownTo(scene.copy.host)]);
  assert.deepEqual([...(shown.get(scene.origin) ?? [])], [shownTo(scene.origin.host)]);
  assert.deepEqual(new Set(asked), new Set([scene.origin.host, scene.copy.host]));
});

test('tells what the registry says if neither it nor a mirror can be reached', async (t) => {
  const scene = await sceneFor(t, { settings: { attempts: 1 } });
  if (scene === undefined) return;
  const dead = `localhost:${await freePort()}`;
  const mirrors = new Mirrors({ [dead]: [{ host: scene.copy.host, tags: true }] }, () => 0);
  scene.copy.fault = always(500);
  const warnings: string[] = [];
  const source = openRegistries(t, { mirrors, attempts: 1, onWarning: (text) => void warnings.push(text) }).source();
  await assert.rejects(source.resolve([`${dead}/a:1`]), (error: LadingError) => {
    assert.deepEqual([error.code, error.details['host']], ['ERR_REGISTRY_UNREACHABLE', dead]);
    return true;
  });
  assert.equal(warnings.length, 1);
});

for (const [what, mirrors] of [
  ['no list', { 'a.example': 'b.example' }],
  ['no host', { 'a.example': [{ tags: true }] }],
  ['an unknown field', { 'a.example': [{ host: 'b.example', tag: true }] }],
  ['the registry itself', { 'docker.io': [{ host: 'registry-1.docker.io' }] }],
  ['a tag', { 'a.example': [{ host: 'b.example/c:1' }] }],
  ['an address', { 'a.example': [{ host: 'https://b.example/c' }] }],
  ['no registry', { 'a b': [{ host: 'b.example' }] }],
] as const)
  test(`refuses mirrors with ${what}`, () => {
    assert.throws(
      () => new Mirrors(mirrors as never, () => 0),
      (error: LadingError) => ['ERR_OPTION_INVALID', 'ERR_REFERENCE_INVALID'].includes(error.code),
    );
  });
