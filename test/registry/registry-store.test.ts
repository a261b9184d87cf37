import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { RegistryStore } from '../../src/registry/registry-store.js';
import { Registries } from '../../src/registry/registries.js';
import { parseRegistryReference } from '../../src/registry/registry-name.js';
import { StoreNames } from '../../src/registry/store-names.js';
import { listTags } from '../../src/registry/tags.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { sharedRegistry, type RunningRegistry } from '../fixtures/docker-registry.js';
import { startEngine, type Answer, type Engine } from '../fixtures/engine.js';
import { startEngineProcess, uploadFile } from '../fixtures/engine-process.js';
import { assertRefused } from '../fixtures/engine-store.js';
import { example, type Example } from '../fixtures/example.js';
import { FaultProxy } from '../fixtures/fault-proxy.js';
import { openRegistries, settingsFor } from '../fixtures/registries.js';
import { verifyArchive } from '../../src/verify/verify-archive.js';
import { Readable } from 'node:stream';

const start = sharedRegistry();
let prefixes = 0;

interface Scene {
  readonly registry: RunningRegistry;
  readonly proxy: FaultProxy;
  readonly place: string;
  /** One more server on the same part of the registry. */
  readonly server: (listMs?: number) => Promise<Engine>;
}

async function sceneFor(t: TestContext): Promise<Scene | undefined> {
  const registry = await start(t);
  if (registry === undefined) return undefined;
  const proxy = await FaultProxy.start(t, registry.port);
  prefixes += 1;
  const place = `registry://${proxy.host}/stores/s${prefixes}`;
  const server = async (listMs = 0): Promise<Engine> => {
    const settings = settingsFor();
    const store = new RegistryStore(() => new Registries(settings), StoreNames.parse(place), { now: Date.now, listMs });
    t.after(() => store.close());
    return await startEngine(t, { store, registries: { settings, pullPlatforms: 'all' } });
  };
  return { registry, proxy, place, server };
}

async function archiveOf({ images, blobs }: Example): Promise<Buffer> {
  return await layoutArchive(images, blobs);
}

async function load({ request }: Engine, built: Example, query = ''): Promise<Answer> {
  return await request('POST', `/v1.52/images/load?quiet=1${query}`, { body: await archiveOf(built) });
}

async function listed({ request }: Engine): Promise<readonly string[]> {
  const images = (await request('GET', '/v1.52/images/json')).json() as readonly { RepoTags: readonly string[] }[];
  return images.flatMap(({ RepoTags }) => RepoTags).toSorted();
}

test('loads through one server, and shows, saves, tags and removes through another', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const [one, two] = [await scene.server(), await scene.server(60_000)];
  assert.deepEqual(await listed(two), []);
  const built = example({ attestations: true, sharedLayer: true });
  const loaded = await load(one, built);
  assert.deepEqual([loaded.status, loaded.text], [200, '{"stream":"Loaded image: example/app:1\\n"}\r\n']);
  const shown = await two.request('GET', '/v1.52/images/example/app:1/json');
  assert.equal((shown.json() as { Id: string }).Id, built.root.digest, 'the list of the other is a minute old');
  const saved = await two.request('GET', '/v1.52/images/get?names=example/app:1');
  assert.equal(saved.status, 200);
  assert.equal(Number(saved.headers['content-length']), saved.body.length);
  const report = await verifyArchive(Readable.from([saved.body]), {});
  assert.deepEqual(report.problems, []);
  assert.equal((await two.request('POST', '/images/example/app:1/tag?repo=localhost:5000/team/app&tag=2')).status, 201);
  assert.deepEqual(await listed(one), ['example/app:1', 'localhost:5000/team/app:2']);
  assert.equal((await one.request('POST', '/images/example/app:1/tag?repo=example/app&tag=3')).status, 201);
  const removed = await one.request('DELETE', '/v1.52/images/example/app:1');
  assert.deepEqual(removed.json(), [{ Untagged: 'example/app:1' }]);
  assert.deepEqual(
    await listed(one),
    ['example/app:3', 'localhost:5000/team/app:2'],
    'the other tag of the image stays',
  );
  assert.equal((await one.request('GET', '/images/example/app:3/json')).status, 200);
  const last = await one.request('DELETE', `/v1.52/images/${built.root.digest}?force=1`);
  assert.equal(last.status, 200, last.text);
  assert.deepEqual(await listed(one), []);
  assertRefused(await two.request('GET', '/v1.52/images/example/app:1/json'), 404, /No such image/);
});

