import assert from 'node:assert/strict';
import { setImmediate } from 'node:timers/promises';
import type { ServerResponse } from 'node:http';
import { test, type TestContext } from 'node:test';
import { copyImages } from '../../src/copy/copy-images.js';
import { copyToRegistry } from '../../src/copy/copy-to-registry.js';
import { LadingError } from '../../src/model/errors.js';
import { digestOf } from '../../src/model/digest.js';
import { parseRegistryReference, repositoryOf } from '../../src/registry/registry-name.js';
import { OriginPace } from '../../src/registry/origin-pace.js';
import { listTags } from '../../src/registry/tags.js';
import type { Credentials } from '../../src/registry/settings.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { makeCertificates } from '../fixtures/certificates.js';
import { requireTool } from '../fixtures/command.js';
import { startRegistry, USER } from '../fixtures/docker-registry.js';
import { example, NAME } from '../fixtures/example.js';
import { FaultProxy } from '../fixtures/fault-proxy.js';
import { json, oddServer, type OddServer } from '../fixtures/odd-registry.js';
import { openRegistries } from '../fixtures/registries.js';
import { fill } from '../fixtures/stores.js';

const PASSWORD = 'pl4nted-secret-word';
const ROBOT: Credentials = { kind: 'password', username: 'robot', password: PASSWORD };

/** A registry of tags whose token service grants what it is asked for. `life` is that of its tokens, in seconds. */
async function tokenRegistry(
  t: TestContext,
  { life = 300 }: { readonly life?: number } = {},
): Promise<OddServer & { readonly valid: Set<string> }> {
  const valid = new Set<string>();
  let count = 0;
  const server = await oddServer(t, (request, response) => {
    const url = new URL(request.url ?? '', 'http://x');
    if (url.pathname === '/token') {
      const token = `t0ken-${(count += 1)}`;
      valid.add(`Bearer ${token}`);
      return json(response, 200, { token, expires_in: life });
    }
    if (valid.has(request.headers.authorization ?? '')) return json(response, 200, { tags: ['1'] });
    const challenge = `Bearer realm="http://${request.headers.host}/token",service="reg",scope="repository:a:pull"`;
    return json(response, 401, { errors: [] }, { 'www-authenticate': challenge });
  });
  return { ...server, valid };
}

test('fetches one token for many requests, and a new one when it is refused', async (t) => {
  const server = await tokenRegistry(t);
  const registries = openRegistries(t, { credentials: async () => ROBOT });
  const repository = registries.repository({ host: server.host, path: 'a' }, 'pull');
  await listTags(repository);
  await Promise.all(Array.from({ length: 8 }, async () => await listTags(repository)));
  const tokens = () => server.seen.filter(({ url }) => url.startsWith('/token'));
  assert.equal(tokens().length, 1);
  assert.match(tokens()[0]?.url ?? '', /scope=repository%3Aa%3Apull(?:&|$)/);
  assert.equal(tokens()[0]?.authorization, `Basic ${Buffer.from(`robot:${PASSWORD}`).toString('base64')}`);
  server.valid.clear();
  assert.deepEqual(await listTags(repository), ['1']);
  assert.equal(tokens().length, 2);
});

test('fetches a token again before it runs out, by the clock of this side', async (t) => {
  const server = await tokenRegistry(t, { life: 60 });
  let now = 0;
  const registries = openRegistries(t, { now: () => now });
  const repository = registries.repository({ host: server.host, path: 'a' }, 'pull');
  for (const at of [0, 40_000, 55_000]) {
    now = at;
    await listTags(repository);
  }
  assert.equal(server.seen.filter(({ url }) => url.startsWith('/token')).length, 2);
});

