import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';

test('loads an archive and saves it again', async (t) => {
  const { request } = await startEngine(t);
  const built = example();
  const loaded = await request('POST', '/v1.52/images/load?quiet=1', {
    body: await layoutArchive(built.images, built.blobs),
  });
  assert.equal(loaded.status, 200);
  assert.equal(loaded.headers['content-type'], 'application/json');
  assert.deepEqual(loaded.lines(), [{ stream: 'Loaded image: example/app:1\n' }]);
  const saved = await request('GET', '/v1.52/images/get?names=example/app:1');
  assert.equal(saved.status, 200);
  assert.equal(Number(saved.headers['content-length']), saved.body.length);
});
