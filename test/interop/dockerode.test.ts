import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import Docker from 'dockerode';
import { digestOf } from '../../src/model/digest.js';
import { hostPlatform } from '../../src/survey/host-platform.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { lading, requireTool } from '../fixtures/command.js';
import { requestOver } from '../fixtures/engine.js';
import { example, FAMILIAR, PLATFORMS, type Example } from '../fixtures/example.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { rowsOf } from './docker.js';
import { LineLog } from './line-log.js';
import { startServe, type Served } from './serve-command.js';
import { startTlsServe } from './serve-tls.js';
import { blobsOf, onlyImageOf, sortedClosure, statesOf } from './workspace.js';

interface Bench extends Served {
  readonly docker: Docker;
  readonly built: Example;
  readonly archive: string;
}

async function bench(t: TestContext, { loaded = true, version = 'v1.52' } = {}): Promise<Bench> {
  const served = await startServe(t);
  const docker = new Docker({ socketPath: served.at('s'), version });
  const built = example({ attestations: true });
  const archive = served.at('in.tar');
  await writeFile(archive, await layoutArchive(built.images, built.blobs));
  if (loaded) assert.equal(await streamOf(docker.loadImage(archive)), `Loaded image: ${FAMILIAR}\n`);
  return { ...served, docker, built, archive };
}

/** The output of a load as one text. */
async function streamOf(answer: Promise<NodeJS.ReadableStream>): Promise<string> {
  const lines = rowsOf<{ readonly stream?: string }>(String(await readAll(await answer)));
  return lines.map(({ stream = '' }) => stream).join('');
}

async function readAll(stream: NodeJS.ReadableStream): Promise<Buffer> {
  return await bytesOf(Readable.from(stream) as AsyncIterable<Buffer>);
}

/** A platform in the form of a query option. */
function queryOf(platform: string): string {
  const [os, architecture, variant] = platform.split('/');
  return JSON.stringify({ os, architecture, variant });
}

test('dockerode: ping, version and info say what the server is', async (t) => {
  const { docker } = await bench(t, { loaded: false });
  assert.equal(String(await docker.ping()), 'OK');
  const { ApiVersion, MinAPIVersion, Components } = await docker.version();
  assert.deepEqual({ ApiVersion, MinAPIVersion }, { ApiVersion: '1.55', MinAPIVersion: '1.24' });
  assert.equal(Components?.[0]?.Name, 'Engine');
  const { Images, Driver } = (await docker.info()) as { Images: number; Driver: string };
  assert.deepEqual({ Images, Driver }, { Images: 0, Driver: 'lading' });
});

test('dockerode: loadImage takes a file, a stream and several platforms', async (t) => {
  const { docker, archive, built, store } = await bench(t, { loaded: false });
  const wanted = ['linux/arm64', 'linux/arm/v7'];
  const loaded = docker.loadImage(archive, { platform: wanted.map(queryOf) });
  assert.equal(await streamOf(loaded), `Loaded image: ${FAMILIAR}\n`);
  const states = statesOf(await onlyImageOf(store));
  assert.deepEqual(states, { 'linux/amd64': 'missing', 'linux/arm64': 'complete', 'linux/arm/v7': 'complete' });
  const bytes = await readFile(archive);
  assert.equal(await streamOf(docker.loadImage(Readable.from([bytes]))), `Loaded image: ${FAMILIAR}\n`);
  assert.deepEqual(await blobsOf(store), sortedClosure(built.blobs, built.root));
});

test('dockerode: loadImage rejects with the reason, and refuses several platforms below API 1.52', async (t) => {
  const { docker, archive, at } = await bench(t, { loaded: false });
  await writeFile(at('cut.tar'), (await readFile(archive)).subarray(0, 20_000));
  await assert.rejects(docker.loadImage(at('cut.tar')), { statusCode: 400, message: /it was cut, fetch it again/ });
  const older = new Docker({ socketPath: at('s'), version: 'v1.51' });
  const several = { platform: ['linux/arm64', 'linux/amd64'].map(queryOf) };
  await assert.rejects(older.loadImage(archive, several), {
    statusCode: 400,
    message: /use API version 1\.52 or later/,
  });
  assert.deepEqual(await docker.listImages(), []);
});

test('dockerode: listImages filters, and lists manifests', async (t) => {
  const { docker, built } = await bench(t);
  const [image, ...others] = await docker.listImages({ manifests: true });
  assert.equal(others.length, 0);
  assert.deepEqual([image?.Id, image?.RepoTags], [built.root.digest, [FAMILIAR]]);
  const { Manifests } = image as unknown as { Manifests: { ID: string; Kind: string; Available: boolean }[] };
  const listed = Manifests.map(({ ID, Kind, Available }) => `${Kind} ${ID} ${Available}`);
  const images = [...built.manifests.values()].map(({ digest }) => `image ${digest} true`);
  const attestations = [...built.attestations.values()].map(({ digest }) => `attestation ${digest} true`);
  assert.deepEqual(listed.toSorted(), [...images, ...attestations].toSorted());
  const count = async (filters: Record<string, string[]>): Promise<number> =>
    (await docker.listImages({ filters })).length;
  assert.equal(await count({ reference: ['example/*'] }), 1);
  assert.equal(await count({ reference: ['other'] }), 0);
  assert.equal(await count({ dangling: ['true'] }), 0);
  await assert.rejects(docker.listImages({ filters: { unknown: ['x'] } }), {
    statusCode: 400,
    message: /invalid filter/,
  });
});

