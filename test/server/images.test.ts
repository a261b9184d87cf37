import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BlobSet, closureOf, removeLayers } from '../fixtures/blob-set.js';
import { assertRefused, bodyOf, engineWith, engineWithExample, filtersQuery } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';
import { buildManifest } from '../fixtures/manifest-builder.js';

interface Summary {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Size: number;
  readonly [key: string]: unknown;
}

const CREATED = Date.parse('2020-01-02T03:04:05Z') / 1000;

test('lists nothing for an empty store', async (t) => {
  const { request } = await startEngine(t);
  assert.deepEqual(bodyOf(await request('GET', '/images/json')), []);
});

test('lists an image once with all of its names', async (t) => {
  const names = ['example/app:1', 'example/app:2', 'localhost:5000/app:latest'];
  const { request, built } = await engineWithExample(t, { names });
  const [summary, ...more] = bodyOf(await request('GET', '/v1.52/images/json')) as readonly Summary[];
  assert.deepEqual(more, []);
  const { digest, size, mediaType } = built.root;
  const bytes = closureOf(built.blobs, built.root).reduce((sum, blob) => sum + built.blobs.bytes(blob).length, 0);
  assert.deepEqual(summary, {
    Id: digest,
    ParentId: '',
    RepoTags: names,
    RepoDigests: [`example/app@${digest}`, `localhost:5000/app@${digest}`],
    Created: CREATED,
    Size: bytes,
    SharedSize: -1,
    Labels: { 'example.platform': 'linux/amd64' },
    Containers: 0,
    Descriptor: { mediaType, digest, size },
  });
});

for (const [minor, fields] of [
  [24, { VirtualSize: true, Containers: -1, Descriptor: false, none: true }],
  [42, { VirtualSize: true, Containers: -1, Descriptor: false, none: true }],
  [43, { VirtualSize: true, Containers: -1, Descriptor: false, none: false }],
  [44, { VirtualSize: false, Containers: -1, Descriptor: false, none: false }],
  [47, { VirtualSize: false, Containers: -1, Descriptor: false, none: false }],
  [48, { VirtualSize: false, Containers: -1, Descriptor: true, none: false }],
  [50, { VirtualSize: false, Containers: -1, Descriptor: true, none: false }],
  [51, { VirtualSize: false, Containers: 0, Descriptor: true, none: false }],
  [52, { VirtualSize: false, Containers: 0, Descriptor: true, none: false }],
] as const) {
  test(`lists in the shape of 1.${minor}`, async (t) => {
    const { request } = await engineWithExample(t, { names: [''] });
    const [summary] = bodyOf(await request('GET', `/v1.${minor}/images/json`)) as readonly Summary[];
    assert.ok(summary);
    assert.equal('VirtualSize' in summary && summary['VirtualSize'] === summary.Size, fields.VirtualSize);
    assert.equal(summary['Containers'], fields.Containers);
    assert.equal('Descriptor' in summary, fields.Descriptor);
    assert.deepEqual(summary.RepoTags, fields.none ? ['<none>:<none>'] : []);
    assert.deepEqual(summary.RepoDigests, fields.none ? ['<none>@<none>'] : []);
    assert.equal(summary['SharedSize'], -1);
    assert.equal('Manifests' in summary, false);
  });
}

test('lists the newest image first', async (t) => {
  const blobs = new BlobSet();
  const years = [2021, 2023, 2022];
  const roots = years.map((year) =>
    buildManifest(blobs, {
      seed: year,
      platform: 'linux/amd64',
      configExtra: { created: `${year}-01-01T00:00:00Z` },
    }),
  );
  const { request } = await engineWith(
    t,
    blobs,
    roots.map((root, at) => [`app:${years[at]}`, root]),
  );
  const listed = bodyOf(await request('GET', '/images/json')) as readonly Summary[];
  assert.deepEqual(
    listed.flatMap(({ RepoTags }) => RepoTags),
    ['app:2023', 'app:2022', 'app:2021'],
  );
});