test('ends after a second refusal, and says what to do', async (t) => {
  const server = await oddServer(t, (request, response) => {
    if (request.url?.startsWith('/token') === true) return json(response, 200, { token: 'abcdef' });
    return json(response, 401, {}, { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token"` });
  });
  const without = openRegistries(t).repository({ host: server.host, path: 'a' }, 'pull');
  await assert.rejects(listTags(without), {
    code: 'ERR_REGISTRY_AUTH',
    message: /none were found in no files; use lading login/,
  });
  const registries = openRegistries(t, { credentials: async () => ROBOT });
  await assert.rejects(listTags(registries.repository({ host: server.host, path: 'a' }, 'pull')), {
    code: 'ERR_REGISTRY_AUTH',
    message: /were refused, or it does not exist/,
  });
  assert.ok(server.seen.length < 10);
});

test('shows an identity token to the token service by POST, and by GET where that is unknown', async (t) => {
  const forms: string[] = [];
  const server = await oddServer(t, (request, response) => {
    if (request.url?.startsWith('/token') !== true) {
      if (request.headers.authorization === 'Bearer good-token') return json(response, 200, { tags: ['1'] });
      return json(
        response,
        401,
        {},
        { 'www-authenticate': `Bearer realm="http://${request.headers.host}/token",service="s"` },
      );
    }
    if (request.method !== 'POST') return json(response, 200, { access_token: 'good-token' });
    request.on('data', (chunk: Buffer) => forms.push(chunk.toString()));
    request.once('end', () => json(response, 404, {}));
    return undefined;
  });
  const registries = openRegistries(t, { credentials: async () => ({ kind: 'identity', token: 'ident1ty' }) });
  assert.deepEqual(await listTags(registries.repository({ host: server.host, path: 'a' }, 'pull')), ['1']);
  assert.match(forms.join(''), /grant_type=refresh_token.*service=s.*refresh_token=ident1ty/);
});

test('sends credentials to no other host, and follows no redirect into the network from outside of it', async (t) => {
  const other = await oddServer(t, (_, response) => json(response, 200, { tags: ['there'] }));
  const server = await oddServer(t, (request, response) => {
    if (request.headers.authorization === undefined)
      return json(response, 401, {}, { 'www-authenticate': 'Basic realm="x"' });
    response.writeHead(307, { location: `http://${other.host}/moved?X-Amz-Signature=s1gnature` }).end();
    return undefined;
  });
  const registries = openRegistries(t, { credentials: async () => ROBOT });
  assert.deepEqual(await listTags(registries.repository({ host: server.host, path: 'a' }, 'pull')), ['there']);
  assert.deepEqual(
    other.seen.map(({ authorization }) => authorization),
    [undefined],
  );
  const { checkTarget } = await import('../../src/registry/redirects.js');
  const asked = { host: 'r', what: 'x', method: 'GET', origin: 'https://r' };
  const check = (to: string, from = 'https://r/', isPublic = true): void =>
    checkTarget(new URL(to), new URL(from), { isPublic, allowed: new Set(['10.0.0.1:9000']) }, asked);
  for (const to of [
    'http://other/',
    'https://10.0.0.2/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://169.254.169.254/',
  ])
    assert.throws(() => check(to), { code: 'ERR_REDIRECT_REFUSED' }, to);
  assert.throws(() => check('http://169.254.169.254/', 'http://r/', false), { code: 'ERR_REDIRECT_REFUSED' });
  check('https://10.0.0.1:9000/');
  check('https://10.0.0.2/', 'https://r/', false);
});

test('ends redirects that lead in a circle', async (t) => {
  const server = await oddServer(
    t,
    (request, response) => void response.writeHead(302, { location: `http://${request.headers.host}/again` }).end(),
  );
  await assert.rejects(listTags(openRegistries(t).repository({ host: server.host, path: 'a' }, 'pull')), {
    code: 'ERR_REDIRECT_REFUSED',
  });
  assert.ok(server.seen.length < 10);
});

type Answer = (response: ServerResponse) => void;

const MANIFEST = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: digestOf('{}'), size: 2 },
    layers: [],
  }),
);
const OCI = 'application/vnd.oci.image.manifest.v1+json';

