import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { ServerOptions } from '../../src/server/index.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { assertRefused } from '../fixtures/engine-store.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { startEngine } from '../fixtures/engine.js';
import { example, NAME } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { policyOf } from '../fixtures/policies.js';
import { registryEngine } from '../fixtures/registry-engine.js';
import { save } from '../fixtures/saved-archive.js';
import { asLayoutImage, cosignLayer, signatureRecord, signer, simplePayload } from '../fixtures/signatures.js';
import { namesOf, stateOf } from '../fixtures/stores.js';

const RELEASE = signer('release');
const OTHER = signer('other');
const registry = sharedRegistry();

/** Images of docker.io/example must be signed; nothing else gets a name. */
const OPTIONS: ServerOptions = {
  policy: policyOf({ release: RELEASE }, [{ names: ['docker.io/example/**'], signatures: [{ keys: ['release'] }] }]),
};

async function archiveBy(by = RELEASE) {
  const built = example();
  const layer = cosignLayer(by, simplePayload(built.root.digest));
  const signature = asLayoutImage(signatureRecord(built.blobs, built.root, layer));
  return { built, body: await layoutArchive([...built.images, signature], built.blobs) };
}

test('loads only what the policy allows, and answers 403 in the form of the Engine', async (t) => {
  const { request, store, audit } = await startEngine(t, OPTIONS);
  const bad = await archiveBy(OTHER);
  const message = /^nothing was loaded: example\/app:1: .*not signed by a wanted key/;
  assertRefused(await request('POST', '/images/load', { body: bad.body }), 403, message);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
  // Where the answer has begun, its last line is the error.
  const started = await request('POST', '/images/load?quiet=0', { body: bad.body });
  assert.equal(started.status, 200);
  assert.match(JSON.stringify(started.lines().at(-1)), /"errorDetail":\{"message":"nothing was loaded: example/);
  const { built, body } = await archiveBy();
  assert.equal((await request('POST', '/images/load', { body })).status, 200);
  const digest = built.root.digest;
  const decision = { name: NAME, digest, rule: 'rules[0]' };
  assert.deepEqual(
    audit.map(({ action, code, decisions }) => ({ action, code, decisions })),
    [
      { action: 'load', code: 'ERR_SIGNATURE_INVALID', decisions: [{ ...decision, decision: 'denied' }] },
      { action: 'load', code: 'ERR_SIGNATURE_INVALID', decisions: [{ ...decision, decision: 'denied' }] },
      { action: 'load', code: 'OK', decisions: [{ ...decision, decision: 'allowed' }] },
    ],
  );
});

test('tags only what the policy allows under the new name', async (t) => {
  const { request, store, audit } = await startEngine(t, OPTIONS);
  const { built, body } = await archiveBy();
  await request('POST', '/images/load', { body });
  const before = await stateOf(store);
  const denied = await request('POST', '/images/example/app:1/tag?repo=team/app&tag=2');
  assertRefused(denied, 403, 'nothing was tagged: team/app:2: no rule allows this name');
  assert.deepEqual(await stateOf(store), before);
  assert.equal((await request('POST', '/images/example/app:1/tag?repo=example/app&tag=2')).status, 201);
  const { digest } = built.root;
  assert.equal((await request('POST', `/images/${digest}/tag?repo=example/app&tag=3`)).status, 201);
  assert.deepEqual((await namesOf(store)).filter((name) => /:[123]$/.test(name ?? '')).length, 3);
  assert.deepEqual(
    audit.slice(1).map(({ code, decisions }) => [code, decisions?.[0]?.name, decisions?.[0]?.decision]),
    [
      ['ERR_POLICY_DENIED', 'docker.io/team/app:2', 'denied'],
      ['OK', 'docker.io/example/app:2', 'allowed'],
      ['OK', 'docker.io/example/app:3', 'allowed'],
    ],
  );
});

test('keeps a name as the rule says, by 409', async (t) => {
  const policy = policyOf({}, [{ names: ['**'], overwrite: 'same-digest' }]);
  const { request, store } = await startEngine(t, { policy });
  const [first, second] = [example({ seed: 'a' }), example({ seed: 'b' })];
  await load(store, await layoutArchive(first.images, first.blobs));
  const other = [{ root: second.root, name: 'docker.io/example/other:1' }];
  await load(store, await layoutArchive(other, second.blobs));
  const body = await layoutArchive(second.images, second.blobs);
  assertRefused(await request('POST', '/images/load', { body }), 409, /the store has the name already/);
  assertRefused(
    await request('POST', '/images/example/other:1/tag?repo=example/app&tag=1'),
    409,
    /has the name already/,
  );
  assert.equal((await request('POST', '/images/example/app:1/tag?repo=example/app&tag=1')).status, 201);
});

test('asks the hook of its owner, and changes nothing when that throws', async (t) => {
  const asked: (string | undefined)[] = [];
  const { request, store } = await startEngine(t, {
    beforeCommit: ({ images }) => {
      asked.push(...images.map(({ name }) => name));
      throw new Error('closed on Sundays');
    },
  });
  const { body } = await archiveBy();
  assertRefused(await request('POST', '/images/load', { body }), 403, /beforeCommit refused it: closed on Sundays$/);
  assert.ok(asked.includes(NAME));
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

test('gives a saved image back with its signature, for the next policy', async (t) => {
  const [one, two] = [await startEngine(t, OPTIONS), await startEngine(t, OPTIONS)];
  const { body } = await archiveBy();
  await one.request('POST', '/images/load', { body });
  const saved = await one.request('GET', '/images/get?names=example/app:1');
  assert.equal((await two.request('POST', '/images/load', { body: saved.body })).status, 200);
  const part = await one.request(
    'GET',
    '/v1.52/images/get?names=example/app:1&platform=%7B%22os%22%3A%22linux%22%2C%22architecture%22%3A%22arm64%22%7D',
  );
  await two.request('DELETE', '/images/example/app:1');
  assert.equal((await two.request('POST', '/images/load', { body: part.body })).status, 200, part.text.slice(0, 200));
  const again = await save(two.store, ['example/app:1']);
  await load(new MemoryStore(), again.archive, OPTIONS.policy ? { policy: OPTIONS.policy } : {});
});

test('pulls only what the policy allows', async (t) => {
  const running = await registry(t);
  if (running === undefined) return;
  const name = `localhost:${running.port}/trusted/app:1`;
  const built = example();
  const pusher = await registryEngine(t, { built });
  await pusher.tag(name);
  const [repository] = name.split(':1');
  assert.ok(repository);
  await pusher.push(name);
  const rules = [{ names: [`localhost:${running.port}/**`], signatures: [{ keys: ['release'] }] }];
  const policy = policyOf({ release: RELEASE }, rules);
  const puller = await registryEngine(t, { names: [], built: example({ platforms: [] }), policy });
  const denied = await puller.pull(name);
  assert.match(JSON.stringify(denied.lines().at(-1)), /has no signature that can be checked/);
  assert.deepEqual(await namesOf(puller.store), []);
  const record = signatureRecord(built.blobs, built.root, cosignLayer(RELEASE, simplePayload(built.root.digest)));
  const companion = `${name.slice(0, -2)}:${built.root.digest.replace(':', '-')}.sig`;
  await load(pusher.store, await layoutArchive([{ root: record.descriptor, name: companion }], built.blobs));
  await pusher.push(companion);
  const allowed = await puller.pull(name);
  assert.doesNotMatch(allowed.text, /"error"/);
  assert.ok((await namesOf(puller.store)).includes(name));
});