test('keeps each image where other clients can pull it', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const server = await scene.server();
  const built = example();
  assert.equal((await load(server, built)).status, 200);
  const registries = openRegistries(t);
  const name = `${scene.place.slice('registry://'.length)}/docker.io/example/app:1`;
  const [record] = await registries.source().resolve([name]);
  assert.equal(record?.descriptor.digest, built.root.digest);
  const before = scene.proxy.requests('PUT', /./).length;
  assert.equal((await load(server, built)).status, 200);
  const uploads = scene.proxy.requests('PUT', /blobs/).length;
  assert.equal(
    scene.proxy
      .requests('PUT', /./)
      .slice(before)
      .filter(({ url }) => url.includes('/blobs/')).length,
    0,
    `${uploads}`,
  );
});

test('shows nothing of a load that fails, and keeps the name that was there', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const server = await scene.server();
  const first = example();
  assert.equal((await load(server, first)).status, 200);
  const second = example({ seed: 'other' });
  const bytes = Buffer.from(await archiveOf(second));
  const layer = second.blobs.bytes(
    second.blobs.links(second.of('linux/arm64').digest).layers?.[0]?.digest ?? first.root.digest,
  );
  const at = bytes.indexOf(layer);
  bytes[at + 5] = (bytes[at + 5] ?? 0) ^ 1;
  const damaged = await server.request('POST', '/v1.52/images/load?quiet=1', { body: bytes });
  assertRefused(damaged, 422, /content hashes to/);
  scene.proxy.fault = ({ method, url }) =>
    method === 'PUT' && url.endsWith('/manifests/1') ? { cutRequestAfter: 1 } : undefined;
  assert.equal((await load(server, second)).status, 502);
  scene.proxy.fault = () => undefined;
  const shown = await server.request('GET', '/v1.52/images/example/app:1/json');
  assert.equal((shown.json() as { Id: string }).Id, first.root.digest);
  assert.deepEqual(await listed(server), ['example/app:1']);
});

test('says what a registry cannot do', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const server = await scene.server();
  assert.equal((await load(server, example())).status, 200);
  const platform = encodeURIComponent('{"os":"linux","architecture":"arm64"}');
  const removed = await server.request('DELETE', `/v1.52/images/example/app:1?force=1&platforms=${platform}`);
  assertRefused(removed, 501, /keeps whole images/);
  const metrics = await server.request('GET', '/metrics');
  assert.equal(metrics.status, 200);
  assert.match(metrics.text, /lading_store_images 1/);
  const part = await load(server, example({ seed: 'part' }), `&platform=${platform}`);
  assertRefused(part, 501, /keeps whole images/);
  const stranger = example();
  const named = await layoutArchive([{ root: stranger.root, name: '[::1]:5000/a/b:1' }], stranger.blobs);
  const refused = await server.request('POST', '/v1.52/images/load?quiet=1', { body: named });
  assertRefused(refused, 400, /keeps no names of such a host/);
  await assert.rejects(server.store.prune({ graceMs: 0, now: 0 }), { code: 'ERR_STORE_UNSUPPORTED' });
});

test('keeps images without a name, and pulls and pushes', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const server = await scene.server();
  const built = example({ seed: 'unnamed' });
  const body = await layoutArchive([{ root: built.root }], built.blobs);
  const loaded = await server.request('POST', '/v1.52/images/load?quiet=1', { body });
  assert.match(loaded.text, new RegExp(`Loaded image ID: ${built.root.digest}`));
  const shown = await server.request('GET', `/v1.52/images/${built.root.digest.slice(7, 19)}/json`);
  assert.equal((shown.json() as { Id: string }).Id, built.root.digest);
  const name = `${scene.proxy.host}/elsewhere/s${prefixes}`;
  assert.equal((await server.request('POST', `/images/${built.root.digest}/tag?repo=${name}&tag=1`)).status, 201);
  const pushed = await server.request('POST', `/v1.52/images/${name}/push?tag=1`);
  assert.match(pushed.text, new RegExp(`1: digest: ${built.root.digest}`));
  const other = await sceneFor(t);
  const puller = await other?.server();
  const pulled = await puller?.request('POST', `/v1.52/images/create?fromImage=${name}&tag=1`);
  assert.match(pulled?.text ?? '', /Downloaded newer image/);
  assert.deepEqual(puller && (await listed(puller)), [`${name}:1`]);
  const third = await (await sceneFor(t))?.server();
  const part = await third?.request('POST', `/v1.52/images/create?fromImage=${name}&tag=1&platform=linux%2Farm64`);
  assert.match(part?.text ?? '', /Downloaded newer image/, 'a new index of what was asked for');
  assert.match(part?.text ?? '', /so a new one was written: sha256:[0-9a-f]{64} instead of sha256:/);
  assert.equal((await third?.request('GET', `/images/get?names=${name}:1`))?.status, 200);
});

