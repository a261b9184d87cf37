import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { ServerOptions } from '../../src/server/index.js';
import { engineWithExample } from '../fixtures/engine-store.js';
import type { Engine } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';
import { openFds, until } from '../fixtures/until.js';
import { dial, type Wire } from '../fixtures/wire.js';

const HISTORY = '/v1.52/images/example/app:1/history';

/** An engine with an image whose history is an answer of 2 MB, more than a socket buffers. */
async function engineWithLargeAnswers(t: TestContext, options: ServerOptions = {}): Promise<Engine> {
  const history = Array.from({ length: 20 }, () => ({ created_by: 'x'.repeat(100_000) }));
  const engine = await engineWithExample(t, { ...options, built: example({ configExtra: { history } }) });
  // The server opens some files once: they must be open before the count.
  await engine.request('GET', '/livez', { agent: false });
  return engine;
}

/** Connections that have asked for a large answer and read nothing of it. */
async function askWithoutReading({ socket }: Engine, count: number): Promise<readonly Wire[]> {
  const wires = await Promise.all(Array.from({ length: count }, async () => await dial({ path: socket })));
  for (const wire of wires) {
    wire.socket.pause();
    await wire.send(`GET ${HISTORY} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  }
  return wires;
}

test('refuses large answers, but not small ones, while too much is unread', async (t) => {
  const engine = await engineWithLargeAnswers(t, { maxUnreadBytes: 5_000_000 });
  const wires: Wire[] = [];
  let refused = await engine.request('GET', HISTORY, { agent: false });
  await until(async () => {
    wires.push(...(await askWithoutReading(engine, 1)));
    refused = await engine.request('GET', HISTORY, { agent: false });
    return refused.status === 503;
  }, 'enough is held');
  assert.equal(refused.headers['retry-after'], '5');
  assert.match(refused.text, /^\{"message":"\d+ bytes of answers wait for clients to read them; try again later"\}$/);
  for (const url of ['/_ping', '/v1.52/version', '/livez']) {
    assert.equal((await engine.request('GET', url, { agent: false })).status, 200);
  }
  for (const wire of wires) wire.socket.destroy();
  await until(
    async () => (await engine.request('GET', HISTORY, { agent: false })).status === 200,
    'there is room again',
  );
});

test('sends an answer above the limit if it is the only one', async (t) => {
  const { request } = await engineWithLargeAnswers(t, { maxUnreadBytes: 1000 });
  const { status, body } = await request('GET', HISTORY);
  assert.equal(status, 200);
  assert.ok(body.length > 2_000_000);
});

test('cuts a client that reads nothing of any answer', async (t) => {
  const engine = await engineWithLargeAnswers(t, { stalledMs: 100 });
  const fds = openFds();
  const wires = await askWithoutReading(engine, 5);
  // The test's own ends are still open.
  await until(() => openFds() <= fds + wires.length, 'the server has closed its ends');
  for (const wire of wires) wire.socket.destroy();
});

test('closes connections beyond the limit, and accepts new ones after others have ended', async (t) => {
  const { socket } = await engineWithLargeAnswers(t, { maxConnections: 3 });
  const ping = async (): Promise<Wire> => {
    const wire = await dial({ path: socket });
    await wire.send('GET /_ping HTTP/1.1\r\nHost: localhost\r\n\r\n');
    return wire;
  };
  const wires = [await ping(), await ping()];
  for (const wire of wires) await wire.received('200 OK');
  const third = await ping();
  const fourth = await ping();
  await until(() => fourth.isOver() || third.isOver(), 'one is too many');
  for (const wire of [...wires, third, fourth]) wire.socket.destroy();
  await until(async () => {
    const wire = await ping();
    await until(() => wire.isOver() || wire.text() !== '', 'an answer or the end');
    wire.socket.destroy();
    return wire.text().includes('200 OK');
  }, 'there is room again');
});