/** What a registry answers to `GET /v2/a/manifests/1`, and the error that comes of it. */
const ODD_ANSWERS: readonly (readonly [what: string, answer: Answer, code: string, text?: RegExp])[] = [
  [
    'a page of HTML',
    (r) => void r.writeHead(502, { 'content-type': 'text/html' }).end('<html><b>Bad gateway</b></html>'),
    'ERR_REGISTRY_UNAVAILABLE',
    /status 502; try/,
  ],
  [
    'a refusal in JSON',
    (r) => json(r, 403, { errors: [{ code: 'DENIED', message: 'no\u001b[31m way' }] }),
    'ERR_REGISTRY_DENIED',
    /DENIED: no\\u001b/,
  ],
  ['a cut refusal', (r) => void r.writeHead(403).end('{"errors":[{"co'), 'ERR_REGISTRY_DENIED'],
  [
    'too many requests, for too long',
    (r) => json(r, 429, { errors: [{ code: 'TOOMANYREQUESTS', message: 'slow' }] }, { 'retry-after': '3600' }),
    'ERR_REGISTRY_RATE',
    /TOOMANYREQUESTS/,
  ],
  [
    'a document above the limit',
    (r) => void r.writeHead(200, { 'content-type': OCI, 'content-length': '99999999' }).end(),
    'ERR_LIMIT_DOCUMENT',
  ],
  ['a document without end', (r) => endless(r, OCI), 'ERR_REGISTRY_PROTOCOL'],
  [
    'a wrong digest',
    (r) => void r.writeHead(200, { 'content-type': OCI, 'docker-content-digest': digestOf('other') }).end(MANIFEST),
    'ERR_DIGEST_MISMATCH',
  ],
  [
    'another type',
    (r) =>
      void r
        .writeHead(200, { 'content-type': OCI })
        .end(JSON.stringify({ schemaVersion: 2, mediaType: 'application/vnd.oci.image.index.v1+json', manifests: [] })),
    'ERR_MEDIA_TYPE',
  ],
  [
    'schema 1',
    (r) =>
      void r
        .writeHead(200, { 'content-type': 'application/vnd.docker.distribution.manifest.v1+prettyjws' })
        .end('{"schemaVersion":1}'),
    'ERR_FORMAT_UNSUPPORTED',
  ],
  ['no JSON', (r) => void r.writeHead(200, { 'content-type': OCI }).end('<html>'), 'ERR_DOCUMENT_INVALID'],
  ['deep JSON', (r) => void r.writeHead(200, { 'content-type': OCI }).end('['.repeat(1000)), 'ERR_LIMIT_DEPTH'],
  [
    'headers without end',
    (r) =>
      void r
        .writeHead(200, Object.fromEntries(Array.from({ length: 100 }, (_, at) => [`x-${at}`, 'a'.repeat(1000)])))
        .end(),
    'ERR_REGISTRY_PROTOCOL',
  ],
  ['no HTTP', (r) => void r.socket?.end('SSH-2.0-x\r\n'), 'ERR_REGISTRY_PROTOCOL'],
  ['a cut connection', (r) => void r.socket?.destroy(), 'ERR_REGISTRY_UNREACHABLE'],
  ['no answer', () => {}, 'ERR_REGISTRY_UNREACHABLE'],
];

function endless(response: ServerResponse, type: string): void {
  response.writeHead(200, { 'content-type': type });
  const chunk = Buffer.alloc(64 * 1024, 0x20);
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more);
  };
  more();
}

for (const [what, answer, code, text = /./] of ODD_ANSWERS) {
  test(`answers ${what} with ${code}`, async (t) => {
    const server = await oddServer(t, (request, response) =>
      request.method === 'HEAD' ? void response.writeHead(405).end() : answer(response),
    );
    const source = openRegistries(t, { attempts: 2, headersMs: 300, idleMs: 300 }).source();
    await assert.rejects(source.resolve([`${server.host}/a:1`]), (error) => {
      assert.ok(error instanceof LadingError, String(error));
      assert.equal(error.code, code, error.message);
      assert.match(error.message, text);
      assert.doesNotMatch(error.message, /<html|<b>/);
      return true;
    });
  });
}

test('takes a document whose type the registry does not say', async (t) => {
  for (const type of ['text/plain; charset=utf-8', 'application/json', 'application/octet-stream']) {
    const server = await oddServer(t, (request, response) =>
      request.method === 'HEAD'
        ? void response.writeHead(405).end()
        : void response.writeHead(200, { 'content-type': type }).end(MANIFEST),
    );
    const [record] = await openRegistries(t)
      .source()
      .resolve([`${server.host}/a:1`]);
    assert.deepEqual(record?.descriptor, { mediaType: OCI, digest: digestOf(MANIFEST), size: MANIFEST.length });
  }
});

test('waits as long as it is asked to, then goes on', async (t) => {
  let refusals = 0;
  const server = await oddServer(t, (_, response) =>
    (refusals += 1) <= 2 ? json(response, 429, {}, { 'retry-after': '0' }) : json(response, 200, { tags: ['1'] }),
  );
  assert.deepEqual(await listTags(openRegistries(t).repository({ host: server.host, path: 'a' }, 'pull')), ['1']);
});

