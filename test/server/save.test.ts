import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNOTATIONS, type Descriptor } from '../../src/model/descriptor.js';
import type { Digest } from '../../src/model/digest.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { removeLayers } from '../fixtures/blob-set.js';
import { assertRefused, engineWith, engineWithExample, platformQuery } from '../fixtures/engine-store.js';
import { startEngine, type Answer } from '../fixtures/engine.js';
import { example, NAME, PLATFORMS } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { readTar } from '../fixtures/saved-archive.js';
import { fill, stateOf } from '../fixtures/stores.js';

/** The descriptors in the `index.json` of a saved archive. */
async function rootsIn(answer: Answer): Promise<readonly Descriptor[]> {
  assert.equal(answer.status, 200, answer.text.slice(0, 300));
  assert.equal(answer.headers['content-type'], 'application/x-tar');
  assert.equal(Number(answer.headers['content-length']), answer.body.length);
  const index = (await readTar(answer.body)).find(({ name }) => name === 'index.json');
  return (JSON.parse(index?.body.toString('utf8') ?? '') as { manifests: readonly Descriptor[] }).manifests;
}

for (const url of ['/images/get?names=example/app:1', '/images/example/app:1/get', '/images/example%2Fapp:1/get']) {
  test(`saves with ${url} an archive that can be loaded again`, async (t) => {
    const { request, built, store } = await engineWithExample(t);
    const answer = await request('GET', `/v1.52${url}`);
    const [root] = await rootsIn(answer);
    assert.equal(root?.digest, built.root.digest);
    const copy = new MemoryStore();
    await load(copy, answer.body);
    assert.deepEqual(await stateOf(copy), await stateOf(store));
  });
}

test('saves several images, names repeated', async (t) => {
  const [built, other] = [example(), example({ seed: 'other' })];
  for (const [digest, bytes] of other.blobs) built.blobs.set(digest, bytes);
  const { request } = await engineWith(t, built.blobs, [
    ['example/app:1', built.root],
    ['other:2', other.root],
  ]);
  const roots = await rootsIn(await request('GET', '/images/get?names=other:2&names=example/app:1'));
  assert.deepEqual(
    new Set(roots.map(({ annotations }) => annotations?.[ANNOTATIONS.imageName])),
    new Set(['docker.io/example/app:1', 'docker.io/library/other:2']),
  );
});

for (const query of ['', '?names=', '?names=&names=', '?name=example/app:1']) {
  test(`refuses to save nothing: ${query || 'no parameter'}`, async (t) => {
    const { request } = await engineWithExample(t);
    assertRefused(await request('GET', `/v1.52/images/get${query}`), 400, /named/);
  });
}

test('sends the same bytes and ETag for the same request', async (t) => {
  const { request } = await engineWithExample(t);
  const [one, two] = [
    await request('GET', '/images/get?names=example/app:1'),
    await request('GET', '/images/get?names=example/app:1'),
  ];
  assert.ok(one.body.equals(two.body));
  assert.match(String(one.headers.etag), /^"lading-1-[0-9a-f]{64}"$/);
  assert.equal(one.headers.etag, two.headers.etag);
});

test('has another ETag for other platforms and other names', async (t) => {
  const { request } = await engineWithExample(t, { names: ['example/app:1', 'example/app:2'] });
  const etags = await Promise.all(
    ['names=example/app:1', 'names=example/app:2', `names=example/app:1&${platformQuery('linux/arm64')}`].map(
      async (query) => (await request('HEAD', `/images/get?${query}`)).headers.etag,
    ),
  );
  assert.equal(new Set(etags).size, 3);
});

for (const form of ['ETAG', 'W/ETAG', '"other", ETAG', '*'] as const) {
  test(`answers 304 without a body to If-None-Match: ${form}`, async (t) => {
    const { request } = await engineWithExample(t);
    const { etag = '' } = (await request('HEAD', '/images/example/app:1/get')).headers;
    const headers = { 'If-None-Match': form.replace('ETAG', etag) };
    for (const method of ['GET', 'HEAD']) {
      const answer = await request(method, '/images/get?names=example/app:1', { headers });
      assert.deepEqual([answer.status, answer.text, answer.headers.etag], [304, '', etag]);
    }
  });
}

