import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { buildAttestation } from '../fixtures/artifact-builder.js';
import { closureOf, removeLayers } from '../fixtures/blob-set.js';
import { assertRefused, platformQuery } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';
import { example, PLATFORMS } from '../fixtures/example.js';
import { chunksOf } from '../fixtures/loading.js';
import { stateOf } from '../fixtures/stores.js';

const LOADED = { stream: 'Loaded image: example/app:1\n' };

async function archiveOf(built = example()): Promise<Buffer> {
  return await layoutArchive(built.images, built.blobs);
}

for (const query of ['', '?quiet=1', '?quiet=true']) {
  test(`sends only the result with ${query || 'no quiet'}`, async (t) => {
    const { request } = await startEngine(t);
    const answer = await request('POST', `/v1.52/images/load${query}`, { body: await archiveOf() });
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.deepEqual(answer.lines(), [LOADED]);
  });
}

for (const query of ['?quiet=0', '?quiet=', '?quiet=false']) {
  test(`sends progress with ${query}`, async (t) => {
    const { request } = await startEngine(t);
    const answer = await request('POST', `/v1.52/images/load${query}`, { body: await archiveOf() });
    const lines = answer.lines() as readonly { readonly status?: string; readonly progressDetail?: unknown }[];
    assert.equal(answer.headers['content-type'], 'application/json');
    assert.ok(lines.length > 2);
    assert.ok(lines.slice(0, -1).every(({ status, progressDetail }) => status && progressDetail));
    assert.deepEqual(lines.at(-1), LOADED);
  });
}

test('tells of tags without a name in words of docker, and takes a name and an image of the archive', async (t) => {
  const { request, store } = await startEngine(t);
  const built = example();
  const body = await layoutArchive(
    [
      { root: built.root, refName: '1' },
      { root: built.of('linux/amd64'), refName: '2' },
    ],
    built.blobs,
  );
  const answer = await request('POST', '/v1.52/images/load', { body });
  const [warning] = answer.lines() as readonly { readonly stream: string }[];
  assert.match(warning?.stream ?? '', /^warning: 2 images have only a tag/);
  assert.ok(warning?.stream.includes(`: docker tag ${built.root.digest} REPO:1; docker tag `), warning?.stream);
  assert.doesNotMatch(warning?.stream ?? '', /lading|--name/);
  const named = await request('POST', '/v1.52/images/load?name=example/app&image=1', { body });
  assert.deepEqual(named.lines(), [LOADED]);
  assert.deepEqual(
    (await store.list()).map(({ name, tag }) => name ?? tag),
    ['docker.io/example/app:1', '2'],
  );
  assertRefused(await request('POST', '/v1.52/images/load?name=app:1', { body }), 400, /2 images/);
});

test('loads an archive in chunks of any size', async (t) => {
  const { request } = await startEngine(t);
  const body = Readable.from(chunksOf(await archiveOf(), 1000));
  const headers = { 'Content-Type': 'application/x-tar', 'Transfer-Encoding': 'chunked' };
  assert.deepEqual((await request('POST', '/images/load', { body, headers })).lines(), [LOADED]);
});

test('sends the digest of an image without a name', async (t) => {
  const { request } = await startEngine(t);
  const built = example();
  const body = await layoutArchive([{ root: built.root }], built.blobs);
  const answer = await request('POST', '/images/load', { body });
  assert.deepEqual(answer.lines(), [{ stream: `Loaded image ID: ${built.root.digest}\n` }]);
});

test('warns in lines before the result', async (t) => {
  const { request } = await startEngine(t);
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const lines = (await request('POST', '/images/load', { body: await archiveOf(built) })).lines();
  const [warning, loaded] = lines as readonly { readonly stream: string }[];
  assert.match(warning?.stream ?? '', /^warning: .*linux\/arm64.*\n$/);
  assert.deepEqual(loaded, LOADED);
});

test('says which image had the name before', async (t) => {
  const { request } = await startEngine(t);
  const [before, now] = [example({ seed: 'before' }), example({ seed: 'now' })];
  for (const { images, blobs } of [before, now]) {
    const answer = await request('POST', '/images/load', { body: await layoutArchive(images, blobs) });
    const moved = { stream: `Moved name: example/app:1 (before: ${before.root.digest})\n` };
    assert.deepEqual(answer.lines(), images === now.images ? [moved, LOADED] : [LOADED]);
  }
});

