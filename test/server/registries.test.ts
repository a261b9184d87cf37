import assert from 'node:assert/strict';
import http from 'node:http';
import { test, type TestContext } from 'node:test';
import { Mirrors } from '../../src/registry/mirrors.js';
import { shortId } from '../../src/server/short-id.js';
import { closureOf } from '../fixtures/blob-set.js';
import { sharedRegistry, USER } from '../fixtures/docker-registry.js';
import { openEvents } from '../fixtures/engine-events.js';
import { assertRefused, platformQuery } from '../fixtures/engine-store.js';
import { startEngine, type Answer } from '../fixtures/engine.js';
import { example, PLATFORMS } from '../fixtures/example.js';
import { FaultProxy, type Fault, type SeenRequest } from '../fixtures/fault-proxy.js';
import { json, oddServer } from '../fixtures/odd-registry.js';
import {
  registryAuth,
  registryEngine,
  type RegistryEngine,
  type RegistryEngineOptions,
} from '../fixtures/registry-engine.js';
import { stateOf } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';

const open = sharedRegistry();
const locked = sharedRegistry({ auth: 'basic' });
let repositories = 0;

interface Scene extends RegistryEngine {
  /** A name in a repository of the test's own. */
  readonly name: string;
  readonly proxy: FaultProxy;
}

async function sceneFor(t: TestContext, options: RegistryEngineOptions = {}, start = open): Promise<Scene | undefined> {
  const registry = await start(t);
  if (registry === undefined) return undefined;
  const proxy = await FaultProxy.start(t, registry.port);
  const engine = await registryEngine(t, options);
  repositories += 1;
  return { ...engine, proxy, name: `${proxy.host}/engine-${repositories}/app:1` };
}

interface Line {
  readonly status?: string;
  readonly id?: string;
  readonly error?: string;
  readonly aux?: Readonly<Record<string, unknown>>;
}

function linesOf(answer: Answer): readonly Line[] {
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'application/json');
  assert.ok(answer.text.endsWith('\r\n'), 'lines end with CR LF');
  return answer.lines() as readonly Line[];
}

function statusesOf(lines: readonly Line[], id: string): readonly string[] {
  return lines.filter((line) => line.id === id).map(({ status = '' }) => status);
}

/** What the store has of names under a registry. */
async function namesOf({ store }: RegistryEngine): Promise<readonly string[]> {
  return (await store.list()).flatMap(({ name }) => name ?? []);
}

test('pushes every platform of an image, and says so as the Engine does', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { built, name, audit } = scene;
  const events = await openEvents(t, scene.socket, '/v1.52/events');
  await scene.tag(name);
  const lines = linesOf(await scene.push(name));
  const repository = name.slice(0, -2);
  assert.deepEqual(lines[0], { status: `The push refers to repository [${repository}]` });
  const { digest, size } = built.root;
  assert.deepEqual(lines.slice(-2), [
    { status: `1: digest: ${digest} size: ${size}` },
    { progressDetail: {}, aux: { Tag: '1', Digest: digest, Size: size } },
  ]);
  const manifests = new Set(
    [digest, ...built.manifests.values()].map((one) => (typeof one === 'string' ? one : one.digest)),
  );
  const blobs = closureOf(built.blobs, built.root).filter((one) => !manifests.has(one));
  for (const blob of blobs) {
    const said = statusesOf(lines, shortId(blob));
    assert.deepEqual([said.slice(0, 2), said.at(-1)], [['Preparing', 'Waiting'], 'Pushed']);
  }
  assert.ok(lines.every(({ id }) => id === undefined || blobs.some((blob) => shortId(blob) === id)));
  await scene.tag(name.replace('/app:', '/other:'));
  const mounted = linesOf(await scene.push(name.replace('/app:', '/other:')));
  const from = repository.slice(repository.indexOf('/') + 1);
  for (const blob of blobs) assert.deepEqual(statusesOf(mounted, shortId(blob)), [`Mounted from ${from}`]);
  const again = linesOf(await scene.push(name));
  assert.deepEqual(again.slice(-2), lines.slice(-2));
  assert.deepEqual(
    audit.filter(({ action }) => action === 'push').map((record) => [record.names, record.digests, record.code]),
    [name, name.replace('/app:', '/other:'), name].map((one) => [[one], [digest], 'OK']),
  );
  const pushed: unknown[] = [];
  while (pushed.length < 3) {
    const event = JSON.parse((await events.next()) ?? '') as {
      Action: string;
      Actor: { ID: string; Attributes: object };
    };
    if (event.Action === 'push') pushed.push([event.Actor.ID, event.Actor.Attributes]);
  }
  assert.deepEqual(pushed[0], [name, { name: repository }]);
  const { text } = await scene.request('GET', '/metrics');
  assert.match(text, /lading_transfers_total\{kind="push",code="OK"\} 3/);
});

