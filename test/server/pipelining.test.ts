import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { startEngine } from '../fixtures/engine.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { until } from '../fixtures/until.js';

/** The bytes of a request. */
function ask(url: string): string {
  return `GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`;
}

test('counts no transfer for requests that wait behind another one', async (t) => {
  const engine = await startEngine(t, { maxTransfers: 4 });
  const built = example();
  await load(engine.store, await layoutArchive(built.images, built.blobs));
  const socket = connect(engine.socket);
  t.after(() => void socket.destroy());
  let answers = '';
  socket.on('data', (chunk: Buffer) => {
    answers += chunk.toString('latin1');
  });
  socket.write(ask('/events') + ask(`/images/get?names=${FAMILIAR}`).repeat(20));
  await until(() => answers.includes('200 OK'), 'the events have begun');
  const { status } = await engine.request('GET', `/images/get?names=${FAMILIAR}`);
  assert.equal(status, 200);
});

test('answers pipelined requests in their order', async (t) => {
  const engine = await startEngine(t);
  const socket = connect(engine.socket);
  t.after(() => void socket.destroy());
  let answers = '';
  socket.on('data', (chunk: Buffer) => {
    answers += chunk.toString('latin1');
  });
  socket.write(ask('/_ping') + ask('/no/such') + ask('/version') + ask('/images/none/json'));
  await until(() => answers.includes('No such image'), 'all are answered');
  const statuses = [...answers.matchAll(/HTTP\/1.1 (\d+) /g)].map(([, status]) => Number(status));
  assert.deepEqual(statuses, [200, 404, 200, 404]);
});
