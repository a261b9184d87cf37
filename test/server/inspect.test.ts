import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { BlobSet, removeLayers } from '../fixtures/blob-set.js';
import { assertRefused, bodyOf, engineWith, engineWithExample, platformQuery } from '../fixtures/engine-store.js';
import { example, PLATFORMS } from '../fixtures/example.js';
import { buildManifest } from '../fixtures/manifest-builder.js';

type Inspected = Readonly<Record<string, unknown>>;

/** The example image as an API version shows it. */
async function inspectedIn(t: Parameters<typeof engineWith>[0], minor: number, names = ['app:1']): Promise<Inspected> {
  const built = example({ configExtra: { author: 'somebody', docker_version: '20.10' } });
  const { request } = await engineWithExample(t, { built, names });
  return bodyOf(await request('GET', `/v1.${minor}/images/${built.root.digest}/json`)) as Inspected;
}

test('shows the platform that suits the host', async (t) => {
  const { request, built } = await engineWithExample(t);
  const { mediaType, digest, size } = built.root;
  const shown = built.of('linux/amd64');
  const { config, layers = [] } = built.blobs.links(shown.digest);
  assert.ok(config);
  const bytes = [shown, config, ...layers].reduce((sum, part) => sum + part.size, 0);
  const { rootfs } = built.blobs.json(config.digest) as { rootfs: { diff_ids: readonly string[] } };
  assert.deepEqual(bodyOf(await request('GET', '/v1.52/images/example/app:1/json')), {
    Id: digest,
    RepoTags: ['example/app:1'],
    RepoDigests: [`example/app@${digest}`],
    Created: '2020-01-02T03:04:05Z',
    Config: { Env: ['PATH=/bin'], Entrypoint: ['/bin/app'], Labels: { 'example.platform': 'linux/amd64' } },
    Architecture: 'amd64',
    Os: 'linux',
    Size: bytes,
    RootFS: { Type: 'layers', Layers: rootfs.diff_ids },
    Metadata: { LastTagTime: '0001-01-01T00:00:00Z' },
    Descriptor: { mediaType, digest, size },
  });
});

test('never has null for names', async (t) => {
  for (const minor of [24, 42, 52]) {
    const { RepoTags, RepoDigests } = await inspectedIn(t, minor, ['']);
    assert.deepEqual([RepoTags, RepoDigests], [[], []]);
  }
});

for (const [minor, fields] of [
  [24, ['Container', 'ContainerConfig', 'VirtualSize', 'GraphDriver', 'Parent', 'Comment', 'DockerVersion', 'Author']],
  [43, ['Container', 'ContainerConfig', 'VirtualSize', 'GraphDriver', 'Parent', 'Comment', 'DockerVersion', 'Author']],
  [44, ['Container', 'ContainerConfig', 'GraphDriver', 'Parent', 'Comment', 'DockerVersion', 'Author']],
  [45, ['GraphDriver', 'Parent', 'Comment', 'DockerVersion', 'Author']],
  [47, ['GraphDriver', 'Parent', 'Comment', 'DockerVersion', 'Author']],
  [48, ['GraphDriver', 'Parent', 'Comment', 'DockerVersion', 'Author', 'Descriptor']],
  [51, ['GraphDriver', 'Parent', 'Comment', 'DockerVersion', 'Author', 'Descriptor']],
  [52, ['DockerVersion', 'Author', 'Descriptor']],
] as const) {
  test(`inspects in the shape of 1.${minor}`, async (t) => {
    const image = await inspectedIn(t, minor);
    const steps = [
      'Container',
      'ContainerConfig',
      'VirtualSize',
      'GraphDriver',
      'Parent',
      'Comment',
      'DockerVersion',
      'Author',
      'Descriptor',
    ];
    assert.deepEqual(new Set(steps.filter((field) => field in image)), new Set(fields));
    assert.equal(image['Author'], 'somebody');
    assert.equal(image['DockerVersion'], '20.10');
    if (minor < 44) assert.equal(image['VirtualSize'], image['Size']);
  });
}