test('pulls the platform of the host, keeps what the name means, and knows what is up to date', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { built, name } = scene;
  await scene.tag(name);
  linesOf(await scene.push(name));
  const puller = await registryEngine(t, { names: [], built: example({ platforms: [] }) });
  const lines = linesOf(await puller.pull(name));
  const { path } = { path: name.slice(name.indexOf('/') + 1, -2) };
  assert.deepEqual(lines[0], { status: `Pulling from ${path}`, id: '1' });
  assert.deepEqual(lines.slice(-2), [
    { status: `Digest: ${built.root.digest}` },
    { status: `Status: Downloaded newer image for ${name}` },
  ]);
  const layer = built.blobs.links(built.of('linux/amd64').digest).layers?.[0];
  const said = statusesOf(lines, shortId(layer?.digest ?? ''));
  assert.deepEqual(
    said.filter((status) => status !== 'Downloading'),
    ['Pulling fs layer', 'Verifying Checksum', 'Download complete', 'Pull complete'],
  );
  assert.deepEqual(
    (await puller.store.list()).map((record) => [record.name, record.descriptor.digest]),
    [[name, built.root.digest]],
  );
  assert.equal(await puller.store.stat(built.of('linux/arm64').digest, 'manifest'), undefined, 'not asked for');
  const again = linesOf(await puller.pull(name));
  assert.deepEqual(again.at(-1), { status: `Status: Image is up to date for ${name}` });
  const arm = linesOf(await puller.pull(name, { query: '&platform=linux%2Farm64' }));
  assert.deepEqual(arm.at(-1), { status: `Status: Downloaded newer image for ${name}` });
  assert.ok(await puller.store.stat(built.of('linux/arm64').digest, 'manifest'));
  const old = await puller.request('POST', `/v1.31/images/create?fromImage=${name}&platform=linux%2Fs390x`);
  assert.deepEqual(
    linesOf(old).at(-1),
    { status: `Status: Image is up to date for ${name}` },
    'no platform below 1.32',
  );
  const none = linesOf(await puller.pull(name, { query: '&platform=linux%2Fs390x' }));
  assert.equal(none.at(-1)?.error, 'no matching manifest for linux/s390x in the manifest list entries');
  assert.equal((await puller.pull(name, { query: '&platform=%20' })).status, 400);
  const digested = `${name.slice(0, -2)}@${built.root.digest}`;
  const byDigest = await puller.request(
    'POST',
    `/v1.52/images/create?fromImage=${name.slice(0, -2)}&tag=${built.root.digest}`,
  );
  assert.match(linesOf(byDigest).at(-1)?.status ?? '', new RegExp(`for ${digested}$`));
});

test('pulls all platforms or a list, as the server was started, and every tag of a repository', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { name } = scene;
  const second = name.replace(/1$/, '2');
  for (const one of [name, second]) {
    await scene.tag(one);
    linesOf(await scene.push(one));
  }
  for (const [pullPlatforms, count] of [
    ['all', 3],
    [['linux/arm64', 'linux/arm/v7'], 2],
  ] as const) {
    const puller = await registryEngine(t, { names: [], built: example({ platforms: [] }), access: { pullPlatforms } });
    const lines = linesOf(await puller.request('POST', `/images/create?fromImage=${name.slice(0, -2)}&tag=`));
    assert.deepEqual(lines.at(-1), { status: `Status: Downloaded newer image for ${name.slice(0, -2)}` });
    assert.deepEqual((await namesOf(puller)).toSorted(), [name, second]);
    let present = 0;
    for (const platform of PLATFORMS)
      if ((await puller.store.stat(scene.built.of(platform).digest, 'manifest')) !== undefined) present += 1;
    assert.equal(present, count);
  }
  linesOf(await scene.request('POST', `/v1.52/images/${name.slice(0, -2)}/push?tag=`));
});

