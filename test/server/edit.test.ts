import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closureOf, removeLayers } from '../fixtures/blob-set.js';
import { assertRefused, bodyOf, engineWith, engineWithExample, platformQuery } from '../fixtures/engine-store.js';
import { example, PLATFORMS } from '../fixtures/example.js';
import { namesOf, stateOf } from '../fixtures/stores.js';

for (const [query, name] of [
  ['repo=other&tag=2', 'docker.io/library/other:2'],
  ['repo=other', 'docker.io/library/other:latest'],
  ['repo=other&tag=', 'docker.io/library/other:latest'],
  ['repo=other:2', 'docker.io/library/other:2'],
  ['repo=localhost%3A5000%2Fa%2Fb&tag=v1', 'localhost:5000/a/b:v1'],
  ['repo=localhost:5000/a', 'localhost:5000/a:latest'],
  ['repo=example/app&tag=1', 'docker.io/example/app:1'],
] as const) {
  test(`tags an image with ${query}`, async (t) => {
    const { request, store } = await engineWithExample(t);
    const answer = await request('POST', `/v1.52/images/example/app:1/tag?${query}`);
    assert.deepEqual([answer.status, answer.text], [201, '']);
    assert.deepEqual(new Set(await namesOf(store)), new Set(['docker.io/example/app:1', name]));
  });
}

for (const query of ['', 'repo=', 'repo=Other', 'repo=a&tag=b/c', `repo=a@sha256:${'0'.repeat(64)}`]) {
  test(`refuses to tag with ${query || 'nothing'}`, async (t) => {
    const { request, store } = await engineWithExample(t);
    assertRefused(await request('POST', `/images/example/app:1/tag?${query}`), 400, /./);
    assert.deepEqual(await namesOf(store), ['docker.io/example/app:1']);
  });
}

test('tags an image by its id', async (t) => {
  const { request, built, store } = await engineWithExample(t, { names: [''] });
  const id = built.root.digest.slice('sha256:'.length).slice(0, 12);
  assert.equal((await request('POST', `/images/${id}/tag?repo=app`)).status, 201);
  assert.deepEqual(await namesOf(store), ['docker.io/library/app:latest']);
});

test('removes a name, and keeps the image under its other names', async (t) => {
  const { request, store, built } = await engineWithExample(t, { names: ['example/app:1', 'app:2'] });
  assert.deepEqual(bodyOf(await request('DELETE', '/v1.52/images/app:2')), [{ Untagged: 'app:2' }]);
  assert.deepEqual(await namesOf(store), ['docker.io/example/app:1']);
  assert.equal((await stateOf(store)).blobs.length, built.blobs.size);
});

for (const by of ['name', 'id', 'pinned'] as const) {
  test(`removes an image with its only name, by ${by}`, async (t) => {
    const { request, store, built } = await engineWithExample(t);
    const { digest } = built.root;
    const text = { name: 'example/app:1', id: digest, pinned: `example/app@${digest}` }[by];
    const removed = bodyOf(await request('DELETE', `/v1.24/images/${text}`));
    assert.deepEqual(removed, [{ Untagged: 'example/app:1' }, { Deleted: digest }]);
    assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
  });
}

