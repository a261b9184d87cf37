import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineEvent } from '../../src/server/event-log.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { openEvents } from '../fixtures/engine-events.js';
import { assertRefused, engineWithExample, filtersQuery } from '../fixtures/engine-store.js';
import { startEngine, type Engine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';

/** A clock that stands still: 2025-11-24T16:00:00.500Z. */
const NOW = 1_764_000_000_500;
const now = (): number => NOW;

/** All events until now, so that the answer ends. */
const ALL = `since=0&until=${NOW / 1000}`;

async function past({ request }: Pick<Engine, 'request'>, query = ''): Promise<readonly EngineEvent[]> {
  const answer = await request('GET', `/v1.52/events?${ALL}${query}`);
  assert.equal(answer.status, 200, answer.text);
  return answer.lines() as readonly EngineEvent[];
}

test('sends the headers at once, and events as they happen', async (t) => {
  const { request, socket, built } = await engineWithExample(t, { now });
  const events = await openEvents(t, socket, '/v1.52/events');
  assert.equal(events.status, 200);
  await request('POST', '/images/example/app:1/tag?repo=other&tag=2');
  assert.deepEqual(JSON.parse((await events.next()) ?? ''), {
    Type: 'image',
    Action: 'tag',
    Actor: { ID: built.root.digest, Attributes: { name: 'other:2' } },
    scope: 'local',
    time: 1_764_000_000,
    timeNano: NOW * 1_000_000,
  });
});

test('sends events of load, save, tag, untag, delete and prune', async (t) => {
  const { request } = await startEngine(t, { now });
  const built = example();
  await request('POST', '/images/load', { body: await layoutArchive(built.images, built.blobs) });
  await request('GET', '/images/get?names=example/app:1');
  await request('POST', '/images/example/app:1/tag?repo=other&tag=2');
  await request('DELETE', '/images/example/app:1');
  await request('DELETE', '/images/other:2');
  await request('POST', '/images/prune');
  const { digest } = built.root;
  assert.deepEqual(
    (await past({ request })).map(({ Action, Actor }) => [Action, Actor.ID, Actor.Attributes['name']]),
    [
      ['load', digest, 'example/app:1'],
      ['save', digest, 'example/app:1'],
      ['tag', digest, 'other:2'],
      ['untag', digest, 'example/app:1'],
      ['untag', digest, 'other:2'],
      ['delete', digest, digest],
      ['prune', '', undefined],
    ],
  );
});

test('sends no event of work that failed', async (t) => {
  const { request } = await engineWithExample(t, { now });
  await request('POST', '/images/load', { body: 'no archive' });
  await request('GET', '/images/get?names=none');
  await request('POST', '/images/none/tag?repo=a');
  await request('DELETE', '/images/none');
  await request('POST', `/images/prune?${filtersQuery({ dangling: ['false'] })}`);
  assert.deepEqual(await past({ request }), []);
});

for (const [query, times] of [
  ['since=0&until=9', [1, 2, 3]],
  ['since=2&until=9', [2, 3]],
  ['since=0&until=2', [1, 2]],
  ['since=2&until=2', [2]],
  ['since=2.5&until=9', [3]],
  ['since=1970-01-01T00:00:02Z&until=1970-01-01T00:00:09Z', [2, 3]],
  ['since=7s&until=9', [2, 3]],
  ['until=9', []],
] as const) {
  test(`sends the past events of ${query}`, async (t) => {
    let seconds = 0;
    const { request } = await engineWithExample(t, { now: () => seconds * 1000 });
    for (seconds = 1; seconds <= 3; seconds += 1) await request('POST', `/images/example/app:1/tag?repo=r${seconds}`);
    seconds = 9;
    const answer = await request('GET', `/events?${query}`);
    assert.deepEqual(
      (answer.lines() as readonly EngineEvent[]).map(({ time }) => time),
      times,
    );
  });
}

test('ends at the time of until', async (t) => {
  const { request, socket } = await engineWithExample(t, { now });
  await request('POST', '/images/example/app:1/tag?repo=other');
  const events = await openEvents(t, socket, `/events?since=0&until=${NOW / 1000 + 0.05}`);
  assert.ok(await events.next());
  assert.equal(await events.next(), undefined);
});

test('ends when the server stops', async (t) => {
  const { server, socket } = await startEngine(t);
  const events = await openEvents(t, socket, '/events');
  await server.stop();
  assert.equal(await events.next(), undefined);
});

for (const [filters, actions] of [
  [{}, ['tag', 'untag']],
  [{ type: ['image'] }, ['tag', 'untag']],
  [{ type: { image: true } }, ['tag', 'untag']],
  [{ type: ['container'] }, []],
  [{ type: ['container', 'image'] }, ['tag', 'untag']],
  [{ event: ['untag'] }, ['untag']],
  [{ event: ['tag', 'untag'] }, ['tag', 'untag']],
  [{ scope: ['local'] }, ['tag', 'untag']],
  [{ scope: ['swarm'] }, []],
  [{ container: ['a'] }, []],
  [{ image: ['other:2'] }, ['tag']],
  [{ image: ['other'] }, ['tag']],
  [{ image: ['example/app'] }, ['untag']],
  [{ image: ['['] }, []],
  [{ image: ['other'], event: ['untag'] }, []],
] as const) {
  test(`filters events ${JSON.stringify(filters)}`, async (t) => {
    const { request } = await engineWithExample(t, { now });
    await request('POST', '/images/example/app:1/tag?repo=other&tag=2');
    await request('DELETE', '/images/example/app:1');
    const found = await past({ request }, `&${filtersQuery(filters)}`);
    assert.deepEqual(
      found.map(({ Action }) => Action),
      actions,
    );
  });
}

test('filters events by the image id', async (t) => {
  const { request, built } = await engineWithExample(t, { now });
  await request('POST', '/images/example/app:1/tag?repo=other&tag=2');
  const found = await past({ request }, `&${filtersQuery({ image: [built.root.digest] })}`);
  assert.equal(found.length, 1);
});

test('does not take the algorithm of an id for a name', async (t) => {
  const { request, built } = await engineWithExample(t, { now });
  await request('DELETE', `/images/${built.root.digest}`);
  const found = async (image: string) => (await past({ request }, `&${filtersQuery({ image: [image] })}`)).length;
  assert.deepEqual([await found('sha256'), await found(built.root.digest)], [0, 2]);
});

test('lets the filter of one listener disturb no other request', async (t) => {
  const { request, socket } = await startEngine(t);
  await openEvents(t, socket, `/events?${filtersQuery({ image: ['[', '*[', '\\'] })}`);
  const built = example();
  const answer = await request('POST', '/images/load', { body: await layoutArchive(built.images, built.blobs) });
  assert.equal(answer.status, 200, answer.text);
});

for (const query of [
  'since=soon',
  'until=soon',
  'since=0&until=x',
  'since=-1',
  'filters={',
  'filters={"unknown":["a"]}',
  'filters={"type":1}',
]) {
  test(`refuses ${query}`, async (t) => {
    const { request } = await startEngine(t);
    assertRefused(await request('GET', `/events?${encodeURI(query)}`), 400, /^invalid (?:time|filter) /);
  });
}

for (const [minor, accept, type, start] of [
  [24, '', 'application/json', '{'],
  [51, 'application/json-seq', 'application/json', '{'],
  [52, '', 'application/jsonl', '{'],
  [52, '*/*', 'application/jsonl', '{'],
  [53, '', 'application/jsonl', '{'],
  [55, '*/*', 'application/jsonl', '{'],
  [52, 'application/jsonl', 'application/jsonl', '{'],
  [52, 'application/x-ndjson', 'application/x-ndjson', '{'],
  [52, 'application/json-seq', 'application/json-seq', '\u001e{'],
] as const) {
  test(`sends ${type} to clients of 1.${minor} that accept ${JSON.stringify(accept)}`, async (t) => {
    const { request, built } = await engineWithExample(t, { now });
    await request('POST', '/images/example/app:1/tag?repo=other');
    const answer = await request('GET', `/v1.${minor}/events?${ALL}`, { headers: accept ? { accept } : {} });
    assert.equal(answer.headers['content-type'], type);
    assert.ok(answer.text.startsWith(start) && answer.text.endsWith('}\n'));
    const event = JSON.parse(answer.text.slice(start.length - 1)) as Record<string, unknown>;
    const old = { status: event['status'], id: event['id'], from: event['from'] };
    if (minor < 52) assert.deepEqual(old, { status: 'tag', id: built.root.digest, from: 'other:latest' });
    else assert.deepEqual(old, { status: undefined, id: undefined, from: undefined });
  });
}