test('pushes one manifest in the place of an index of which only that is here, with a note', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { built, name } = scene;
  await scene.tag(name);
  linesOf(await scene.push(name));
  const puller = await registryEngine(t, { names: [], built: example({ platforms: [] }) });
  linesOf(await puller.pull(name));
  const copy = name.replace('/app:', '/copy:');
  await puller.request('POST', `/images/${name}/tag?repo=${copy.slice(0, -2)}&tag=1`);
  const lines = linesOf(await puller.push(copy));
  const own = built.of('linux/amd64');
  assert.deepEqual(lines.at(-2)?.aux, { Tag: '1', Digest: own.digest, Size: own.size });
  const note = lines.at(-1)?.aux as Record<string, { digest: string }>;
  assert.equal(note['manifestPushedInsteadOfIndex'], true);
  assert.deepEqual([note['originalIndex']?.digest, note['selectedManifest']?.digest], [built.root.digest, own.digest]);
  const two = await registryEngine(t, {
    names: [],
    built: example({ platforms: [] }),
    access: { pullPlatforms: ['linux/arm64', 'linux/amd64'] },
  });
  linesOf(await two.pull(name));
  const third = name.replace('/app:', '/third:');
  await two.request('POST', `/images/${name}/tag?repo=${third.slice(0, -2)}&tag=1`);
  const rewritten = linesOf(await two.push(third));
  assert.ok(rewritten.some(({ status = '' }) => status.startsWith('warning: the registry takes no index without all')));
  const single = linesOf(await scene.push(name, { query: `&${platformQuery('linux/arm/v7')}` }));
  assert.equal(single.at(-1)?.aux?.['Digest'], built.of('linux/arm/v7').digest);
});

test('says what a name means in its registry', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { built, name, request } = scene;
  await scene.tag(name);
  linesOf(await scene.push(name));
  const { mediaType, digest, size } = built.root;
  const Platforms = [
    { architecture: 'amd64', os: 'linux' },
    { architecture: 'arm64', os: 'linux' },
    { architecture: 'arm', os: 'linux', variant: 'v7' },
  ];
  for (const one of [name, encodeURIComponent(name), `${name.slice(0, -2)}@${digest}`]) {
    const answer = await request('GET', `/v1.52/distribution/${one}/json`);
    assert.deepEqual([answer.status, answer.json()], [200, { Descriptor: { mediaType, digest, size }, Platforms }]);
  }
  const arm = built.of('linux/arm/v7');
  const single = await request('GET', `/distribution/${name.slice(0, -2)}@${arm.digest}/json`);
  assert.deepEqual(single.json(), {
    Descriptor: { mediaType: arm.mediaType, digest: arm.digest, size: arm.size },
    Platforms: [Platforms[2]],
  });
  assertRefused(await request('GET', `/distribution/${digest}/json`), 400, /an id is in no registry/);
  assertRefused(await request('GET', `/distribution/${name}2/json`), 404, /manifest unknown/);
});

test('shows the credentials of a client to the registry, in every form, and never asks for them by 401', async (t) => {
  const scene = await sceneFor(t, {}, locked);
  if (scene === undefined) return;
  const { name } = scene;
  await scene.tag(name);
  const denied = /access denied for .*\/app, repository does not exist or may require 'docker login': denied: /;
  const auth = Buffer.from(`${USER.username}:${USER.password}`).toString('base64');
  for (const wrong of [
    {},
    registryAuth({}),
    registryAuth({ ...USER, password: 'wrong-password' }),
    { headers: { 'x-registry-auth': '!!!' } },
  ]) {
    const refused = await scene.push(name, wrong);
    assertRefused(refused, 404, denied);
    assert.ok(!refused.text.includes('wrong-password'));
    assertRefused(await scene.pull(name, wrong), 404, denied);
    assertRefused(await scene.request('GET', `/distribution/${name}/json`, wrong), 401, denied);
  }
  const padded = Buffer.from(JSON.stringify({ ...USER, x: '??>>' })).toString('base64');
  assert.match(padded, /[+/]/, 'the other alphabet is tried');
  for (const right of [registryAuth(USER), registryAuth({ auth }), { headers: { 'x-registry-auth': padded } }]) {
    linesOf(await scene.push(name, right));
    linesOf(await scene.pull(name, right));
    assert.equal((await scene.request('GET', `/distribution/${name}/json`, right)).status, 200);
  }
});