test('gets every answer of a registry that is asked too often', async (t) => {
  let [running, most, refused, served] = [0, 0, 0, 0];
  const server = await oddServer(t, (_, response) => {
    running += 1;
    most = Math.max(most, running);
    void setImmediate().then(() => {
      const isTooMuch = running > 2 && refused < 5;
      running -= 1;
      if (isTooMuch) {
        refused += 1;
        return json(response, 429, {}, { 'retry-after': '0' });
      }
      served += 1;
      return json(response, 200, { tags: ['1'] });
    });
  });
  const registries = openRegistries(t, { maxWaitMs: 5000 });
  const repository = registries.repository({ host: server.host, path: 'a' }, 'pull');
  await Promise.all(Array.from({ length: 60 }, async () => await listTags(repository)));
  assert.equal(served, 60);
  assert.ok(most <= 8, `${most} at once`);
});

test('halves its pace at each complaint, and gives turns on in their order', async () => {
  const pace = new OriginPace();
  for (let n = 0; n < 2; n += 1) pace.slower('a');
  const log: string[] = [];
  const ends: (() => void)[] = [];
  const start = async (name: string): Promise<void> =>
    await pace.turn('a', async () => {
      log.push(name);
      await new Promise<void>((resolve) => ends.push(resolve));
    });
  const all = ['1', '2', '3', '4'].map(start);
  await setImmediate();
  assert.deepEqual(log, ['1', '2']);
  ends[0]?.();
  await setImmediate();
  assert.deepEqual(log, ['1', '2', '3']);
  for (let n = 0; n < 20; n += 1) pace.noteGood('a');
  ends[1]?.();
  await setImmediate();
  assert.deepEqual(log, ['1', '2', '3', '4']);
  for (const end of ends) end();
  await Promise.all(all);
});

test('reads every page of tags, and ends where pages go in a circle', async (t) => {
  const pages: Readonly<Record<string, readonly [tags: readonly unknown[], next?: string]>> = {
    '/v2/a/tags/list?n=1000': [['b', null, ''], '</v2/a/tags/list?p=2>; rel="next"'],
    '/v2/a/tags/list?p=2': [['a', 'sha256:0'], '<tags/list?p=3>;rel=next'],
    '/v2/a/tags/tags/list?p=3': [['c', 'A']],
    '/v2/loop/tags/list?n=1000': [['a'], '</v2/loop/tags/list?n=1000>; rel="next"'],
  };
  const server = await oddServer(t, (request, response) => {
    const [tags, link] = pages[request.url ?? ''] ?? [null];
    json(response, 200, { name: 'a', tags }, link === undefined ? {} : { link });
  });
  const registries = openRegistries(t);
  assert.deepEqual(await listTags(registries.repository({ host: server.host, path: 'a' }, 'pull')), [
    'A',
    'a',
    'b',
    'c',
  ]);
  assert.deepEqual(await listTags(registries.repository({ host: server.host, path: 'none' }, 'pull')), []);
  await assert.rejects(listTags(registries.repository({ host: server.host, path: 'loop' }, 'pull')), {
    code: 'ERR_REGISTRY_PROTOCOL',
  });
});

test('follows pages that show nothing, but not without end, and holds no endless list', async (t) => {
  const server = await oddServer(t, (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '', 'http://a');
    const at = Number(searchParams.get('p') ?? 0);
    const link = { link: `<${pathname}?p=${at + 1}>; rel="next"` };
    // What the registry does not show, at the start and in the middle.
    if (pathname.startsWith('/v2/gaps/'))
      return json(response, 200, { tags: [null, ['a', 'b'][at - 2]] }, at < 3 ? link : {});
    if (pathname.startsWith('/v2/nothing/')) return json(response, 200, { tags: [] }, link);
    const tags = Array.from({ length: 100_000 }, (_, n) => `${at}-${n}`.padEnd(128, 'x'));
    json(response, 200, { tags }, link);
  });
  const tagsOf = async (path: string) =>
    await listTags(openRegistries(t).repository({ host: server.host, path }, 'pull'));
  assert.deepEqual(await tagsOf('gaps'), ['a', 'b']);
  await assert.rejects(tagsOf('nothing'), {
    code: 'ERR_REGISTRY_PROTOCOL',
    message: /11 pages in a row bring nothing new/,
  });
  assert.ok(server.seen.length < 20, `${server.seen.length} requests`);
  await assert.rejects(tagsOf('endless'), { code: 'ERR_REGISTRY_PROTOCOL', message: /more than 16777216 characters/ });
});

