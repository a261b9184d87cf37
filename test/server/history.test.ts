import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { bodyOf, engineWith, engineWithExample, platformQuery } from '../fixtures/engine-store.js';
import { example } from '../fixtures/example.js';

interface Step {
  readonly Id: string;
  readonly CreatedBy: string;
  readonly Size: number;
  readonly Tags: readonly string[] | null;
}

const HISTORY = [
  { created: '2020-01-01T00:00:00Z', created_by: 'ADD base' },
  { created: '2020-01-02T00:00:00Z', created_by: 'ENV a=b', empty_layer: true },
  { created: '2020-01-03T00:00:00.9Z', created_by: 'RUN make', comment: 'buildkit' },
];

test('lists the steps newest first, with the bytes of their stored layers', async (t) => {
  const { request, built } = await engineWithExample(t, { built: example({ configExtra: { history: HISTORY } }) });
  const [base, top] = built.blobs.links(built.of('linux/amd64').digest).layers ?? [];
  const missing = { Id: '<missing>', Tags: null, Comment: '' };
  assert.deepEqual(bodyOf(await request('GET', '/v1.52/images/example/app:1/history')), [
    {
      Id: built.root.digest,
      Created: 1_578_009_600,
      CreatedBy: 'RUN make',
      Tags: ['example/app:1'],
      Size: top?.size,
      Comment: 'buildkit',
    },
    { ...missing, Created: 1_577_923_200, CreatedBy: 'ENV a=b', Size: 0 },
    { ...missing, Created: 1_577_836_800, CreatedBy: 'ADD base', Size: base?.size },
  ]);
});

test('lists the steps of the requested platform, from 1.48', async (t) => {
  const { request, built } = await engineWithExample(t);
  const size = (platform: string) => built.blobs.links(built.of(platform).digest).layers?.at(-1)?.size;
  const at = async (minor: number) => {
    const url = `/v1.${minor}/images/example/app:1/history?${platformQuery('linux/arm64')}`;
    return (bodyOf(await request('GET', url)) as readonly Step[])[0]?.Size;
  };
  assert.deepEqual([await at(48), await at(47)], [size('linux/arm64'), size('linux/amd64')]);
});

for (const history of [undefined, null, 'text', [null, 5, {}], [{ created: 1, created_by: [], comment: {} }]]) {
  test(`accepts a history of ${JSON.stringify(history) ?? 'nothing'}`, async (t) => {
    const { request } = await engineWithExample(t, { built: example({ configExtra: { history } }) });
    const steps = bodyOf(await request('GET', '/images/example/app:1/history')) as readonly Step[];
    assert.equal(steps.length, Array.isArray(history) ? 1 : 0);
    assert.ok(steps.every(({ CreatedBy }) => CreatedBy === ''));
  });
}

test('lists no steps of an artifact', async (t) => {
  const blobs = new BlobSet();
  const root = buildArtifact(blobs, { seed: 'chart', artifactType: 'application/vnd.example.chart' });
  const { request } = await engineWith(t, blobs, [['chart:1', root]]);
  assert.equal((await request('GET', '/images/chart:1/history')).status, 404);
});