test('checks a login, and keeps nothing of it', async (t) => {
  const scene = await sceneFor(t, {}, locked);
  if (scene === undefined) return;
  const serveraddress = scene.proxy.host;
  const login = async (fields: object): Promise<Answer> =>
    await scene.request('POST', '/v1.52/auth', {
      body: JSON.stringify(fields),
      headers: { 'content-type': 'application/json' },
    });
  const right = await login({ ...USER, serveraddress });
  assert.deepEqual([right.status, right.json()], [200, { Status: 'Login Succeeded', IdentityToken: '' }]);
  const wrong = await login({ ...USER, password: 'wrong-password', serveraddress });
  assertRefused(wrong, 401, /^unauthorized: .*the credentials were refused/);
  assert.ok(!wrong.text.includes('wrong-password'));
  assertRefused(await login({ serveraddress }), 400, 'the request has no credentials');
  assertRefused(await login({ ...USER, serveraddress: 'not a host' }), 400, /not a host/);
  assertRefused(await login({ ...USER, serveraddress, pad: 'x'.repeat(70_000) }), 413, /more than 65536 bytes/);
  await scene.tag(scene.name);
  assertRefused(await scene.push(scene.name), 404, /access denied/);
});

test('speaks only to the registries that it was started for', async (t) => {
  const none = await startEngine(t);
  const silent = 'this server does not speak to registries; use save and load';
  for (const [method, url] of [
    ['POST', '/images/create?fromImage=app'],
    ['POST', '/images/app/push'],
    ['GET', '/distribution/app/json'],
  ] as const)
    assertRefused(await none.request(method, url), 501, silent);
  const some = await registryEngine(t, { access: { hosts: ['registry.example:5000'] } });
  assertRefused(
    await some.pull('other.example/app:1'),
    403,
    /start it with --client-registries other\.example to allow it/,
  );
  assertRefused(await some.request('GET', '/distribution/app/json'), 403, /docker\.io/);
  const tcp = await registryEngine(t);
  const url = await tcp.server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0, insecure: true });
  const over = await new Promise<number>((resolve, reject) => {
    const asked = http.request(`${url.replace('tcp', 'http')}/images/create?fromImage=app`, { method: 'POST' });
    asked.once('response', (response) => resolve(response.resume().statusCode ?? 0)).once('error', reject);
    asked.end();
  });
  assert.equal(over, 403, 'over TCP none, unless told');
  for (const host of ['169.254.169.254', '[fe80::1]', '[fd00:ec2::254]'])
    assertRefused(await tcp.pull(`${host}/latest/app:1`), 502, /link-local address/);
});

const BAD: Readonly<Record<string, readonly [status: number, message: RegExp, url: string]>> = {
  'no name': [400, /fromImage is empty/, '/images/create?fromImage='],
  'a file system': [501, /cannot make an image from a file system/, '/images/create?fromSrc=-'],
  'a name with a password': [400, /localhost:5000/, '/images/create?fromImage=robot:s3cret@localhost:5000/app&tag=1'],
  'an upper-case name': [400, /./, '/images/create?fromImage=UPPER/App&tag=1'],
  'a bad tag': [400, /./, '/images/create?fromImage=app&tag=..'],
  'a push by digest': [400, /cannot push a digest/, `/images/app@sha256:${'a'.repeat(64)}/push`],
  'a push of nothing': [
    404,
    /An image does not exist locally with the tag: localhost:1\/none/,
    '/images/localhost:1/none/push?tag=2',
  ],
  'a push of a repository without tags': [
    404,
    /does not exist locally with the tag: localhost:1\/none/,
    '/images/localhost:1/none/push',
  ],
};