test('maps names to repositories and back', () => {
  const names = StoreNames.parse('registry://localhost:5000/a/b/');
  for (const [name, there] of [
    ['docker.io/library/app:1', 'localhost:5000/a/b/docker.io/library/app:1'],
    ['localhost:5000/x/y:2', 'localhost:5000/a/b/localhost__5000/x/y:2'],
    ['localhost/x:2', 'localhost:5000/a/b/localhost/x:2'],
  ] as const) {
    assert.equal(names.toRegistry(name), there);
    assert.equal(names.fromRegistry(there), name);
    assert.ok(parseRegistryReference(there));
  }
  for (const path of ['a/b/content', 'a/b/untagged', 'a/bc/docker.io/x', 'other', 'a/b/nohost/x'])
    assert.equal(names.fromPath(path), undefined);
  for (const bad of ['registry://localhost:5000/a:1', 'registry://', 'registry://app'])
    assert.throws(() => StoreNames.parse(bad), { code: 'ERR_REFERENCE_INVALID' });
});

const CLIENTS = 32;

test('two servers share a registry: 32 clients, and one server killed in the middle leaves nothing half visible', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const folder = await mkdtemp(path.join(tmpdir(), 'lading-test-'));
  const [dying, staying] = [
    await startEngineProcess(scene.place, path.join(folder, 'a.sock')),
    await startEngineProcess(scene.place, path.join(folder, 'b.sock')),
  ];
  t.after(async () => {
    await dying.stop('SIGKILL');
    await staying.stop('SIGTERM');
    await rm(folder, { recursive: true, force: true });
  });
  const files: string[] = [];
  const roots = new Map<string, string>();
  for (let at = 0; at < CLIENTS; at += 1) {
    const built = example({ seed: `client-${at}`, sharedLayer: true });
    const name = `docker.io/clients/app:${at}`;
    roots.set(String(at), built.root.digest);
    const file = path.join(folder, `${at}.tar`);
    await writeFile(file, await layoutArchive([{ root: built.root, name }], built.blobs));
    files.push(file);
  }
  // Every other client of the dying server sends half of its archive and then waits.
  const { readFile } = await import('node:fs/promises');
  const halves = files.slice(0, CLIENTS / 4).map(async (file) => await sendHalf(dying.socket, await readFile(file)));
  const whole = files.slice(CLIENTS / 4, CLIENTS / 2).map(async (file) => await uploadFile(dying.socket, file));
  const others = files.slice(CLIENTS / 2).map(async (file) => await uploadFile(staying.socket, file));
  const settled = Promise.allSettled(whole);
  await Promise.any(whole);
  const killed = dying.stop('SIGKILL');
  await Promise.all([killed, ...halves]);
  await Promise.all(others);
  const outcomes = await settled;
  const registries = openRegistries(t);
  const { place, proxy } = scene;
  const prefix = place.slice(`registry://${proxy.host}/`.length);
  const tags = await listTags(
    registries.repository({ host: proxy.host, path: `${prefix}/docker.io/clients/app` }, 'pull'),
  );
  const shown = new Set(tags);
  for (const [at, outcome] of outcomes.entries())
    if (outcome.status === 'fulfilled')
      assert.ok(shown.has(String(CLIENTS / 4 + at)), 'what was told as loaded is there');
  for (let at = 0; at < CLIENTS / 4; at += 1) assert.ok(!shown.has(String(at)), 'half an archive has no name');
  for (let at = CLIENTS / 2; at < CLIENTS; at += 1) assert.ok(shown.has(String(at)), 'the other server lost nothing');
  const reader = await scene.server();
  for (const tag of shown) {
    const saved = await reader.request('GET', `/v1.52/images/get?names=clients/app:${tag}&strict=1`);
    assert.equal(saved.status, 200, saved.text.slice(0, 200));
    const { problems, images } = await verifyArchive(Readable.from([saved.body]), {});
    assert.deepEqual([problems, images.map(({ digest }) => digest)], [[], [roots.get(tag)]]);
  }
  // The clients of the killed server try again at the other one.
  const again = files.slice(0, CLIENTS / 2).map(async (file) => await uploadFile(staying.socket, file));
  await Promise.all(again);
  assert.equal((await listed(reader)).length, CLIENTS);
});

/** Sends half of an archive, and ends when the connection is cut. */
async function sendHalf(socketPath: string, bytes: Buffer): Promise<void> {
  const request = http.request({ socketPath, agent: false, method: 'POST', path: '/v1.52/images/load?quiet=1' });
  const ended = new Promise<void>((resolve) => {
    request.once('error', () => resolve());
    request.once('response', (response) => response.resume().once('close', () => resolve()));
  });
  request.write(bytes.subarray(0, bytes.length / 2));
  await ended;
}