test('has all zero values of Config below 1.50, some below 1.52, and none from there', async (t) => {
  const { Config: old } = await inspectedIn(t, 49);
  const { Config: young } = await inspectedIn(t, 50);
  const set = { Env: ['PATH=/bin'], Entrypoint: ['/bin/app'], Labels: { 'example.platform': 'linux/amd64' } };
  assert.deepEqual((await inspectedIn(t, 52))['Config'], set);
  assert.deepEqual(young, { ...set, Cmd: null, OnBuild: null, User: '', Volumes: null, WorkingDir: '' });
  assert.deepEqual((await inspectedIn(t, 51))['Config'], young);
  assert.deepEqual(old, {
    ...young,
    Hostname: '',
    Domainname: '',
    User: '',
    AttachStdin: false,
    AttachStdout: false,
    AttachStderr: false,
    Tty: false,
    OpenStdin: false,
    StdinOnce: false,
    Cmd: null,
    Image: '',
    Volumes: null,
    WorkingDir: '',
    OnBuild: null,
  });
});

const EMPTY: Readonly<Record<string, unknown>> = {
  Cmd: null,
  Entrypoint: [],
  Env: null,
  Labels: {},
  OnBuild: null,
  User: '',
  Volumes: null,
  WorkingDir: '',
  ExposedPorts: {},
  StopSignal: '',
  Shell: null,
  ArgsEscaped: false,
};

test('omits empty fields of Config from 1.52, also where the config has null', async (t) => {
  const built = example({ configExtra: { config: { ...EMPTY, Env: ['A=', ''], StopSignal: 'SIGINT' } } });
  const { request } = await engineWithExample(t, { built });
  const at = async (minor: number) =>
    (bodyOf(await request('GET', `/v1.${minor}/images/example/app:1/json`)) as Inspected)['Config'];
  assert.deepEqual(await at(52), { Env: ['A=', ''], StopSignal: 'SIGINT' });
  assert.deepEqual(await at(51), { ...EMPTY, Env: ['A=', ''], StopSignal: 'SIGINT' });
});

for (const config of [{}, EMPTY]) {
  test(`has an empty Config from 1.52 for ${Object.keys(config).length} empty fields`, async (t) => {
    const { request } = await engineWithExample(t, { built: example({ configExtra: { config } }) });
    const image = bodyOf(await request('GET', '/v1.52/images/example/app:1/json')) as Inspected;
    assert.deepEqual(image['Config'], {});
  });
}

test("has Created in the Engine's form in every version", async (t) => {
  const built = example({ configExtra: { created: '2020-01-02T03:04:05.120000000Z' } });
  const { request } = await engineWithExample(t, { built });
  for (const minor of [24, 44, 52]) {
    const image = bodyOf(await request('GET', `/v1.${minor}/images/example/app:1/json`)) as Inspected;
    assert.equal(image['Created'], '2020-01-02T03:04:05.12Z');
  }
});

test('has Created of an image without a date only up to 1.43, as the zero time', async (t) => {
  const built = example({ configExtra: { created: undefined } });
  const { request } = await engineWithExample(t, { built });
  const at = async (minor: number) =>
    bodyOf(await request('GET', `/v1.${minor}/images/example/app:1/json`)) as Inspected;
  assert.equal((await at(43))['Created'], '0001-01-01T00:00:00Z');
  assert.equal('Created' in (await at(44)), false);
});

test('shows the requested platform as an image of its own, from 1.49', async (t) => {
  const { request, built } = await engineWithExample(t);
  for (const platform of PLATFORMS) {
    const url = `images/example/app:1/json?${platformQuery(platform)}`;
    const image = bodyOf(await request('GET', `/v1.49/${url}`)) as Inspected;
    const [, architecture, variant] = platform.split('/');
    assert.equal(image['Id'], built.of(platform).digest);
    assert.deepEqual(image['Descriptor'], built.of(platform));
    assert.deepEqual([image['Architecture'], image['Variant']], [architecture, variant]);
    assert.equal((bodyOf(await request('GET', `/v1.48/${url}`)) as Inspected)['Id'], built.root.digest);
  }
});