test('refuses requests that mean nothing', async (t) => {
  const engine = await registryEngine(t);
  for (const [what, [status, message, url]] of Object.entries(BAD)) {
    const answer = await engine.request('POST', `/v1.52${url}`);
    assert.equal(answer.status, status, `${what}: ${answer.text}`);
    assert.match((answer.json() as { message: string }).message, message, what);
  }
  const long = { headers: { 'x-registry-auth': 'a'.repeat(20 * 1024) } };
  assert.equal((await engine.pull('localhost:1/app:1', long)).status, 431);
  assert.equal((await engine.request('GET', '/_ping')).status, 200);
});

test('tells trouble of a registry by its status, without a page of it', async (t) => {
  const engine = await registryEngine(t, { settings: { attempts: 1, headersMs: 300 } });
  const cases: readonly (readonly [status: number, message: RegExp, answer: Parameters<typeof oddServer>[1]])[] = [
    [503, /^toomanyrequests: /, (_, response) => void response.writeHead(429).end()],
    [
      503,
      /status 503/,
      (_, response) => void response.writeHead(503, { 'content-type': 'text/html' }).end('<h1>page</h1>'),
    ],
    [
      404,
      /access denied for .*denied: /,
      (_, response) => json(response, 403, { errors: [{ code: 'DENIED', message: 'no' }] }),
    ],
    [504, /no answer came/, () => {}],
    [502, /./, (request) => void request.socket.destroy()],
    [
      422,
      /sha256:/,
      (_, response) => void response.writeHead(200, { 'docker-content-digest': `sha256:${'a'.repeat(64)}` }).end('{}'),
    ],
  ];
  for (const [status, message, answer] of cases) {
    const server = await oddServer(t, answer);
    const refused = await engine.pull(`${server.host}/a/app:1`);
    assertRefused(refused, status, message);
    assert.ok(!refused.text.includes('page'));
  }
});

test('ends with an error line, and shows no name, if a body is damaged or cut for good', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { name, proxy } = scene;
  await scene.tag(name);
  linesOf(await scene.push(name));
  for (const [change, message] of [
    [{ flipAt: 3 }, /content hashes to sha256:/],
    [{ cutAfter: 1 }, /cannot be reached|ended early|cut/],
  ] as const) {
    proxy.fault = ({ method, url }) => (method === 'GET' && url.includes('/blobs/') ? change : undefined);
    const puller = await registryEngine(t, { names: [], built: example({ platforms: [] }), settings: { attempts: 2 } });
    const lines = linesOf(await puller.pull(name));
    const last = lines.at(-1);
    assert.match(last?.error ?? '', message);
    assert.deepEqual(last, { errorDetail: { message: last?.error }, error: last?.error });
    assert.deepEqual(await namesOf(puller), []);
    assert.equal(puller.audit.at(-1)?.code === 'OK', false);
    assert.equal(puller.server.transfers, 0);
  }
});

test('goes on after a cut, and gives up when its client goes away', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { name, proxy } = scene;
  await scene.tag(name);
  linesOf(await scene.push(name));
  const cut = new Set<string>();
  proxy.fault = ({ method, url }) => {
    if (method !== 'GET' || !url.includes('/blobs/') || cut.has(url)) return undefined;
    cut.add(url);
    return { cutAfter: 20 };
  };
  const puller = await registryEngine(t, { names: [], built: example({ platforms: [] }) });
  assert.match(linesOf(await puller.pull(name)).at(-1)?.status ?? '', /Downloaded newer/);
  assert.ok(cut.size > 0);
  assert.ok((await stateOf(puller.store)).blobs.length > 0);
  const before = proxy.requests('GET', /blobs/).length;
  proxy.fault = ({ method, url }) => (method === 'GET' && url.includes('/blobs/') ? 'answered' : undefined);
  const left = await registryEngine(t, { names: [], built: example({ platforms: [] }) });
  const asked = http.request({
    socketPath: left.socket,
    method: 'POST',
    path: `/images/create?fromImage=${name.slice(0, -2)}&tag=1`,
  });
  asked.on('error', () => {});
  asked.end();
  await until(async () => proxy.requests('GET', /blobs/).length > before, 'a blob is asked for');
  asked.destroy();
  await until(async () => left.server.transfers === 0, 'the pull ends');
  assert.deepEqual(await namesOf(left), []);
  await until(async () => left.audit.length > 0, 'the audit has it');
  assert.deepEqual([left.audit[0]?.action, left.audit[0]?.code], ['pull', 'CLIENT_GONE']);
});

