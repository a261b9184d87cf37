import assert from 'node:assert/strict';
import { once } from 'node:events';
import { linkSync, lstatSync, mkdirSync, readdirSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { listenUnix } from '../../src/server/unix-socket.js';
import { temporaryFolder } from '../fixtures/stores.js';

/** A server that says its number to each client. */
function saying(t: TestContext, number: number): Server {
  const server = createServer((socket) => socket.on('error', () => {}).end(String(number)));
  t.after(() => server.close());
  return server;
}

async function heardAt(file: string): Promise<string> {
  const chunks: Buffer[] = await connect(file).toArray();
  return Buffer.concat(chunks).toString();
}

/** Leaves the socket of a server that no longer listens. */
async function leaveStale(file: string): Promise<void> {
  const server = createServer().listen(`${file}.real`);
  await once(server, 'listening');
  linkSync(`${file}.real`, file);
  server.close();
  await once(server, 'close');
}

for (const found of ['a stale socket', 'nothing']) {
  test(`of many servers that find ${found} at once, one gets the path`, async (t) => {
    const folder = await temporaryFolder(t);
    const file = path.join(folder, 'engine.sock');
    if (found !== 'nothing') await leaveStale(file);
    const servers = Array.from({ length: 12 }, (_, number) => saying(t, number));
    const outcomes = await Promise.allSettled(servers.map(async (server) => await listenUnix(server, { path: file })));
    const winners = [...outcomes.entries()].filter(([, { status }]) => status === 'fulfilled').map(([at]) => at);
    assert.equal(winners.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === 'rejected') {
        assert.equal(outcome.reason.code, 'ERR_STORAGE_IO');
        assert.equal(outcome.reason.message, `cannot listen on ${file}: another server uses it`);
      }
    }
    // Those that were refused leave the path to the one that has it.
    for (const [at, server] of servers.entries()) if (!winners.includes(at)) server.close();
    assert.equal(await heardAt(file), String(winners[0]));
    assert.deepEqual(readdirSync(folder), ['engine.sock']);
    for (const outcome of outcomes) if (outcome.status === 'fulfilled') outcome.value();
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('a server that stops leaves the socket that another one has put in the place of its own', async (t) => {
  const file = path.join(await temporaryFolder(t), 'engine.sock');
  const removeFirst = await listenUnix(saying(t, 1), { path: file });
  unlinkSync(file);
  const removeSecond = await listenUnix(saying(t, 2), { path: file });
  removeFirst();
  assert.equal(await heardAt(file), '2');
  removeSecond();
  removeSecond();
  assert.equal(lstatSync(file, { throwIfNoEntry: false }), undefined);
});

test('a server that stops leaves a file that is not a socket, and minds no folder that is gone', async (t) => {
  const folder = await temporaryFolder(t);
  const file = path.join(folder, 'engine.sock');
  const remove = await listenUnix(saying(t, 1), { path: file });
  unlinkSync(file);
  writeFileSync(file, 'dear');
  remove();
  assert.ok(lstatSync(file).isFile());
  rmSync(folder, { recursive: true });
  remove();
});

test('passes over names that killed servers left, and takes a short one under a long path', async (t) => {
  const folder = await temporaryFolder(t);
  for (const name of [`.lading-${process.pid}-0`, `.lading-${process.pid}-1`])
    writeFileSync(path.join(folder, name), '');
  const file = path.join(folder, 'engine.sock');
  await listenUnix(saying(t, 1), { path: file });
  assert.equal(await heardAt(file), '1');
  const deep = path.join(folder, 'd'.repeat(104 - folder.length));
  mkdirSync(deep);
  writeFileSync(path.join(deep, '0'), '');
  const short = path.join(deep, 's');
  assert.equal(Buffer.byteLength(short), 107);
  await listenUnix(saying(t, 2), { path: short });
  assert.equal(await heardAt(short), '2');
  assert.deepEqual(readdirSync(deep), ['0', 's']);
});

test('refuses a folder that does not exist, and leaves nothing', async (t) => {
  const folder = await temporaryFolder(t);
  await assert.rejects(listenUnix(saying(t, 1), { path: path.join(folder, 'none', 'engine.sock') }), {
    code: 'ERR_STORAGE_IO',
    message: /^cannot listen on .*: E(?:NOENT|ACCES)$/,
  });
});
