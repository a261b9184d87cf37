import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertRefused, bodyOf, engineWith, engineWithExample } from '../fixtures/engine-store.js';
import { example } from '../fixtures/example.js';

interface Inspected {
  readonly Id: string;
  readonly RepoTags: readonly string[];
}

const NAMES: readonly (readonly [stored: string, asked: string])[] = [
  ['example/app:1', 'example/app:1'],
  ['example/app:1', 'docker.io/example/app:1'],
  ['example/app:1', 'example%2Fapp:1'],
  ['example/app:1', 'example%2fapp%3A1'],
  ['example/app:latest', 'example/app'],
  ['app:latest', 'app'],
  ['app:latest', 'library/app:latest'],
  ['app:latest', 'docker.io/library/app'],
  ['localhost:5000/a/b:1', 'localhost:5000/a/b:1'],
  ['localhost:5000/a/b:latest', 'localhost:5000/a/b'],
  ['registry.example:443/a/b/c/d:v1.0', 'registry.example:443/a/b/c/d:v1.0'],
  ['json:latest', 'json'],
  ['get:latest', 'get'],
  ['load:latest', 'load'],
  ['search:latest', 'search'],
  ['history:latest', 'history'],
  ['a/json:latest', 'a/json'],
  ['a/get/json:latest', 'a/get/json'],
  ['json/history:get', 'json/history:get'],
];

for (const [stored, asked] of NAMES) {
  test(`finds ${stored} as ${asked} on every route`, async (t) => {
    const { request, built } = await engineWithExample(t, { names: [stored] });
    const inspected = bodyOf(await request('GET', `/v1.52/images/${asked}/json`)) as Inspected;
    assert.equal(inspected.Id, built.root.digest);
    assert.deepEqual(inspected.RepoTags, [stored]);
    assert.equal((await request('GET', `/v1.52/images/${asked}/history`)).status, 200);
    assert.equal((await request('HEAD', `/images/${asked}/get`)).headers['content-type'], 'application/x-tar');
    assert.equal((await request('POST', `/v1.43/images/${asked}/tag?repo=other/name&tag=2`)).status, 201);
    const removed = bodyOf(await request('DELETE', `/v1.52/images/${asked}`));
    assert.deepEqual(removed, [{ Untagged: stored }]);
  });
}

test('finds an image by its digest, its hex, and the beginning of either', async (t) => {
  const { request, built } = await engineWithExample(t);
  const { digest } = built.root;
  const hex = digest.slice('sha256:'.length);
  for (const id of [digest, hex, hex.slice(0, 12), digest.slice(0, 20)]) {
    assert.equal((bodyOf(await request('GET', `/images/${id}/json`)) as Inspected).Id, digest, id);
    assert.equal((await request('GET', `/images/${encodeURIComponent(id)}/history`)).status, 200, id);
    assert.equal((await request('HEAD', `/images/${id}/get`)).status, 200, id);
  }
});

test('finds an image by a repository and its digest, with a tag or without', async (t) => {
  const { request, built } = await engineWithExample(t);
  const { digest } = built.root;
  for (const name of [`example/app@${digest}`, `docker.io/example/app@${digest}`, `example/app:1@${digest}`])
    assert.equal((bodyOf(await request('GET', `/images/${name}/json`)) as Inspected).Id, digest, name);
});

test('does not find a digest in another repository', async (t) => {
  const { request, built } = await engineWithExample(t);
  const name = `other/app@${built.root.digest}`;
  assertRefused(await request('GET', `/images/${name}/json`), 404, `No such image: ${name}`);
});

test('finds a name that looks like an id by its name', async (t) => {
  const built = example();
  const other = example({ seed: 'other' });
  for (const [digest, bytes] of other.blobs) built.blobs.set(digest, bytes);
  const prefix = built.root.digest.slice('sha256:'.length).slice(0, 12);
  const { request } = await engineWith(t, built.blobs, [
    ['app:1', built.root],
    [`${prefix}:latest`, other.root],
  ]);
  assert.equal((bodyOf(await request('GET', `/images/${prefix}/json`)) as Inspected).Id, other.root.digest);
});

test('refuses a beginning that two ids share', async (t) => {
  const built = example();
  const roots = [built.root];
  // Sixteen more images: two of seventeen begin with the same hex digit.
  for (let seed = 0; seed < 16; seed += 1) {
    const other = example({ seed, platforms: ['linux/amd64'] });
    for (const [digest, bytes] of other.blobs) built.blobs.set(digest, bytes);
    roots.push(other.root);
  }
  const firsts = roots.map(({ digest }) => digest.charAt('sha256:'.length));
  const twice = firsts.find((first, at) => firsts.indexOf(first) !== at) ?? '';
  const { request } = await engineWith(
    t,
    built.blobs,
    roots.map((root) => ['', root]),
  );
  for (const id of [twice, `sha256:${twice}`]) {
    assertRefused(await request('GET', `/images/${id}/json`), 404, 'ambiguous reference');
    assertRefused(await request('GET', `/images/${id}/get`), 404, 'ambiguous reference');
    assertRefused(await request('GET', `/images/get?names=${id}`), 404, 'ambiguous reference');
    assertRefused(await request('POST', `/images/${id}/tag?repo=a`), 404, 'ambiguous reference');
    assertRefused(await request('DELETE', `/images/${id}`), 404, 'ambiguous reference');
  }
});

for (const name of ['none', 'example/app:2', 'example/app', 'a'.repeat(64), `sha256:${'0'.repeat(64)}`]) {
  test(`answers that there is no image ${name.slice(0, 20)}, on every route`, async (t) => {
    const { request } = await engineWithExample(t);
    const message = `No such image: ${name}`;
    assertRefused(await request('GET', `/images/${name}/json`), 404, message);
    assertRefused(await request('GET', `/images/${name}/history`), 404, message);
    assertRefused(await request('POST', `/images/${name}/tag?repo=a`), 404, message);
    assertRefused(await request('DELETE', `/images/${name}`), 404, message);
  });
}

for (const name of ['Example/App:1', 'a//b', 'a:b:c', '%00', 'a%20b', '%ff', '-', `a@sha256:12`]) {
  test(`refuses the name ${name}`, async (t) => {
    const { request } = await engineWithExample(t);
    assertRefused(await request('GET', `/images/${name}/json`), 400, /./);
    assertRefused(await request('DELETE', `/images/${name}`), 400, /./);
  });
}
