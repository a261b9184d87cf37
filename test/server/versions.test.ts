import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, engineWithExample } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';

test('answers a ping with the headers for version negotiation', async (t) => {
  const { request } = await startEngine(t);
  const { status, text, headers } = await request('GET', '/_ping');
  assert.equal(status, 200);
  assert.equal(text, 'OK');
  assert.equal(headers['api-version'], '1.55');
  assert.equal(headers['ostype'], 'linux');
  assert.equal(headers['docker-experimental'], 'false');
  assert.ok(headers['builder-version']);
  assert.equal(headers['swarm'], 'inactive');
  assert.equal(headers['cache-control'], 'no-cache, no-store, must-revalidate');
});

test('answers HEAD of a ping with the same headers and no body', async (t) => {
  const { request } = await startEngine(t);
  const [got, head] = [await request('GET', '/_ping'), await request('HEAD', '/_ping')];
  assert.equal(head.status, 200);
  assert.equal(head.text, '');
  assert.deepEqual({ ...head.headers, date: '' }, { ...got.headers, date: '' });
});

test('answers a ping with a version prefix', async (t) => {
  const { request } = await startEngine(t);
  for (const method of ['GET', 'HEAD']) assert.equal((await request(method, '/v1.44/_ping')).status, 200);
});

test('serves the newest version without a prefix', async (t) => {
  const { request } = await engineWithExample(t);
  const [none, newest] = [await request('GET', '/images/json'), await request('GET', '/v1.55/images/json')];
  assert.equal(none.text, newest.text);
});

for (const version of ['1.24', '1.43', '1.52', '1.53', '1.54', '1.55']) {
  test(`serves ${version}`, async (t) => {
    const { request } = await startEngine(t);
    assert.equal((await request('GET', `/v${version}/images/json`)).status, 200);
  });
}

for (const version of ['1.56', '1.100', '2.0', '12.30']) {
  test(`refuses ${version} as too new, on every route`, async (t) => {
    const { request } = await startEngine(t);
    const message = `client version ${version} is too new. Maximum supported API version is 1.55`;
    for (const path of ['_ping', 'images/json', 'version', 'no/such/route'])
      assertRefused(await request('GET', `/v${version}/${path}`), 400, message);
  });
}

for (const version of ['1.23', '1.0', '0.9']) {
  test(`refuses ${version} as too old`, async (t) => {
    const { request } = await startEngine(t);
    const message = `client version ${version} is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version`;
    assertRefused(await request('GET', `/v${version}/images/json`), 400, message);
  });
}

for (const [method, url, status] of [
  ['GET', '/_ping', 200],
  ['GET', '/images/json', 200],
  ['POST', '/images/load', 400],
  ['GET', '/images/get', 400],
  ['GET', '/v1.99/_ping', 400],
  ['GET', '/images/none/json', 404],
  ['GET', '/no/such/route', 404],
  ['PROPFIND', '/images/json', 404],
  ['GET', '/containers/json', 501],
  ['GET', '/images/%zz/json', 400],
  ['GET', '/containers/%zz/json', 400],
  ['GET', `/images/${'a'.repeat(5000)}/json`, 400],
  ['GET', '/images/json?filters=1', 400],
  ['DELETE', '/images/none', 404],
  ['GET', '/openapi.json', 200],
  ['GET', '/metrics', 200],
] as const) {
  test(`names itself and its version on ${method} ${url.slice(0, 40)}`, async (t) => {
    const { request } = await startEngine(t);
    const answer = await request(method, url);
    assert.equal(answer.status, status, answer.text);
    assert.match(String(answer.headers['server']), /^Lading\/\d/);
    assert.equal(answer.headers['api-version'], '1.55');
    assert.equal(answer.headers['ostype'], 'linux');
    if (status >= 400) assertRefused(answer, status, /./);
  });
}

for (const [method, url] of [
  ['GET', '/'],
  ['GET', '/v1.52'],
  ['GET', '/v1.52/'],
  ['GET', '/v1.52/images'],
  ['GET', '/v1.x/images/json'],
  ['PUT', '/images/json'],
  ['POST', '/images/example/app:1'],
  ['GET', '/images/example/app:1'],
  ['GET', '/imagesjson'],
] as const) {
  test(`has no page ${method} ${url}`, async (t) => {
    const { request } = await startEngine(t);
    assertRefused(await request(method, url), 404, 'page not found');
  });
}