test('counts only the blobs that are here of a partial image', async (t) => {
  const built = example();
  const whole = built.blobs.size;
  removeLayers(built.blobs, built.of('linux/arm64'));
  assert.ok(built.blobs.size < whole);
  const { request } = await engineWithExample(t, { built });
  const [summary] = bodyOf(await request('GET', '/images/json')) as readonly Summary[];
  const bytes = [...built.blobs.values()].reduce((sum, { length }) => sum + length, 0);
  assert.equal(summary?.Size, bytes);
});

for (const [query, from] of [
  ['all=1', 'all'],
  ['digests=1', 'digests'],
  ['shared-size=1', 'shared-size'],
  ['all=0&digests=false', 'both'],
  ['whatever=1', 'an unknown parameter'],
]) {
  test(`lists the same with ${from}`, async (t) => {
    const { request } = await engineWithExample(t);
    assert.equal((await request('GET', `/images/json?${query}`)).text, (await request('GET', '/images/json')).text);
  });
}

/** Images of three years with names and labels, one of them unnamed, and those that pass a filter. */
async function listedBy(t: Parameters<typeof engineWith>[0], filters: unknown): Promise<readonly string[]> {
  const blobs = new BlobSet();
  const root = (year: number, Labels: object) =>
    buildManifest(blobs, {
      seed: year,
      platform: 'linux/amd64',
      configExtra: { created: `${year}-01-01T00:00:00Z`, config: { Labels } },
    });
  const { request } = await engineWith(t, blobs, [
    ['app:old', root(2021, { team: 'a', '=': 'x=y' })],
    ['example/app:new', root(2023, { team: 'b' })],
    ['localhost:5000/a/b:1', root(2022, {})],
    ['', root(2020, { team: 'a' })],
  ]);
  const listed = bodyOf(await request('GET', `/images/json?${filtersQuery(filters)}`)) as readonly Summary[];
  return listed.map(({ RepoTags }) => RepoTags[0] ?? 'unnamed').toSorted();
}

const FILTERED: readonly (readonly [filters: unknown, left: readonly string[]])[] = [
  [{}, ['app:old', 'example/app:new', 'localhost:5000/a/b:1', 'unnamed']],
  [{ dangling: { true: true } }, ['unnamed']],
  [{ dangling: ['true'] }, ['unnamed']],
  [{ dangling: ['1'] }, ['unnamed']],
  [{ dangling: { false: true } }, ['app:old', 'example/app:new', 'localhost:5000/a/b:1']],
  [{ dangling: { true: false } }, ['app:old', 'example/app:new', 'localhost:5000/a/b:1', 'unnamed']],
  [{ reference: { app: true } }, ['app:old']],
  [{ reference: ['app'] }, ['app:old']],
  [{ reference: ['app:old'] }, ['app:old']],
  [{ reference: ['docker.io/library/app:old'] }, ['app:old']],
  [{ reference: ['docker.io/library/app'] }, ['app:old']],
  [{ reference: ['docker.io/library/app:*'] }, ['app:old']],
  [{ reference: ['docker.io/library/*'] }, ['app:old']],
  [{ reference: ['docker.io/example/app'] }, ['example/app:new']],
  [{ reference: ['docker.io/*/app:new'] }, ['example/app:new']],
  [{ reference: ['docker.io/*'] }, []],
  [{ reference: ['library/app'] }, []],
  [{ reference: ['app:*'] }, ['app:old']],
  [{ reference: ['*'] }, ['app:old']],
  [{ reference: ['*/*'] }, ['example/app:new']],
  [{ reference: ['*/app'] }, ['example/app:new']],
  [{ reference: ['localhost:5000/*/b'] }, ['localhost:5000/a/b:1']],
  [{ reference: ['a??:ol[a-d]'] }, ['app:old']],
  [{ reference: ['app', 'example/app'] }, ['app:old', 'example/app:new']],
  [{ label: ['team'] }, ['app:old', 'example/app:new', 'unnamed']],
  [{ label: ['team=a'] }, ['app:old', 'unnamed']],
  [{ label: ['team', 'team=b'] }, ['example/app:new']],
  [{ label: ['==x=y'] }, []],
  [{ label: ['none'] }, []],
  [{ 'label!': ['team'] }, ['localhost:5000/a/b:1']],
  [{ 'label!': ['team=a'] }, ['example/app:new', 'localhost:5000/a/b:1']],
  [{ 'label!': { 'team=a': true, 'team=b': true } }, ['localhost:5000/a/b:1']],
  [{ label: ['team'], 'label!': ['team=a'] }, ['example/app:new']],
  [{ 'label!': ['none'] }, ['app:old', 'example/app:new', 'localhost:5000/a/b:1', 'unnamed']],
  [{ label: ['team=a'], dangling: ['false'] }, ['app:old']],
  [{ before: ['localhost:5000/a/b:1'] }, ['app:old', 'unnamed']],
  [{ since: ['localhost:5000/a/b:1'] }, ['example/app:new']],
  [{ before: ['example/app:new'], since: ['app:old'] }, ['localhost:5000/a/b:1']],
  // Nobody knows when these came to the store, which counts as just now (until.test.ts).
  [{ until: ['2021-06-01T00:00:00Z'] }, []],
  [{ until: ['1h'] }, []],
];

