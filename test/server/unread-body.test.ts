import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { test, type TestContext } from 'node:test';
import { startEngine } from '../fixtures/engine.js';

function connectTo(t: TestContext, path: string): Socket {
  const socket = connect(path);
  socket.setEncoding('utf8');
  t.after(() => void socket.destroy());
  return socket;
}

/** Sends the text, and waits for the first bytes of an answer. */
async function answerTo(socket: Socket, text: string): Promise<string> {
  socket.write(text);
  const [answer] = (await once(socket, 'data')) as [string];
  return answer;
}

const HEAD = 'HTTP/1.1\r\nHost: localhost\r\n';
const OPEN_BODY = `${HEAD}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`;

for (const [method, url, status] of [
  ['POST', '/images/load?platform=x', 400],
  ['POST', '/images/none/tag?repo=a', 404],
  ['DELETE', '/images/none', 404],
  ['POST', '/images/prune', 200],
  ['POST', '/no/such/route', 404],
] as const) {
  test(`ends the connection if an unread body does not end: ${method} ${url}`, async (t) => {
    const { socket: path } = await startEngine(t, { lingerMs: 50 });
    const socket = connectTo(t, path);
    assert.ok((await answerTo(socket, `${method} ${url} ${OPEN_BODY}`)).startsWith(`HTTP/1.1 ${status} `));
    await once(socket, 'close');
  });
}

test('keeps the connection if the body ends in time', async (t) => {
  const { socket: path } = await startEngine(t);
  const socket = connectTo(t, path);
  assert.match(await answerTo(socket, `POST /images/none/tag?repo=a ${OPEN_BODY}`), /^HTTP\/1.1 404 /);
  socket.write('0\r\n\r\n');
  assert.match(await answerTo(socket, `GET /_ping ${HEAD}\r\n`), /^HTTP\/1.1 200 /);
});