test('puts no secret of a client into an answer, the audit, metrics, events or errors', async (t) => {
  const password = 'pa55-of-the-client';
  const identity = 'identity-0f-the-client';
  const server = await oddServer(t, (request, response) => {
    const { authorization } = request.headers;
    if (request.url?.startsWith('/token') === true)
      return json(response, 500, { details: `${identity} ${authorization}` });
    if (authorization === undefined) return json(response, 401, {}, { 'www-authenticate': 'Basic realm="x"' });
    const said = `you sent ${authorization}, ${Buffer.from(authorization.slice(6), 'base64').toString()}`;
    return json(response, 403, { errors: [{ code: said, message: said }] }, { warning: `299 - "${said}"` });
  });
  const tokens = await oddServer(t, (request, response) => {
    if (request.url?.startsWith('/token') === true) return json(response, 500, { said: identity });
    return json(
      response,
      401,
      {},
      { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="s"` },
    );
  });
  const said: unknown[] = [];
  const engine = await registryEngine(t, {
    names: ['example/app:1', `${server.host}/a/app:1`, `${tokens.host}/a/app:1`],
    onError: (error) => void said.push(error),
    settings: { attempts: 1 },
  });
  const login = { username: 'robot', password };
  const asked = [
    await engine.pull(`${server.host}/a/app:1`, registryAuth(login)),
    await engine.push(`${server.host}/a/app:1`, registryAuth(login)),
    await engine.push(`${tokens.host}/a/app:1`, registryAuth({ identitytoken: identity })),
    await engine.request('GET', `/distribution/${server.host}/a/app:1/json`, registryAuth(login)),
    await engine.request('POST', '/auth', { body: JSON.stringify({ ...login, serveraddress: server.host }) }),
    await engine.pull(`robot:${password}@${server.host}/app:1`),
  ];
  // A registry that forbids to look may still take a push, so there the refusal is a line.
  assert.ok(asked.every(({ status, text }) => status >= 400 || text.includes('"error":')));
  const everything = [
    ...asked.slice(0, -1).map(({ text }) => text),
    JSON.stringify(engine.audit),
    (await engine.request('GET', '/metrics')).text,
    (await engine.request('GET', '/events?since=0&until=1')).text,
    (await engine.request('GET', '/info')).text,
    ...said.map(String),
  ].join('\n');
  const forms = [password, identity, Buffer.from(`robot:${password}`).toString('base64')];
  for (const secret of forms) assert.ok(!everything.includes(secret), everything);
});

/** Demands some credentials. */
const refusing: Fault = (seen, _request, response) => {
  if (seen.headers.authorization !== undefined) return undefined;
  response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
  return 'answered';
};

const isBlob = ({ url }: SeenRequest): boolean => url.includes('/blobs/');

test('pulls by way of a mirror, which gets no credentials of the client', async (t) => {
  const registry = await open(t);
  if (registry === undefined) return;
  const [origin, mirror] = [await FaultProxy.start(t, registry.port), await FaultProxy.start(t, registry.port)];
  const mirrors = new Mirrors({ [origin.host]: [{ host: mirror.host }] }, () => 0);
  const engine = await registryEngine(t, { settings: { mirrors } });
  const name = `${origin.host}/by-mirror/app:1`;
  await engine.tag(name);
  linesOf(await engine.push(name));
  assert.equal(mirror.seen.length, 0);
  const pushed = origin.seen.length;
  origin.fault = refusing;
  const other = await registryEngine(t, { names: [], settings: { mirrors } });
  const auth = registryAuth({ username: 'client', password: 'of the client' });
  const lines = linesOf(await other.pull(name, { ...auth, query: '&platform=linux/amd64' }));
  assert.match(lines.at(-1)?.status ?? '', /Downloaded newer image/);
  assert.ok(mirror.requests('GET', /\/blobs\//).length > 0);
  assert.equal(origin.seen.slice(pushed).some(isBlob), false);
  assert.equal(
    mirror.requests('GET').some(({ headers }) => 'authorization' in headers),
    false,
  );
});