test('shows another host its own platform', async (t) => {
  const { request, built } = await engineWithExample(t, { hostPlatform: { os: 'linux', architecture: 'arm64' } });
  const image = bodyOf(await request('GET', '/images/example/app:1/json')) as Inspected;
  assert.deepEqual([image['Id'], image['Architecture']], [built.root.digest, 'arm64']);
});

test("shows a complete platform if the host's own is incomplete", async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/amd64'));
  const { request } = await engineWithExample(t, { built });
  assert.equal((bodyOf(await request('GET', '/images/example/app:1/json')) as Inspected)['Architecture'], 'arm64');
});

test('shows an image without a complete platform, with empty fields', async (t) => {
  const built = example();
  for (const platform of PLATFORMS) removeLayers(built.blobs, built.of(platform));
  const { request } = await engineWithExample(t, { built });
  const image = bodyOf(await request('GET', '/images/example/app:1/json')) as Inspected;
  assert.deepEqual([image['Id'], image['Architecture'], image['Os']], [built.root.digest, '', '']);
  assertRefused(await request('GET', '/images/example/app:1/history'), 404, /complete/);
});

test('refuses a platform that the image lacks or has only in part', async (t) => {
  const built = example();
  removeLayers(built.blobs, built.of('linux/arm64'));
  const { request } = await engineWithExample(t, { built });
  for (const platform of ['linux/s390x', 'linux/arm64', 'linux/arm/v6']) {
    const message = `image with reference example/app:1 was found but does not provide the specified platform (${platform})`;
    for (const what of ['json', 'history']) {
      const answer = await request('GET', `/v1.52/images/example/app:1/${what}?${platformQuery(platform)}`);
      assertRefused(answer, 404, message);
    }
  }
});

test('refuses manifests and platform together', async (t) => {
  const { request } = await engineWithExample(t);
  const url = `/v1.52/images/example/app:1/json?manifests=1&${platformQuery('linux/amd64')}`;
  assertRefused(
    await request('GET', url),
    400,
    'conflicting options: manifests and platform options cannot both be set',
  );
});

for (const [text, message] of [
  ['linux', /^failed to parse platform: /],
  ['[]', /^failed to parse platform: /],
  ['null', /^failed to parse platform: /],
  ['{}', 'both OS and Architecture must be provided'],
  ['{"os":"linux"}', 'both OS and Architecture must be provided'],
  ['{"architecture":"arm64"}', 'both OS and Architecture must be provided'],
] as const) {
  test(`refuses the platform ${text}`, async (t) => {
    const { request } = await engineWithExample(t);
    for (const what of ['json', 'history', 'get']) {
      const url = `/v1.52/images/example/app:1/${what}?platform=${encodeURIComponent(text)}`;
      assertRefused(await request('GET', url), 400, message);
    }
    assertRefused(await request('POST', `/images/load?platform=${encodeURIComponent(text)}`), 400, message);
  });
}

test('treats an empty platform as none', async (t) => {
  const { request, built } = await engineWithExample(t);
  const image = bodyOf(await request('GET', '/images/example/app:1/json?platform=&manifests=1')) as Inspected;
  assert.equal(image['Id'], built.root.digest);
  assert.equal((await request('GET', '/images/example/app:1/history?platform=')).status, 200);
});

test('inspects an artifact, which has no config of an image', async (t) => {
  const blobs = new BlobSet();
  const root = buildArtifact(blobs, { seed: 'chart', artifactType: 'application/vnd.example.chart' });
  const { request } = await engineWith(t, blobs, [['example/chart:1', root]]);
  const image = bodyOf(await request('GET', '/images/example/chart:1/json')) as Inspected;
  assert.deepEqual([image['Id'], image['Os'], image['RootFS']], [root.digest, '', { Type: 'layers', Layers: [] }]);
});

test('inspects an image without an index', async (t) => {
  const blobs = new BlobSet();
  const root = buildManifest(blobs, { seed: 'one', platform: 'windows(10.0.17763.1)/amd64' });
  const { request } = await engineWith(t, blobs, [['example/one:1', root]]);
  const image = bodyOf(await request('GET', '/images/example/one:1/json')) as Inspected;
  assert.deepEqual([image['Id'], image['Os'], image['OsVersion']], [root.digest, 'windows', '10.0.17763.1']);
});