test('removes an image without a name by its id', async (t) => {
  const { request, store, built } = await engineWithExample(t, { names: [''] });
  assert.deepEqual(bodyOf(await request('DELETE', `/images/${built.root.digest}`)), [{ Deleted: built.root.digest }]);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

test('refuses to remove an id of several names unless that is forced', async (t) => {
  const { request, store, built } = await engineWithExample(t, { names: ['example/app:1', 'other:2'] });
  const { digest } = built.root;
  const id = digest.slice('sha256:'.length).slice(0, 12);
  const message = `conflict: unable to delete ${id} (must be forced) - image is referenced in multiple repositories`;
  for (const query of ['', '?force=0', '?force=false'])
    assertRefused(await request('DELETE', `/images/${digest}${query}`), 409, message);
  assert.equal((await namesOf(store)).length, 2);
  assert.deepEqual(bodyOf(await request('DELETE', `/images/${id}?force=1`)), [
    { Untagged: 'example/app:1' },
    { Untagged: 'other:2' },
    { Deleted: digest },
  ]);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

const REPOSITORIES = ['example/app:1', 'example/app:2', 'example/app-2:1', 'other:2'];

for (const query of ['', '?force=1']) {
  for (const [repository, gone] of [
    ['example/app', ['example/app:1', 'example/app:2']],
    ['docker.io/example/app', ['example/app:1', 'example/app:2']],
    ['other', ['other:2']],
    ['example/app:2', ['example/app:2']],
  ] as const) {
    test(`removes the names of one repository by ${repository}@digest${query}`, async (t) => {
      const { request, store, built } = await engineWithExample(t, { names: REPOSITORIES });
      const before = await stateOf(store);
      const answer = await request('DELETE', `/images/${repository}@${built.root.digest}${query}`);
      assert.deepEqual(
        bodyOf(answer),
        gone.map((Untagged) => ({ Untagged })),
      );
      const left = REPOSITORIES.filter((name) => !gone.some((one) => one === name));
      assert.deepEqual(
        new Set((await namesOf(store)).map((name) => name?.replace(/^docker\.io\/(?:library\/)?/, ''))),
        new Set(left),
      );
      assert.deepEqual((await stateOf(store)).blobs, before.blobs);
    });
  }
}

test('removes an image by repository@digest if all of its names are in that repository', async (t) => {
  const { request, store, built } = await engineWithExample(t, { names: ['example/app:1', 'example/app:2'] });
  const { digest } = built.root;
  assertRefused(await request('DELETE', `/images/none@${digest}`), 404, `No such image: none@${digest}`);
  assert.deepEqual(bodyOf(await request('DELETE', `/images/example/app@${digest}`)), [
    { Untagged: 'example/app:1' },
    { Untagged: 'example/app:2' },
    { Deleted: digest },
  ]);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

test('keeps what another image needs', async (t) => {
  const [built, other] = [example(), example({ platforms: ['linux/amd64'] })];
  const { request, store } = await engineWith(t, built.blobs, [
    ['example/app:1', built.root],
    ['other:1', built.of('linux/amd64')],
  ]);
  await request('DELETE', '/images/example/app:1');
  assert.deepEqual((await stateOf(store)).blobs, closureOf(built.blobs, other.of('linux/amd64')).toSorted());
});

test('removes the content of platforms from 1.50, with force', async (t) => {
  const { request, store, built } = await engineWithExample(t, { built: example({ attestations: true }) });
  const query = `${platformQuery('linux/arm64', 'platforms')}&${platformQuery('linux/arm/v7', 'platforms')}`;
  const answer = await request('DELETE', `/v1.50/images/example/app:1?force=1&${query}`);
  assert.deepEqual(bodyOf(answer), [
    { Deleted: built.of('linux/arm64').digest },
    { Deleted: built.of('linux/arm/v7').digest },
  ]);
  const attestation = built.attestations.get('linux/amd64');
  assert.ok(attestation);
  const left = [
    built.root.digest,
    ...closureOf(built.blobs, built.of('linux/amd64')),
    ...closureOf(built.blobs, attestation),
  ];
  assert.deepEqual((await stateOf(store)).blobs, left.toSorted());
  assert.deepEqual(await namesOf(store), ['docker.io/example/app:1']);
});

test('refuses to remove platforms without force', async (t) => {
  const { request, store, built } = await engineWithExample(t);
  const url = `/v1.52/images/example/app:1?${platformQuery('linux/arm64', 'platforms')}`;
  assertRefused(await request('DELETE', url), 400, /must be forced/);
  assert.equal((await stateOf(store)).blobs.length, built.blobs.size);
});

test('ignores platforms of a removal below 1.50', async (t) => {
  const { request, store } = await engineWithExample(t);
  const url = `/v1.49/images/example/app:1?${platformQuery('linux/arm64', 'platforms')}`;
  assert.equal((await request('DELETE', url)).status, 200);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

test('refuses to remove missing platforms, the last ones, and malformed platforms', async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const { request, store } = await engineWithExample(t, { built });
  const remove = async (query: string) => await request('DELETE', `/images/example/app:1?force=1&${query}`);
  const before = await stateOf(store);
  assertRefused(await remove(platformQuery('linux/s390x', 'platforms')), 404, /linux\/s390x/);
  assertRefused(await remove(platformQuery('linux/arm64', 'platforms')), 404, /linux\/arm64/);
  assertRefused(
    await remove(
      PLATFORMS.filter((platform) => platform !== 'linux/arm64')
        .map((platform) => platformQuery(platform, 'platforms'))
        .join('&'),
    ),
    400,
    /without any platform/,
  );
  assertRefused(await remove('platforms=x'), 400, /^failed to parse platform/);
  assert.deepEqual(await stateOf(store), before);
});

test('records edits in the audit, also refused ones', async (t) => {
  const { request, audit, built } = await engineWithExample(t, { now: () => 0 });
  await request('POST', '/images/example/app:1/tag?repo=other');
  await request('DELETE', '/images/other');
  await request('DELETE', '/images/none');
  const [name, { digest }] = ['docker.io/library/other:latest', built.root];
  assert.deepEqual(
    audit.map(({ action, names, digests, moved, code }) => ({ action, names, digests, moved, code })),
    [
      {
        action: 'tag',
        names: ['example/app:1', 'other'],
        digests: [digest],
        moved: [{ name, to: digest }],
        code: 'OK',
      },
      { action: 'delete', names: ['other'], digests: [digest], moved: [{ name, from: digest }], code: 'OK' },
      { action: 'delete', names: ['none'], digests: undefined, moved: undefined, code: 'ERR_IMAGE_UNKNOWN' },
    ],
  );
});