test('sends the archive to a client that has another one', async (t) => {
  const { request } = await engineWithExample(t);
  const headers = { 'If-None-Match': '"sha256:0"' };
  assert.equal((await request('GET', '/images/get?names=example/app:1', { headers })).status, 200);
});

for (const url of ['/images/get?names=example/app:1', '/images/example/app:1/get']) {
  test(`answers HEAD ${url} with the headers of GET`, async (t) => {
    const { request } = await engineWithExample(t);
    const [got, head] = [await request('GET', url), await request('HEAD', url)];
    assert.equal(head.text, '');
    for (const name of ['content-length', 'content-type', 'etag']) assert.equal(head.headers[name], got.headers[name]);
  });
}

/** A store that records which blobs were opened. */
class WatchedStore extends MemoryStore {
  readonly opened: Digest[] = [];

  override open(...asked: Parameters<MemoryStore['open']>): ReturnType<MemoryStore['open']> {
    this.opened.push(asked[0]);
    return super.open(...asked);
  }
}

test('answers HEAD without reading a layer', async (t) => {
  const built = example();
  const store = new WatchedStore();
  await fill(store, [{ name: NAME, descriptor: built.root }], built.blobs);
  const { request } = await startEngine(t, { store });
  for (const url of ['/images/get?names=example/app:1', '/images/example/app:1/get'])
    assert.equal((await request('HEAD', url)).status, 200);
  assert.ok(store.opened.includes(built.root.digest));
  const layers = PLATFORMS.flatMap((platform) => built.blobs.links(built.of(platform).digest).layers ?? []);
  assert.deepEqual(
    layers.filter(({ digest }) => store.opened.includes(digest)),
    [],
  );
});

test('makes the manifest of a single platform the root', async (t) => {
  const { request, built } = await engineWithExample(t);
  for (const version of ['1.48', '1.52']) {
    const url = `/v${version}/images/get?names=example/app:1&${platformQuery('linux/arm64')}`;
    const [root] = await rootsIn(await request('GET', url));
    assert.equal(root?.digest, built.of('linux/arm64').digest);
  }
});

test('keeps the index for several platforms, from 1.52', async (t) => {
  const { request, built } = await engineWithExample(t);
  const query = `names=example/app:1&${platformQuery('linux/arm64')}&${platformQuery('linux/amd64')}`;
  const answer = await request('GET', `/v1.52/images/get?${query}`);
  assert.equal((await rootsIn(answer))[0]?.digest, built.root.digest);
  assert.equal(answer.headers['lading-missing-platforms'], undefined);
  const message = 'multiple platform parameters are not supported in this API version; use API version 1.52 or later';
  for (const minor of [48, 51]) assertRefused(await request('GET', `/v1.${minor}/images/get?${query}`), 400, message);
});

test('ignores platforms before 1.48', async (t) => {
  const { request, built } = await engineWithExample(t);
  const query = `names=example/app:1&${platformQuery('linux/arm64')}&platform=x`;
  assert.equal((await rootsIn(await request('GET', `/v1.47/images/get?${query}`)))[0]?.digest, built.root.digest);
});

test('saves the platforms that are here, and lists the others in a header', async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const { request } = await engineWithExample(t, { built });
  const query = ['linux/amd64', 'linux/arm64', 'linux/s390x'].map((platform) => platformQuery(platform)).join('&');
  for (const url of [`/images/get?names=example/app:1&${query}`, `/images/example/app:1/get?${query}`]) {
    const answer = await request('GET', url);
    await rootsIn(answer);
    assert.equal(
      answer.headers['lading-missing-platforms'],
      'example/app:1 linux/arm64 missing, example/app:1 linux/s390x absent',
    );
    assertRefused(await request('GET', `${url}&strict=1`), 404, /linux\/arm64/);
  }
});