for (const [filters, left] of FILTERED) {
  test(`filters ${JSON.stringify(filters)}`, async (t) => {
    assert.deepEqual(await listedBy(t, filters), left);
  });
}

for (const [minor, query, has] of [
  [53, 'identity=1', false],
  [54, 'identity=1', true],
  [55, 'identity=true', true],
  [54, 'identity=0', false],
  [54, 'identity=0&manifests=1', true],
] as const) {
  test(`lists manifests with ${query} in 1.${minor}: ${has}`, async (t) => {
    const { request } = await engineWithExample(t);
    const [summary] = bodyOf(await request('GET', `/v1.${minor}/images/json?${query}`)) as readonly Summary[];
    assert.ok(summary);
    assert.equal('Manifests' in summary, has);
  });
}

for (const [query, status] of [
  ['filters=', 200],
  ['filters=null', 400],
  ['filters=1', 400],
  ['filters=[]', 400],
  ['filters={', 400],
  ['filters={"unknown":["1"]}', 400],
  ['filters={"dangling":["maybe"]}', 400],
  ['filters={"dangling":["true","false"]}', 400],
  ['filters={"dangling":"true"}', 400],
  ['filters={"dangling":[1]}', 400],
  ['filters={"reference":["["]}', 400],
  ['filters={"reference":["a\\\\"]}', 400],
  ['filters={"until":["soon"]}', 400],
  [`filters=${JSON.stringify({ reference: ['?'.repeat(9000)] })}`, 400],
  [`filters=${JSON.stringify({ reference: Array.from({ length: 1100 }, (_, at) => `a${at}`) })}`, 400],
  [`filters=${JSON.stringify({ since: Array.from({ length: 101 }, () => 'example/app:1') })}`, 400],
  [
    `filters=${JSON.stringify({ label: Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`a${at}`, true])) })}`,
    400,
  ],
  ['filters={"before":["none"]}', 404],
  ['filters={"since":["Bad//Name"]}', 400],
] as const) {
  test(`answers ${status} to ${query.slice(0, 80)}`, async (t) => {
    const { request } = await engineWithExample(t);
    const answer = await request('GET', `/images/json?${encodeURI(query)}`);
    if (status === 200) assert.equal((bodyOf(answer) as readonly unknown[]).length, 1);
    else assertRefused(answer, status, /./);
  });
}

test('shows only the names of an image that pass a reference filter', async (t) => {
  const { request, built } = await engineWithExample(t, { names: ['example/app:1', 'other:1'] });
  const [summary] = bodyOf(
    await request('GET', `/images/json?${filtersQuery({ reference: ['other'] })}`),
  ) as readonly Summary[];
  assert.deepEqual(summary?.RepoTags, ['other:1']);
  assert.deepEqual(summary?.RepoDigests, [`other@${built.root.digest}`]);
});
