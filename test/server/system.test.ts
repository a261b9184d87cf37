import assert from 'node:assert/strict';
import { test } from 'node:test';
import { closureOf } from '../fixtures/blob-set.js';
import { assertRefused, bodyOf, engineWith, engineWithExample } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';

type Fields = Readonly<Record<string, unknown>>;

test('has the versions that the docker command prints', async (t) => {
  const { request } = await startEngine(t);
  const version = bodyOf(await request('GET', '/v1.52/version')) as Fields & {
    readonly Components: readonly { readonly Name: string; readonly Version: string; readonly Details: Fields }[];
  };
  assert.deepEqual([version['ApiVersion'], version['MinAPIVersion']], ['1.55', '1.24']);
  assert.match(String(version['Version']), /^\d+\.\d+\.\d+/);
  assert.deepEqual(version['Platform'], { Name: 'Lading' });
  const [engine] = version.Components;
  assert.deepEqual([engine?.Name, engine?.Version], ['Engine', version['Version']]);
  for (const field of ['ApiVersion', 'MinAPIVersion', 'Os', 'Arch', 'GitCommit', 'GoVersion', 'KernelVersion'])
    assert.equal(engine?.Details[field], version[field], field);
});

test('describes itself so that the docker command does not warn about the kernel', async (t) => {
  const { request } = await engineWithExample(t);
  const info = bodyOf(await request('GET', '/v1.52/info')) as Fields;
  assert.deepEqual([info['Images'], info['Containers'], info['OSType']], [1, 0, 'linux']);
  assert.deepEqual(info['Swarm'] && (info['Swarm'] as Fields)['LocalNodeState'], 'inactive');
  assert.ok(Array.isArray(info['SecurityOptions']) && Array.isArray(info['Warnings']));
  for (const field of ['MemoryLimit', 'SwapLimit', 'CPUShares', 'CPUSet', 'IPv4Forwarding', 'PidsLimit'])
    assert.equal(info[field], true, field);
});

test('has the old bridge fields only below 1.50', async (t) => {
  const { request } = await startEngine(t);
  for (const [minor, has] of [
    [49, true],
    [50, false],
  ] as const)
    assert.equal('BridgeNfIptables' in (bodyOf(await request('GET', `/v1.${minor}/info`)) as Fields), has);
});

const NOTHING = { ActiveCount: 0, TotalCount: 0, Reclaimable: 0, TotalSize: 0 };

/** Two images that share everything of linux/amd64; the larger one has no name. */
async function startUsed(t: Parameters<typeof engineWith>[0]) {
  const built = example();
  const named = built.of('linux/amd64');
  const engine = await engineWith(t, built.blobs, [
    ['app:1', named],
    ['', built.root],
  ]);
  const bytes = (of: typeof named) =>
    closureOf(built.blobs, of).reduce((sum, digest) => sum + built.blobs.bytes(digest).length, 0);
  return { ...engine, total: bytes(built.root), reclaimable: bytes(built.root) - bytes(named) };
}

test('counts each blob once, and as reclaimable those that only unnamed images need', async (t) => {
  const { request, total, reclaimable } = await startUsed(t);
  const usage = bodyOf(await request('GET', '/v1.52/system/df')) as Fields;
  assert.deepEqual(usage['ImageUsage'], {
    ActiveCount: 0,
    TotalCount: 2,
    Reclaimable: reclaimable,
    TotalSize: total,
  });
  for (const kind of ['ContainerUsage', 'VolumeUsage', 'BuildCacheUsage']) assert.deepEqual(usage[kind], NOTHING);
});

for (const [minor, query, fields] of [
  [24, '', ['LayersSize', 'Images', 'Containers', 'Volumes', 'BuildCache', 'BuilderSize']],
  [41, '', ['LayersSize', 'Images', 'Containers', 'Volumes', 'BuildCache', 'BuilderSize']],
  [42, '', ['LayersSize', 'Images', 'Containers', 'Volumes', 'BuildCache']],
  [51, '?verbose=1', ['LayersSize', 'Images', 'Containers', 'Volumes', 'BuildCache']],
  [41, '?type=image', ['LayersSize', 'Images', 'Containers', 'Volumes', 'BuildCache', 'BuilderSize']],
  [42, '?type=image', ['LayersSize', 'Images']],
  [51, '?type=image&type=volume', ['LayersSize', 'Images', 'Volumes']],
  [
    52,
    '',
    [
      'ImageUsage',
      'ContainerUsage',
      'VolumeUsage',
      'BuildCacheUsage',
      'LayersSize',
      'Images',
      'Containers',
      'Volumes',
      'BuildCache',
    ],
  ],
  [52, '?verbose=1', ['ImageUsage', 'ContainerUsage', 'VolumeUsage', 'BuildCacheUsage']],
  [52, '?type=image', ['ImageUsage', 'LayersSize', 'Images']],
  [52, '?type=container&verbose=1', ['ContainerUsage']],
  [52, '?type=build-cache&verbose=1', ['BuildCacheUsage']],
] as const) {
  test(`has the fields of 1.${minor} for df${query}`, async (t) => {
    const { request } = await startUsed(t);
    const usage = bodyOf(await request('GET', `/v1.${minor}/system/df${query}`)) as Fields;
    assert.deepEqual(new Set(Object.keys(usage)), new Set(fields));
  });
}

test('lists images in a verbose df', async (t) => {
  const { request } = await startUsed(t);
  const usage = bodyOf(await request('GET', '/v1.52/system/df?verbose=1')) as {
    ImageUsage: { Items: readonly Fields[] };
  };
  const listed = bodyOf(await request('GET', '/v1.52/images/json')) as readonly Fields[];
  assert.deepEqual(new Set(usage.ImageUsage.Items.map((item) => item['Id'])), new Set(listed.map(({ Id }) => Id)));
  const old = bodyOf(await request('GET', '/v1.43/system/df')) as { Images: readonly Fields[]; LayersSize: number };
  assert.equal(old.Images.length, 2);
  assert.ok(old.Images.every(({ VirtualSize, Size }) => VirtualSize === Size));
});

test('refuses a df of an unknown type', async (t) => {
  const { request } = await startEngine(t);
  assertRefused(await request('GET', '/system/df?type=pod'), 400, 'unknown object type: pod');
});

test('is alive and ready, also without a version in the path', async (t) => {
  const { request } = await startEngine(t);
  for (const probe of ['/livez', '/readyz']) {
    const { status, text } = await request('GET', probe);
    assert.deepEqual([status, text], [200, 'ok\n']);
  }
});