test('dockerode: an image is inspected, saved, tagged and removed', async (t) => {
  const { docker, built, store, at } = await bench(t);
  const image = docker.getImage(FAMILIAR);
  const { Id, Architecture, RepoTags } = await image.inspect();
  assert.deepEqual([Id, Architecture, RepoTags], [built.root.digest, hostPlatform().architecture, [FAMILIAR]]);
  assert.equal(((await image.history()) as unknown[]).length, 2);
  await lading(['save', '--store', store, '-o', at('lading.tar'), FAMILIAR]);
  assert.equal(digestOf(await readAll(await image.get())), digestOf(await readFile(at('lading.tar'))));
  await image.tag({ repo: 'localhost:5000/other', tag: '2' });
  const other = docker.getImage('localhost:5000/other:2');
  assert.equal((await other.inspect()).Id, built.root.digest);
  assert.deepEqual(await other.remove(), [{ Untagged: 'localhost:5000/other:2' }]);
  assert.deepEqual(await image.remove(), [{ Untagged: FAMILIAR }, { Deleted: built.root.digest }]);
  await assert.rejects(image.inspect(), { statusCode: 404, message: /No such image: example\/app:1/ });
});

test('dockerode: platforms of an image are saved and removed by query options', async (t) => {
  const { docker, built, store, at } = await bench(t);
  const wanted = ['linux/arm64', 'linux/arm/v7'];
  const query = ['', ...wanted.map((one) => encodeURIComponent(queryOf(one)))].join('&platform=');
  // dockerode has no options for a save.
  const { status, body } = await requestOver(
    { socketPath: at('s') },
    'GET',
    `/v1.52/images/get?names=${FAMILIAR}${query}`,
  );
  await lading(['save', '--store', store, '--platform', wanted.join(','), '-o', at('lading.tar'), FAMILIAR]);
  assert.deepEqual([status, digestOf(body)], [200, digestOf(await readFile(at('lading.tar')))]);
  const removed = await docker.getImage(FAMILIAR).remove({ platforms: wanted.map(queryOf), force: true });
  assert.deepEqual(
    removed,
    wanted.map((platform) => ({ Deleted: built.of(platform).digest })),
  );
});

test('dockerode: pruneImages and df report bytes', async (t) => {
  const { docker, at } = await bench(t);
  const { root, blobs, of } = example({ seed: 'unnamed' });
  await writeFile(at('unnamed.tar'), await layoutArchive([{ root }], blobs));
  assert.equal(await streamOf(docker.loadImage(at('unnamed.tar'))), `Loaded image ID: ${root.digest}\n`);
  const { ImageUsage, LayersSize } = (await docker.df()) as Record<string, Record<string, number>>;
  assert.equal(ImageUsage?.['TotalCount'], 2);
  assert.equal(ImageUsage['TotalSize'], LayersSize);
  const { ImagesDeleted, SpaceReclaimed } = await docker.pruneImages({ filters: { dangling: { true: true } } });
  const manifests = PLATFORMS.map((platform) => ({ Deleted: of(platform).digest }));
  assert.deepEqual(ImagesDeleted, [{ Untagged: root.digest }, { Deleted: root.digest }, ...manifests]);
  assert.equal(SpaceReclaimed, ImageUsage['Reclaimable']);
  await assert.rejects(docker.pruneImages({ filters: { dangling: ['false'] } }), {
    statusCode: 409,
    message: /prune -a/,
  });
});

for (const version of ['v1.41', 'v1.52']) {
  test(`dockerode: getEvents ${version} shows what happens`, async (t) => {
    const { docker } = await bench(t, { version });
    const events = await docker.getEvents({ filters: { event: ['tag', 'untag'] } });
    const log = new LineLog(events as Readable);
    await docker.getImage(FAMILIAR).tag({ repo: 'other', tag: '2' });
    await docker.getImage('other:2').remove();
    for (const expected of ['tag', 'untag']) {
      const [line] = await log.find(new RegExp(`^.*"Action":"${expected}".*$`));
      const { status, Actor } = JSON.parse(line) as { status?: string; Actor: { Attributes: { name: string } } };
      assert.deepEqual([status, Actor.Attributes.name], [version === 'v1.41' ? expected : undefined, 'other:2']);
    }
  });
}

test('dockerode: works over TLS with a certificate, and is refused without one', async (t) => {
  if (!requireTool(t, 'openssl')) return;
  const { port, authority, alice, at, store, audited } = await startTlsServe(t);
  const ca = await readFile(authority.cert);
  const [cert, key] = [await readFile(alice.cert), await readFile(alice.key)];
  const built = example();
  await writeFile(at('in.tar'), await layoutArchive(built.images, built.blobs));
  for (const host of ['127.0.0.1', 'localhost']) {
    const docker = new Docker({ host, port, protocol: 'https', ca, cert, key });
    assert.equal(await streamOf(docker.loadImage(at('in.tar'))), `Loaded image: ${FAMILIAR}\n`);
    assert.equal((await docker.getImage(FAMILIAR).inspect()).Id, built.root.digest);
    await docker.getImage(FAMILIAR).remove();
  }
  assert.equal((await audited('delete')).client, '127.0.0.1 alice');
  assert.deepEqual(await blobsOf(store), []);
  const stranger = new Docker({ host: '127.0.0.1', port, protocol: 'https', ca });
  await assert.rejects(stranger.ping(), { code: /ECONNRESET|ERR_SSL/ });
});
