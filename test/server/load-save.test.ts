import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';
import { asLayoutImage, cosignLayer, signatureRecord, signer, simplePayload } from '../fixtures/signatures.js';

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

test('tells a signature that comes with an image as a companion, and removes it with the image', async (t) => {
  const { request } = await startEngine(t);
  const built = example();
  const layer = cosignLayer(signer('release'), simplePayload(built.root.digest));
  const signature = asLayoutImage(signatureRecord(built.blobs, built.root, layer));
  const body = await layoutArchive([...built.images, signature], built.blobs);
  const loaded = await request('POST', '/v1.52/images/load?quiet=1', { body });
  const name = `example/app:${built.root.digest.replace(':', '-')}.sig`;
  assert.deepEqual(loaded.lines(), [
    { stream: 'Loaded image: example/app:1\n' },
    { stream: `Loaded companion: ${name}\n` },
  ]);
  const removed = await request('DELETE', '/v1.52/images/example/app:1');
  assert.equal(removed.status, 200);
  assert.match(removed.text, new RegExp(`"Untagged":"${name}"`));
  assert.equal((await request('GET', '/v1.52/images/json?all=1')).text.trim(), '[]');
});
