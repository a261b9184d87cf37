import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { routeUrl } from '../../src/server/route-url.js';

for (const [method, url, routed] of [
  ['GET', '/v1.52/images/json', '/images/json'],
  ['GET', '/images/json?all=1', '/images/json?all=1'],
  ['GET', '/images/get?names=a/b', '/images/get?names=a/b'],
  ['POST', '/images/load', '/images/load'],
  ['GET', '/images/a/b:1/json', '/images/a%2Fb%3A1/json'],
  ['GET', '/images/a%2Fb:1/json?x=%2F', '/images/a%2Fb%3A1/json?x=%2F'],
  ['GET', '/images/a%252Fb/json', '/images/a%252Fb/json'],
  ['HEAD', '/images/localhost:5000/a/get', '/images/localhost%3A5000%2Fa/get'],
  ['GET', '/images/json/json', '/images/json/json'],
  ['GET', '/images/get/get', '/images/get/get'],
  ['GET', '/images/a/json/history', '/images/a%2Fjson/history'],
  ['POST', '/images/a/b/tag?repo=c/d', '/images/a%2Fb/tag?repo=c/d'],
  ['POST', '/images/load/tag', '/images/load/tag'],
  ['POST', '/images/a/b/push', '/images/a%2Fb/push'],
  ['DELETE', '/images/json', '/images/json'],
  ['DELETE', '/images/a/b/json', '/images/a%2Fb%2Fjson'],
  ['DELETE', '/v1.40/images/a/b:1?force=1', '/images/a%2Fb%3A1?force=1'],
  ['GET', '/distribution/a/b/json', '/distribution/a%2Fb/json'],
  ['GET', '/images/%zz/json', '/images/%zz/json'],
  ['GET', '/images//json', '/images//json'],
  ['GET', '/containers/a/b/json', '/containers/a/b/json'],
  ['GET', '', '/'],
] as const) {
  test(`routes ${method} ${url || 'nothing'}`, () => {
    assert.equal(routeUrl(method, url), routed);
  });
}

const name = fc.string({
  unit: fc.constantFrom('a', 'json', 'get', '/', ':', '.', '@', '%', ' ', '?', '#', 'é', '+'),
  minLength: 1,
});
const routes = fc.constantFrom('json', 'history', 'get', 'tag', 'push');

test('passes any name to the router as one segment, however it was encoded', () => {
  fc.assert(
    fc.property(name, routes, fc.boolean(), (text, what, isWhole) => {
      const encoded = isWhole ? encodeURIComponent(text) : text.split('/').map(encodeURIComponent).join('/');
      const [, kind, segment, end, ...more] = routeUrl('GET', `/v1.52/images/${encoded}/${what}?q=/`).split('/');
      assert.deepEqual([kind, decodeURIComponent(segment ?? ''), end, more], ['images', text, `${what}?q=`, ['']]);
    }),
  );
});

test('passes any URL with a slash at its start', () => {
  fc.assert(
    fc.property(fc.constantFrom('GET', 'DELETE', 'POST'), fc.webPath(), fc.string(), (method, path, more) => {
      assert.ok(routeUrl(method, `${path}${more}`).startsWith('/'));
    }),
  );
});