test('saves everything that is here if no platform is requested', async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/amd64'));
  const { request } = await engineWithExample(t, { built });
  const answer = await request('GET', '/images/get?names=example/app:1');
  assert.equal((await rootsIn(answer))[0]?.digest, built.root.digest);
  assert.equal(answer.headers['lading-missing-platforms'], 'example/app:1 linux/amd64 missing');
});

test("reports one missing platform in the Engine's words", async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const { request } = await engineWithExample(t, { built });
  for (const platform of ['linux/s390x', 'linux/arm64', 'linux/arm/v6']) {
    const message = `no suitable export target found: image with reference example/app:1 was found but does not provide the specified platform (${platform})`;
    assertRefused(await request('GET', `/images/get?names=example/app:1&${platformQuery(platform)}`), 404, message);
  }
});

test("reports several missing platforms in the Engine's words", async (t) => {
  const { request } = await engineWithExample(t);
  const query = `${platformQuery('linux/s390x')}&${platformQuery('linux/ppc64le')}`;
  assertRefused(
    await request('GET', `/images/get?names=example/app:1&${query}`),
    404,
    'no manifest found for platform: not found',
  );
});

test('reports an unknown name before the body, also one among others', async (t) => {
  const { request } = await engineWithExample(t);
  assertRefused(await request('GET', '/images/get?names=none'), 404, 'No such image: none');
  assertRefused(await request('GET', '/images/get?names=example/app:1&names=none'), 404, 'No such image: none');
  assertRefused(await request('GET', '/images/get?names=Bad//Name'), 400, /./);
  assert.equal((await request('HEAD', '/images/get?names=none')).status, 404);
});

test('records a save in the audit', async (t) => {
  const { request, audit, built } = await engineWithExample(t, { now: () => 0 });
  await request('GET', '/images/get?names=example/app:1');
  await request('GET', '/images/get?names=none');
  const [{ bytes, ...saved } = { bytes: 0 }, failed] = audit;
  assert.ok((bytes ?? 0) > 1000);
  const common = { time: '1970-01-01T00:00:00.000Z', action: 'save', client: 'unix', durationMs: 0 };
  assert.deepEqual(saved, { ...common, names: ['example/app:1'], digests: [built.root.digest], code: 'OK' });
  assert.deepEqual(failed, { ...common, names: ['none'], code: 'ERR_IMAGE_UNKNOWN' });
});

test('refuses a save beyond the limit with a whole JSON error', async (t) => {
  const { request } = await engineWithExample(t, { maxTransfers: 0 });
  const answer = await request('GET', '/images/get?names=example/app:1');
  assertRefused(answer, 503, /try again later/);
  assert.ok(answer.headers['retry-after']);
  assert.equal(Number(answer.headers['content-length']), answer.body.length);
  assert.equal(answer.headers.etag, undefined);
});

for (const [version, written] of [
  ['"\\n, é"', '%0A%2C%20%C3%A9'],
  ['"\\ud800"', '%EF%BF%BD'],
]) {
  test(`lists a missing platform of version ${version} in ASCII, without a comma`, async (t) => {
    const { request } = await engineWithExample(t);
    const platform = encodeURIComponent(`{"os":"linux","architecture":"s390x","os.version":${version}}`);
    const url = `/images/get?names=example/app:1&${platformQuery('linux/arm64')}&platform=${platform}`;
    const answer = await request('HEAD', url);
    assert.equal(answer.headers['lading-missing-platforms'], `example/app:1 linux(${written})/s390x absent`);
  });
}

test('lists a missing platform with any text from an index', async (t) => {
  const built = example({ platforms: ['linux/amd64', 'lin,ux €/arm64'] });
  removeLayers(built.blobs, built.of('lin,ux €/arm64'));
  const { request } = await engineWithExample(t, { built });
  const answer = await request('HEAD', '/images/example/app:1/get');
  assert.equal(answer.headers['lading-missing-platforms'], 'example/app:1 lin%2Cux%20%E2%82%AC/arm64 missing');
});