test('puts no secret into an error, though the registry sends back what it was sent', async (t) => {
  const server = await oddServer(t, (request, response) => {
    if (request.headers.authorization === undefined)
      return json(response, 401, {}, { 'www-authenticate': 'Basic realm="x"' });
    const said = `you sent ${request.headers.authorization} which is ${Buffer.from(request.headers.authorization.slice(6), 'base64').toString()}`;
    return json(
      response,
      403,
      { errors: [{ code: said, message: said }] },
      { 'x-request-id': 'r1', warning: `299 - "${said}"` },
    );
  });
  const said: string[] = [];
  const registries = openRegistries(t, { credentials: async () => ROBOT, onWarning: (text) => said.push(text) });
  const error = await listTags(registries.repository({ host: server.host, path: 'a' }, 'pull')).catch(
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof LadingError && error.code === 'ERR_REGISTRY_DENIED');
  const all = [error.message, error.stack, JSON.stringify(error.details), ...said].join('\n');
  for (const secret of [PASSWORD, Buffer.from(`robot:${PASSWORD}`).toString('base64')])
    assert.ok(!all.includes(secret), all);
  assert.equal(error.details['requestId'], 'r1');
  assert.equal(said.length, 1);
});

const credentials = async (): Promise<Credentials> => ({ kind: 'password', ...USER });

test('speaks TLS with an authority of its own, and never falls back to http from a certificate that it refuses', async (t) => {
  if (!requireTool(t, 'docker-registry', 'openssl')) return;
  const certificates = await makeCertificates(t);
  const registry = await startRegistry({
    auth: 'basic',
    tls: { certificate: certificates.at('server.pem'), key: certificates.at('server.key') },
  });
  t.after(registry.stop);
  const built = example({ platforms: ['linux/amd64'] });
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: built.root }], built.blobs);
  const name = `${registry.host}/a/b:1`;
  const place = repositoryOf(parseRegistryReference(name));
  const push = async (settings: Parameters<typeof openRegistries>[1]): Promise<unknown> =>
    await copyToRegistry(store, openRegistries(t, settings).destination(place, { tag: '1', blobJobs: 2 }), [NAME]);
  await assert.rejects(push({ credentials }), { code: 'ERR_REGISTRY_TLS', message: /--ca-file.*--skip-tls-verify/ });
  await assert.rejects(push({ tls: () => ({ ca: [certificates.text('ca.pem')] }) }), { code: 'ERR_REGISTRY_AUTH' });
  const trusting = { credentials, tls: () => ({ ca: [certificates.text('ca.pem')] }) };
  await push(trusting);
  const pulled = new MemoryStore();
  await copyImages(openRegistries(t, trusting).source(), pulled, [name]);
  assert.equal((await pulled.list())[0]?.descriptor.digest, built.root.digest);
  await push({ credentials, tls: () => ({ rejectUnauthorized: false }) });
});

test('reads blobs from the storage that the registry redirects to, without credentials', async (t) => {
  if (!requireTool(t, 'docker-registry')) return;
  const files: { folder?: string } = {};
  const storage = await oddServer(t, (request, response) => {
    void import('node:fs').then(({ createReadStream, statSync }) => {
      const file = `${files.folder}/root${request.url}`;
      response.writeHead(200, { 'content-length': statSync(file).size });
      createReadStream(file).pipe(response);
    });
  });
  const registry = await startRegistry({ auth: 'basic', redirect: `http://${storage.host}/`, relativeUrls: true });
  t.after(registry.stop);
  files.folder = registry.folder;
  const proxy = await FaultProxy.start(t, registry.port);
  const registries = openRegistries(t, { credentials: async () => ({ kind: 'password', ...USER }) });
  const built = example({ platforms: ['linux/amd64'] });
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: built.root }], built.blobs);
  const place = { host: proxy.host, path: 'a/b' };
  for (const tag of ['1', '2'])
    await copyToRegistry(
      store,
      registries.destination(place, { tag, blobJobs: 2 }),
      [NAME],
      tag === '2' ? { referrers: 'drop' } : {},
    );
  const uploads = proxy.requests('PUT', /blobs\/uploads/).length;
  const pulled = new MemoryStore();
  await copyImages(registries.source(), pulled, [`${proxy.host}/a/b:1`]);
  assert.equal((await pulled.list())[0]?.descriptor.digest, built.root.digest);
  assert.ok(storage.seen.length > 0);
  assert.deepEqual(
    storage.seen.filter(({ authorization }) => authorization !== undefined),
    [],
  );
  const [first] = built.blobs.links(built.of('linux/amd64').digest).layers ?? [];
  const sent = proxy.requests('PUT', new RegExp(first?.digest.slice(7) ?? '?'));
  assert.equal(sent.length, 1, 'a blob behind a redirect counts as there');
  assert.ok(uploads > 0);
});
