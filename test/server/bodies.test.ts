import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { engineWithExample } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';

const TYPES = [
  'application/json',
  'application/x-tar',
  'text/plain',
  'x',
  'a/b; charset',
  '',
  '*/*',
  'application/json;;',
];

for (const type of TYPES) {
  test(`loads a body of type ${JSON.stringify(type)}`, async (t) => {
    const { request } = await startEngine(t);
    const built = example();
    const body = await layoutArchive(built.images, built.blobs);
    const answer = await request('POST', '/images/load', { body, headers: { 'Content-Type': type } });
    assert.equal(answer.status, 200, answer.text);
  });

  test(`tags an image and ignores a body of type ${JSON.stringify(type)}`, async (t) => {
    const { request } = await engineWithExample(t);
    const headers = { 'Content-Type': type };
    const url = '/images/example/app:1/tag?repo=other&tag=2';
    assert.equal((await request('POST', url, { body: '{"repo":"other"}', headers })).status, 201);
    assert.equal((await request('POST', url, { body: '{not json', headers })).status, 201);
  });
}

test('loads a body that has no type', async (t) => {
  const { request } = await startEngine(t);
  const built = example();
  const answer = await request('POST', '/images/load', { body: await layoutArchive(built.images, built.blobs) });
  assert.equal(answer.status, 200);
});

test('loads a body of more than a megabyte', async (t) => {
  const { request } = await startEngine(t);
  const built = example({ layerBytes: 700_000 });
  const body = await layoutArchive(built.images, built.blobs);
  assert.ok(body.length > 4_000_000);
  assert.equal((await request('POST', '/images/load', { body })).status, 200);
});

test('ignores JSON bodies on routes without a body', async (t) => {
  const { request } = await engineWithExample(t);
  const asked = { body: '{}', headers: { 'Content-Type': 'application/json', 'Content-Length': '2' } };
  assert.equal((await request('POST', '/images/prune', asked)).status, 200);
  assert.equal((await request('GET', '/images/json', asked)).status, 200);
  assert.equal((await request('GET', '/images/example/app:1/json', asked)).status, 200);
  assert.equal((await request('POST', '/images/create?fromImage=a', asked)).status, 501);
  assert.equal((await request('POST', '/containers/create', asked)).status, 501);
  assert.equal((await request('POST', '/no/such/route', asked)).status, 404);
  assert.equal((await request('DELETE', '/images/example/app:1', asked)).status, 200);
});
