import assert from 'node:assert/strict';
import { test } from 'node:test';
import { engineWithExample } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';

test('lists the images of the store, and shows each on a page of its own', async (t) => {
  const { request, built } = await engineWithExample(t);
  const list = await request('GET', '/ui');
  assert.deepEqual([list.status, list.headers['content-type']], [200, 'text/html; charset=utf-8']);
  const links = [...list.text.matchAll(/href="([^"]*)"/g)].map(([, to]) => to);
  assert.deepEqual(links, [`/ui/${encodeURIComponent(built.root.digest)}`]);
  assert.ok(list.text.includes('example/app:1') && list.text.includes('linux/arm/v7'));
  const image = await request('GET', links[0] ?? '');
  assert.deepEqual([image.status, image.text.match(/<details id="r\d/g)?.length], [200, 3]);
  for (const { headers } of [list, image]) {
    assert.match(
      String(headers['content-security-policy']),
      /^default-src 'none'; style-src 'sha256-.*frame-ancestors 'none'$/,
    );
    assert.deepEqual([headers['cache-control'], headers['x-content-type-options']], ['no-store', 'nosniff']);
  }
});

test('answers for what is not there, and offers no way to change anything', async (t) => {
  const { request } = await engineWithExample(t);
  assert.equal((await request('GET', `/ui/sha256:${'0'.repeat(64)}`)).status, 404);
  assert.equal((await request('GET', '/ui/%3Cscript%3E')).status, 400);
  for (const method of ['POST', 'PUT', 'DELETE']) assert.equal((await request(method, '/ui')).status, 404, method);
  assert.ok(!JSON.stringify((await request('GET', '/openapi.json')).json()).includes('/ui'));
});

test('a page may lead to the other pages, and to nothing else of the server', async (t) => {
  const { request } = await startEngine(t);
  const headers = { 'sec-fetch-site': 'same-origin' };
  assert.equal((await request('GET', '/ui', { headers })).status, 200);
  assert.equal((await request('GET', '/images/json', { headers })).status, 403);
  assert.equal((await request('GET', '/uix', { headers })).status, 403);
  assert.equal((await request('GET', '/ui', { headers: { 'sec-fetch-site': 'cross-site' } })).status, 403);
  assert.equal((await request('GET', '/ui', { headers: { ...headers, origin: 'http://a' } })).status, 403);
});

test('is not there over TCP unless it is asked for', async (t) => {
  for (const uiOnTcp of [false, true]) {
    const { server } = await startEngine(t, { uiOnTcp });
    const url = await server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0, insecure: true });
    for (const way of ['/ui', `/ui/sha256:${'0'.repeat(64)}`]) {
      const { status } = await fetch(url.replace('tcp:', 'http:') + way);
      assert.equal(status, uiOnTcp && way === '/ui' ? 200 : 404, `${uiOnTcp} ${way}`);
    }
  }
});
