import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { shardOf } from '../../src/copy/copy-plan.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { jsonOf } from '../fixtures/cli-workspace.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { NAME } from '../fixtures/example.js';
import { IS_ALL } from '../fixtures/extent.js';
import { FaultProxy, type SeenRequest } from '../fixtures/fault-proxy.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { assertOk, registryScene, type RegistryScene } from '../fixtures/registry-scene.js';
import { fill } from '../fixtures/stores.js';

/* Plans and shards. The figures are bytes and requests that a proxy counts, so they do not depend on the machine. */

const open = sharedRegistry();
const openOther = sharedRegistry();

const WORKERS = 4;
/** Images for each worker, and bytes of a layer. */
const [IMAGES, LAYER_BYTES] = IS_ALL ? [50, 50_000] : [8, 30_000];
const POOL = 30;

interface Fleet {
  readonly names: readonly string[];
  /** Bytes of all distinct configs and layers. */
  readonly distinctBytes: number;
}

/** Images of ten layers, of which six are from a pool that all of them share, with two tags in each repository. */
async function fleetIn(store: OciLayoutStore, count: number): Promise<Fleet> {
  const blobs = new BlobSet();
  const records = Array.from({ length: count }, (_, at) => {
    const shared = Array.from({ length: 6 }, (__, n) => `pool-${(at * 7 + n * 5) % POOL}`);
    const layers = [...shared, ...Array.from({ length: 4 }, (__, n) => `own-${at}-${n}`)];
    const { root } = buildMultiPlatform(blobs, ['linux/amd64'], {
      layers,
      layerBytes: LAYER_BYTES,
      compression: 'none',
      seed: at,
    });
    return { name: `docker.io/fleet/w${at >> 1}:${at % 2}`, descriptor: root };
  });
  await fill(store, records, blobs);
  const documents = new Set(records.map(({ descriptor }) => descriptor.digest));
  let distinctBytes = 0;
  for (const [digest, bytes] of blobs) {
    const isDocument = documents.has(digest) || bytes.includes('"config"');
    if (!isDocument) distinctBytes += bytes.length;
  }
  return { names: records.map(({ name }) => name.replace('docker.io/', '')), distinctBytes };
}

function blobBytes(seen: readonly SeenRequest[]): number {
  return seen
    .filter(({ method, url }) => /^P(?:UT|ATCH)$/.test(method) && url.includes('/blobs/uploads/'))
    .reduce((sum, { bytes }) => sum + bytes, 0);
}

async function list(scene: RegistryScene, name: string, lines: readonly string[]): Promise<string> {
  await writeFile(scene.at(name), lines.join('\n'));
  return scene.at(name);
}

interface FleetScene extends RegistryScene, Fleet {
  readonly proxy: FaultProxy;
  readonly plan: string;
}

/** A fleet in one registry, and a plan to copy it to another one, through a proxy. */
async function plannedFleet(t: TestContext, prefix: string): Promise<FleetScene | undefined> {
  const scene = await registryScene(t, open);
  const other = await openOther(t);
  if (scene === undefined || other === undefined) return undefined;
  const { lading, registry, at, store } = scene;
  const fleet = await fleetIn(await OciLayoutStore.open(store), WORKERS * IMAGES);
  const source = `docker://${registry.host}/${prefix}/`;
  const filled = await list(
    scene,
    'fill',
    fleet.names.map((name) => `store:${name} ${source}`),
  );
  assert.equal((await lading(['copy', '-q', '--from-file', filled])).status, 0);
  const proxy = await FaultProxy.start(t, other.port);
  const target = `docker://${proxy.host}/`;
  const wanted = await list(
    scene,
    'wanted',
    fleet.names.map((name) => `${source}${name} ${target}`),
  );
  const plan = at('plan.json');
  const planned = await lading(['copy', '--dry-run', '--plan', plan, '--from-file', wanted]);
  assert.deepEqual([planned.status, planned.stderr], [0, '']);
  return { ...scene, ...fleet, proxy, plan };
}