test('warns in a line of a name that cannot be used', async (t) => {
  const { request } = await startEngine(t);
  const built = example();
  const body = await layoutArchive([{ root: built.root, name: 'sha256:abc' }], built.blobs);
  const [warning, loaded] = (await request('POST', '/images/load', { body })).lines();
  assert.match(JSON.stringify(warning), /^\{"stream":"warning: .*sha256:abc/);
  assert.deepEqual(loaded, { stream: `Loaded image ID: ${built.root.digest}\n` });
});

test('stores only the requested platforms and their referrers', async (t) => {
  const { request, store } = await startEngine(t);
  const built = example({ attestations: true });
  const query = `${platformQuery('linux/amd64')}&${platformQuery('linux/arm/v7')}`;
  const answer = await request('POST', `/v1.52/images/load?${query}`, { body: await archiveOf(built) });
  assert.deepEqual(answer.lines(), [LOADED]);
  const wanted = ['linux/amd64', 'linux/arm/v7'].flatMap((platform) => {
    const attestation = built.attestations.get(platform);
    assert.ok(attestation);
    return [...closureOf(built.blobs, built.of(platform)), ...closureOf(built.blobs, attestation)];
  });
  assert.deepEqual((await stateOf(store)).blobs, [...new Set([built.root.digest, ...wanted])].toSorted());
});

test('accepts one platform from 1.48 on', async (t) => {
  for (const [minor, complete] of [
    [47, 3],
    [48, 1],
    [51, 1],
  ] as const) {
    const { request } = await startEngine(t);
    const url = `/v1.${minor}/images/load?${platformQuery('linux/arm64')}`;
    assert.equal((await request('POST', url, { body: await archiveOf() })).status, 200);
    const shown = (await request('GET', '/images/example/app:1/json?manifests=1')).json() as {
      Manifests: readonly { Available: boolean }[];
    };
    assert.equal(shown.Manifests.filter(({ Available }) => Available).length, complete, `1.${minor}`);
  }
});

test('refuses several platforms from 1.48 to 1.51, and ignores them before', async (t) => {
  const { request } = await startEngine(t);
  const query = PLATFORMS.map((platform) => platformQuery(platform)).join('&');
  const message = 'multiple platform parameters are not supported in this API version; use API version 1.52 or later';
  for (const minor of [48, 51])
    assertRefused(
      await request('POST', `/v1.${minor}/images/load?${query}`, { body: await archiveOf() }),
      400,
      message,
    );
  for (const minor of [24, 47, 52])
    assert.equal((await request('POST', `/v1.${minor}/images/load?${query}`, { body: await archiveOf() })).status, 200);
});

test('ignores even a malformed platform before 1.48', async (t) => {
  const { request } = await startEngine(t);
  const answer = await request('POST', '/v1.47/images/load?platform=%7B', { body: await archiveOf() });
  assert.equal(answer.status, 200);
});

for (const text of ['', '{', 'linux/amd64']) {
  test(`refuses the platform ${JSON.stringify(text)}, which is not a JSON object`, async (t) => {
    const { request } = await startEngine(t);
    const url = `/v1.52/images/load?platform=${encodeURIComponent(text)}`;
    assertRefused(await request('POST', url, { body: await archiveOf() }), 400, /^failed to parse platform: /);
  });
}

test('loads the platforms that the archive has, and warns about the rest', async (t) => {
  const { request } = await startEngine(t);
  const query = `${platformQuery('linux/amd64')}&${platformQuery('linux/s390x')}`;
  const lines = (await request('POST', `/images/load?${query}`, { body: await archiveOf() })).lines();
  const [warning, loaded] = lines as readonly { readonly stream: string }[];
  assert.match(warning?.stream ?? '', /^warning: .*linux\/s390x/);
  assert.deepEqual(loaded, LOADED);
});

test('loads all platforms of the list or nothing with strict=1', async (t) => {
  const { request, store } = await startEngine(t);
  const query = `${platformQuery('linux/amd64')}&${platformQuery('linux/s390x')}&strict=1`;
  assertRefused(await request('POST', `/images/load?${query}`, { body: await archiveOf() }), 404, /linux\/s390x/);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

test('refuses an archive that lists none of the platforms', async (t) => {
  const { request, store } = await startEngine(t);
  const message = `image example/app:1 was not loaded: it doesn't provide the requested platform ([linux/arm/v5])`;
  const url = `/images/load?${platformQuery('linux/arm/v5')}`;
  assertRefused(await request('POST', url, { body: await archiveOf() }), 404, message);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

test('refuses an archive that lists the platform but lacks its layers', async (t) => {
  const { request } = await startEngine(t);
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const url = `/images/load?${platformQuery('linux/arm64')}`;
  const message = /requested platform\(s\) \(\[linux\/arm64\]\) found, but some content is missing: sha256:/;
  assertRefused(await request('POST', url, { body: await archiveOf(built) }), 404, message);
});

test('moves a name to the new image, and keeps the old image without a name', async (t) => {
  const { request, store } = await startEngine(t);
  const [old, young] = [example(), example({ seed: 'young' })];
  for (const built of [old, young]) await request('POST', '/images/load', { body: await archiveOf(built) });
  assert.deepEqual(
    (await store.list()).map(({ name, descriptor }) => [name, descriptor.digest]),
    [
      ['docker.io/example/app:1', young.root.digest],
      [undefined, old.root.digest],
    ],
  );
});

test('records a load and the names that it moved in the audit', async (t) => {
  const { request, audit } = await startEngine(t, { now: () => 0 });
  const built = example();
  const body = await archiveOf(built);
  await request('POST', '/images/load', { body });
  assert.deepEqual(audit, [
    {
      time: '1970-01-01T00:00:00.000Z',
      action: 'load',
      client: 'unix',
      code: 'OK',
      bytes: body.length,
      digests: [built.root.digest],
      moved: [{ name: 'docker.io/example/app:1', to: built.root.digest }],
      durationMs: 0,
    },
  ]);
});

test('sends no line for attestations beside the image', async (t) => {
  const { request } = await startEngine(t);
  const built = example();
  buildAttestation(built.blobs, built.root, { seed: 'of the index' });
  assert.deepEqual((await request('POST', '/images/load', { body: await archiveOf(built) })).lines(), [LOADED]);
});