test('refuses more than ten thousand pairs of an image and a platform', async (t) => {
  const built = example();
  const names = Array.from({ length: 101 }, (_, at) => `docker.io/example/many:${at}`);
  const { request } = await engineWithExample(t, { built, names });
  const list = Array.from({ length: 100 }, (_, at) => platformQuery(at === 0 ? 'linux/amd64' : `linux/a${at}`));
  const url = `/images/get?names=example/many&${list.slice(0, 99).join('&')}`;
  // The same names again are no more images.
  assert.equal((await request('HEAD', `${url}&names=example/many`)).status, 200);
  assertRefused(await request('GET', `${url}&${list[99]}`), 400, /^images times platforms are 10100, and one request/);
});

for (const url of ['/v1.52/images/get?names=example/app:1', '/v1.52/images/example/app:1/get']) {
  test(`takes a hundred platforms, and no more, with ${url}`, async (t) => {
    const { request } = await engineWithExample(t);
    const list = Array.from({ length: 101 }, (_, at) => platformQuery(at === 0 ? 'linux/amd64' : `linux/a${at}`));
    const ask = async (count: number) =>
      await request('GET', `${url}${url.includes('?') ? '&' : '?'}${list.slice(0, count).join('&')}`);
    assert.equal((await ask(100)).status, 200);
    assertRefused(await ask(101), 400, 'a request names at most 100 platforms');
  });
}

const SAVED = '/v1.52/images/get?names=example/app:1';

test('sends one part of an archive, and what is no range as a whole', async (t) => {
  const { request } = await engineWithExample(t);
  const { body: whole, headers: all } = await request('GET', SAVED);
  const size = whole.length;
  assert.equal(all['accept-ranges'], 'bytes');
  for (const [range, start, end] of [
    ['bytes=0-0', 0, 1],
    ['bytes=100-999', 100, 1000],
    ['bytes=1000-', 1000, size],
    ['bytes=-500', size - 500, size],
    [`bytes=-${size + 1}`, 0, size],
    [`bytes=5-${size * 2}`, 5, size],
  ] as const) {
    const answer = await request('GET', SAVED, { headers: { Range: range } });
    assert.deepEqual(
      [answer.status, answer.headers['content-range'], answer.headers['content-length'], answer.headers.etag],
      [206, `bytes ${start}-${end - 1}/${size}`, String(end - start), all.etag],
      range,
    );
    assert.ok(answer.body.equals(whole.subarray(start, end)), range);
  }
  for (const range of ['bytes=0-1,5-6', 'bytes=5-4', 'bytes=x', 'lines=1-2', 'bytes=-', '']) {
    const answer = await request('GET', SAVED, { headers: { Range: range } });
    assert.deepEqual([answer.status, answer.body.equals(whole)], [200, true], range);
  }
});

test('refuses a part beyond the end, and heeds If-Range', async (t) => {
  const { request } = await engineWithExample(t);
  const { body: whole, headers: all } = await request('GET', SAVED);
  for (const range of [`bytes=${whole.length}-`, 'bytes=-0', `bytes=${whole.length + 5}-${whole.length + 9}`]) {
    const answer = await request('GET', SAVED, { headers: { Range: range } });
    assert.deepEqual([answer.status, answer.headers['content-range']], [416, `bytes */${whole.length}`], range);
  }
  const { etag = '' } = all;
  for (const [condition, status] of [
    [etag, 206],
    ['"lading-1-0"', 200],
    [`W/${etag}`, 200],
  ] as const) {
    const answer = await request('GET', SAVED, { headers: { Range: 'bytes=1-2', 'If-Range': condition } });
    assert.equal(answer.status, status, condition);
  }
  const head = await request('HEAD', SAVED, { headers: { Range: 'bytes=1-2' } });
  assert.deepEqual([head.status, Number(head.headers['content-length'])], [200, whole.length]);
});