test('shards of a plan upload shared layers once, though the workers do not know of each other', async (t) => {
  const scene = await plannedFleet(t, 'fleet-1');
  if (scene === undefined) return;
  const { lading, proxy, plan, names, distinctBytes, registry } = scene;
  const shards = Array.from({ length: WORKERS }, (_, at) => ['--shard', `${at + 1}/${WORKERS}`]);
  const results = await Promise.all(shards.map(async (shard) => await lading(['copy', '--plan', plan, ...shard])));
  for (const result of results) assertOk(result);
  const copied = results.flatMap(({ stdout }) => stdout.split('\n').filter((line) => line.startsWith('Copied: ')));
  assert.equal(copied.length, names.length);
  const sent = blobBytes(proxy.seen);
  t.diagnostic(`${names.length} images: ${sent} bytes were sent, ${distinctBytes} are distinct`);
  assert.ok(sent >= distinctBytes && sent <= 1.01 * distinctBytes, `${sent} bytes of ${distinctBytes}`);
  const open = proxy.requests('POST', /uploads/).length;
  const closed = proxy.requests('PUT', /uploads/).length + proxy.requests('DELETE', /uploads/).length;
  const mounted = proxy.requests('POST', /mount=/).length;
  assert.ok(open - mounted <= closed, 'every upload was finished, cancelled or mounted');
  const before = proxy.seen.length;
  const again = await lading(['copy', '--plan', plan, '--report', scene.at('report')]);
  assertOk(again);
  assert.equal(again.stdout.match(/^Up to date: /gm)?.length, names.length);
  const asked = proxy.seen.slice(before).filter(({ url }) => url !== '/v2/');
  assert.deepEqual([asked.length, new Set(asked.map(({ method }) => method))], [names.length, new Set(['HEAD'])]);
  assert.ok(registry.port !== 0);
});

test('a plan copies what its names meant when it was made', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, built, at } = scene;
  const [from, to] = [`docker://${registry.host}/pinned/a:1`, `docker://${registry.host}/pinned/b:1`];
  assertOk(await lading(['push', NAME, from]));
  assertOk(await lading(['copy', '--dry-run', '--plan', at('plan'), from, to]));
  assert.equal((await lading(['copy', '-q', '--platform', 'linux/amd64', `store:${NAME}`, from])).status, 0);
  const copied = await lading(['copy', '--plan', at('plan')]);
  assertOk(copied, `Copied: ${to}@${built.root.digest}\n`);
  assertOk(await lading(['copy', '--plan', at('plan')]), `Up to date: ${to}@${built.root.digest}\n`);
});

test('a worker that runs alone gets on without the others', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const repositories = Array.from({ length: 8 }, (_, n) => `${registry.host}/alone/r${n}`);
  const lines = repositories.map((one) => `store:${NAME} docker://${one}:1`);
  const plan = at('plan');
  assert.equal(
    (await lading(['copy', '--dry-run', '--plan', plan, '--from-file', await list(scene, 'l', lines)])).status,
    0,
  );
  const { homes } = jsonOf<{ homes: Record<string, Record<string, string>> }>(await readFile(plan, 'utf8'));
  const home = Object.values(homes[registry.host] ?? {}).map((path) => shardOf(`${registry.host}/${path}`, 2));
  assert.ok(home.length > 0, 'every layer is needed by several repositories');
  // The one with a home for each layer comes first, so that no one waits.
  for (const shard of new Set([...home, 1, 2]))
    assertOk(await lading(['copy', '--plan', plan, '--shard', `${shard}/2`]));
  for (const one of repositories) assertOk(await lading(['tags', one]), '1\n');
});

test('refuses plans and shards that cannot be meant', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, at } = scene;
  await writeFile(at('other'), '{"schema":"something/1"}');
  for (const [args, text] of [
    [['--plan', at('other')], /is no plan/],
    [['--plan', at('none')], /cannot read/],
    [['--shard', '1/2', 'store:a', 'docker://localhost:1/b'], /--shard takes a part of a --plan/],
    [['--plan', at('other'), 'store:a', 'docker://localhost:1/b'], /a plan says what to copy/],
    [['--plan', at('other'), '--shard', '3/2'], /--shard is I\/N/],
  ] as const) {
    const { status, stderr } = await lading(['copy', ...args]);
    assert.deepEqual([status, text.test(stderr)], [2, true], stderr);
  }
});
