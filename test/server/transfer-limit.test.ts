import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine, type Engine } from '../fixtures/engine.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { until } from '../fixtures/until.js';
import { chunk, dial, uploadHead, type Wire } from '../fixtures/wire.js';

const LIMIT = 3;
const SAVE = `GET /v1.52/images/get?names=${FAMILIAR} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

/** A server at its limit of transfers by unfinished uploads, and the rest of each upload. */
async function fullEngine(t: TestContext): Promise<{ engine: Engine; wires: readonly Wire[]; rest: Buffer }> {
  const engine = await startEngine(t, { maxTransfers: LIMIT });
  const built = example({ layerBytes: 500_000 });
  const archive = await layoutArchive(built.images, built.blobs);
  await load(engine.store, archive);
  const upload = async (): Promise<Wire> => {
    const wire = await dial({ path: engine.socket });
    t.after(() => wire.socket.destroy());
    await wire.send(uploadHead());
    await wire.send(chunk(archive.subarray(0, 5000)));
    return wire;
  };
  const wires = await Promise.all(Array.from({ length: LIMIT }, upload));
  await until(async () => (await activeOf(engine)) === LIMIT, 'all places are taken');
  return { engine, wires, rest: Buffer.concat([chunk(archive.subarray(5000)), chunk()]) };
}

async function activeOf({ request }: Engine, kind: 'load' | 'save' = 'load'): Promise<number> {
  const { text } = await request('GET', '/metrics');
  return Number(new RegExp(`^lading_transfers_active\\{kind="${kind}"\\} (\\d+)$`, 'm').exec(text)?.[1] ?? 0);
}

async function saveStatus({ request }: Engine): Promise<number> {
  return (await request('GET', `/v1.52/images/get?names=${FAMILIAR}`)).status;
}

test('refuses archives beyond the limit for now, and answers everything else', async (t) => {
  const { engine } = await fullEngine(t);
  const { request } = engine;
  const message = `{"message":"${LIMIT} archives are on their way already; try again later"}`;
  for (const [method, url] of [
    ['POST', '/v1.52/images/load'],
    ['GET', `/v1.52/images/get?names=${FAMILIAR}`],
    ['GET', `/v1.52/images/${FAMILIAR}/get`],
  ] as const) {
    const { status, headers, text } = await request(method, url);
    assert.deepEqual([status, headers['retry-after'], text], [503, '5', message]);
    assert.equal(headers['content-type'], 'application/json');
  }
  for (const url of ['/_ping', '/images/json', `/images/${FAMILIAR}/json`, '/readyz', '/metrics'])
    assert.deepEqual([url, (await request('GET', url)).status], [url, 200]);
  assert.equal((await request('HEAD', `/images/get?names=${FAMILIAR}`)).status, 200);
  const { text } = await request('GET', '/metrics');
  assert.match(text, /^lading_transfers_refused_total\{kind="load"\} 1$/m);
  assert.match(text, /^lading_transfers_refused_total\{kind="save"\} 2$/m);
  assert.deepEqual(
    engine.audit.map(({ action, code }) => `${action} ${code}`),
    ['load HTTP_503', 'save HTTP_503', 'save HTTP_503'],
  );
});

test('frees the place of an upload that succeeded', async (t) => {
  const { engine, wires, rest } = await fullEngine(t);
  await wires[0]?.send(rest);
  await wires[0]?.received('Loaded image');
  assert.equal(await saveStatus(engine), 200);
});

test('frees the place of an upload that failed', async (t) => {
  const { engine, wires } = await fullEngine(t);
  await wires[0]?.send('no chunk\r\n');
  await wires[0]?.over();
  await until(async () => (await saveStatus(engine)) === 200, 'a place is free');
});

test('frees the places of clients that have gone', async (t) => {
  const { engine, wires } = await fullEngine(t);
  for (const { socket } of wires) socket.destroy();
  await until(async () => (await activeOf(engine)) === 0, 'all places are free');
  assert.equal(await saveStatus(engine), 200);
});

test('counts downloads too, and frees the place of one whose reader has gone', async (t) => {
  const { engine, wires } = await fullEngine(t);
  wires[0]?.socket.destroy();
  await until(async () => (await activeOf(engine)) === LIMIT - 1, 'a place is free');
  const reader = await dial({ path: engine.socket });
  reader.socket.pause();
  await reader.send(SAVE);
  await until(async () => (await activeOf(engine, 'save')) === 1, 'the reader has the place');
  assert.equal(await saveStatus(engine), 503);
  reader.socket.destroy();
  await until(async () => (await saveStatus(engine)) === 200, 'the place is free');
});

test('prints no warning when many archives are on their way', async (t) => {
  const warnings: string[] = [];
  const listener = (warning: Error): void => void warnings.push(warning.message);
  process.on('warning', listener);
  t.after(() => process.off('warning', listener));
  const { request, store } = await startEngine(t);
  const built = example({ layerBytes: 100_000 });
  const body = await layoutArchive(built.images, built.blobs);
  await load(store, body);
  const work = Array.from({ length: 30 }, async (_, n) =>
    n % 2 === 0 ? await request('POST', '/images/load', { body }) : await request('GET', `/images/${FAMILIAR}/get`),
  );
  assert.deepEqual([...new Set((await Promise.all(work)).map(({ status }) => status))], [200]);
  assert.deepEqual(warnings, []);
});
