import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine, type Engine } from '../fixtures/engine.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { stateOf } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';
import { dial, uploadHead } from '../fixtures/wire.js';

/** Samples by name and labels, as in the text. Fails if it is not Prometheus's text format 0.0.4. */
function parse(text: string): ReadonlyMap<string, number> {
  assert.ok(text.endsWith('\n'));
  const samples = new Map<string, number>();
  const kinds = new Map<string, string>();
  for (const line of text.split('\n').filter(Boolean)) {
    const comment = /^# (?:HELP ([a-z_]+) \S.*|TYPE ([a-z_]+) (counter|gauge|histogram))$/.exec(line);
    if (comment?.[2] !== undefined) kinds.set(comment[2], comment[3] ?? '');
    if (comment !== null) continue;
    const [, name = '', labels = '', value] =
      /^([a-z_]+)(\{(?:[a-z]+="[^"\\]*",?)+\})? (\S+)$/.exec(line) ?? assert.fail(`no sample: ${line}`);
    const family = name.replace(/_(?:bucket|sum|count)$/, '');
    assert.ok(kinds.has(name) || kinds.get(family) === 'histogram', `${name} has no type`);
    assert.equal(samples.has(name + labels), false, `${line} comes twice`);
    samples.set(name + labels, Number(value));
  }
  return samples;
}

async function metricsOf({ request }: Engine): Promise<ReadonlyMap<string, number>> {
  const { status, headers, text } = await request('GET', '/metrics');
  assert.deepEqual([status, headers['content-type']], [200, 'text/plain; version=0.0.4; charset=utf-8']);
  return parse(text);
}

async function usedEngine(
  t: TestContext,
): Promise<{ engine: Engine; body: Buffer; saved: Buffer; clock: { ms: number } }> {
  const clock = { ms: 1_000_000 };
  const engine = await startEngine(t, { now: () => clock.ms });
  const built = example();
  const body = await layoutArchive(built.images, built.blobs);
  await engine.request('POST', '/images/load', { body });
  const { body: saved } = await engine.request('GET', `/images/get?names=${FAMILIAR}`);
  return { engine, body, saved, clock };
}

test('counts archives, their bytes and how long they took', async (t) => {
  const { engine, body, saved } = await usedEngine(t);
  const samples = await metricsOf(engine);
  assert.equal(samples.get('lading_transfers_total{kind="load",code="OK"}'), 1);
  assert.equal(samples.get('lading_transfers_total{kind="save",code="OK"}'), 1);
  assert.equal(samples.get('lading_transfers_active{kind="load"}'), 0);
  assert.equal(samples.get('lading_transfers_active{kind="save"}'), 0);
  assert.equal(samples.get('lading_transfer_bytes_total{kind="load"}'), body.length);
  const sent = samples.get('lading_transfer_bytes_total{kind="save"}') ?? 0;
  // The headers of the answer count too.
  assert.ok(sent >= saved.length && sent < saved.length + 1000, `${sent} for ${saved.length}`);
  for (const kind of ['load', 'save']) {
    assert.equal(samples.get(`lading_transfer_duration_seconds_count{kind="${kind}"}`), 1);
    assert.equal(samples.get(`lading_transfer_duration_seconds_bucket{le="+Inf",kind="${kind}"}`), 1);
  }
});

test('counts errors by code, and requests by route', async (t) => {
  const { engine } = await usedEngine(t);
  await engine.request('GET', '/images/unknown/json');
  await engine.request('GET', '/images/get?names=unknown');
  await engine.request('POST', '/images/load?platform=x', { body: '' });
  const samples = await metricsOf(engine);
  assert.equal(samples.get('lading_errors_total{code="ERR_IMAGE_UNKNOWN"}'), 2);
  assert.equal(samples.get('lading_errors_total{code="HTTP_400"}'), 1);
  assert.equal(samples.get('lading_http_requests_total{method="GET",route="/images/:name/json",status="404"}'), 1);
  assert.equal(samples.get('lading_http_requests_total{method="POST",route="/images/load",status="200"}'), 1);
});

test('counts a client that has gone once, and no second error for it', async (t) => {
  const { engine } = await usedEngine(t);
  const wire = await dial({ path: engine.socket });
  await wire.send(uploadHead());
  wire.socket.destroy();
  await until(() => engine.audit.some(({ code }) => code === 'CLIENT_GONE'), 'the load is over');
  const samples = await metricsOf(engine);
  assert.equal(samples.get('lading_errors_total{code="CLIENT_GONE"}'), 1);
  assert.equal(samples.get('lading_errors_total{code="HTTP_500"}'), undefined);
});

test('has the size of the store, measured again after half a minute', async (t) => {
  const { engine, clock } = await usedEngine(t);
  const first = await metricsOf(engine);
  const { blobs } = await stateOf(engine.store);
  assert.equal(first.get('lading_store_blobs'), blobs.length);
  assert.equal(first.get('lading_store_images'), 1);
  assert.ok((first.get('lading_store_bytes') ?? 0) > 0);
  const other = example({ seed: 'other' });
  await engine.request('POST', '/images/load', { body: await layoutArchive(other.images, other.blobs) });
  assert.equal((await metricsOf(engine)).get('lading_store_blobs'), blobs.length);
  clock.ms += 30_000;
  assert.ok(((await metricsOf(engine)).get('lading_store_blobs') ?? 0) > blobs.length);
});

test('is alive, and ready unless the store cannot be read', async (t) => {
  const engine = await startEngine(t);
  for (const url of ['/livez', '/readyz', '/v1.52/readyz']) {
    const { status, text } = await engine.request('GET', url);
    assert.deepEqual([url, status, text], [url, 200, 'ok\n']);
  }
  engine.store.list = async () => {
    throw new Error('gone');
  };
  const { status, text } = await engine.request('GET', '/readyz');
  assert.deepEqual([status, text], [503, 'the store cannot be read\n']);
  assert.equal((await engine.request('GET', '/livez')).status, 200);
});
