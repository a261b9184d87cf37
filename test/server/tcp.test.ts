import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { ServerOptions } from '../../src/server/index.js';
import { requestOver, startEngine, type Engine } from '../fixtures/engine.js';
import { chunk, dial, uploadHead } from '../fixtures/wire.js';

async function tcpEngine(
  t: TestContext,
  options: ServerOptions = {},
  host = '127.0.0.1',
): Promise<{ engine: Engine; port: number }> {
  const engine = await startEngine(t, options);
  const url = await engine.server.listen({ kind: 'tcp', host, port: 0, insecure: true });
  return { engine, port: Number(new URL(url).port) };
}

/** The status of a request for a host. */
async function statusFor(port: number, headers: Readonly<Record<string, string>>): Promise<number> {
  return (await requestOver({ host: '127.0.0.1', port, agent: false }, 'GET', '/livez', { headers })).status;
}

test('listens without TLS only on loopback, and only if insecure is set', async (t) => {
  const { server } = await startEngine(t);
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost'])
    assert.match(await server.listen({ kind: 'tcp', host, port: 0, insecure: true }), /^tcp:\/\/[\w.]+:[1-9]\d*$/);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.org', 'example.org']) {
    await assert.rejects(server.listen({ kind: 'tcp', host, port: 0, insecure: true }), {
      code: 'ERR_OPTION_INVALID',
      message: `${host}:0: TCP needs --tlsverify with --tlscacert, --tlscert and --tlskey; --insecure-no-tls works on 127.0.0.1 and [::1] only`,
    });
  }
  await assert.rejects(server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0 }), { code: 'ERR_OPTION_INVALID' });
});

test('refuses a port that is taken', async (t) => {
  const { engine, port } = await tcpEngine(t);
  await assert.rejects(engine.server.listen({ kind: 'tcp', host: '127.0.0.1', port, insecure: true }), {
    code: 'ERR_STORAGE_IO',
    message: `cannot listen on 127.0.0.1:${port}: EADDRINUSE`,
  });
});

test('does not listen again after a stop', async (t) => {
  const { server } = await startEngine(t);
  await server.stop({ graceMs: 0 });
  const address = { kind: 'tcp', host: '127.0.0.1', port: 0, insecure: true } as const;
  await assert.rejects(server.listen(address), { code: 'ERR_ABORTED' });
});

test('listens on IPv6', async (t) => {
  const { port } = await tcpEngine(t, {}, '::1');
  const { status } = await requestOver({ host: '::1', port, agent: false }, 'GET', '/livez');
  assert.equal(status, 200);
});

test('serves requests for addresses, localhost and its own names', async (t) => {
  const { port } = await tcpEngine(t, { ownNames: ['images.example.org'] });
  for (const host of [
    '127.0.0.1',
    `127.0.0.1:${port}`,
    '[::1]',
    '[::1]:2375',
    'LOCALHOST:1',
    'Images.Example.org:2376',
  ])
    assert.deepEqual([host, await statusFor(port, { host })], [host, 200]);
});

test('refuses requests for other names, as after DNS rebinding', async (t) => {
  const { engine, port } = await tcpEngine(t, { ownNames: ['images.example.org'] });
  for (const host of [
    'evil.example.org',
    'localhost.evil.example.org',
    'images.example.org.evil',
    '127.0.0.1.evil',
    'user@127.0.0.1',
    '127.0.0.1, evil',
    '::1',
    '[::1',
  ]) {
    assert.deepEqual([host, await statusFor(port, { host })], [host, 421]);
  }
  assert.equal((await engine.request('GET', '/livez', { headers: { host: 'evil.example.org' } })).status, 200);
});

test('refuses what a web page sends, and changes nothing', async (t) => {
  const { engine, port } = await tcpEngine(t);
  for (const headers of [
    { origin: 'https://evil.example.org' },
    { origin: 'null' },
    { origin: `http://127.0.0.1:${port}` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ] as const) {
    const where = { host: '127.0.0.1', port, agent: false as const };
    const { status, text } = await requestOver(where, 'POST', '/images/prune', { headers });
    assert.deepEqual([status, text], [403, '{"message":"requests from web pages are not served"}']);
    // A proxy in front of the unix socket may forward what a browser sends.
    for (const method of ['GET', 'POST'] as const) {
      const answer = await engine.request(method, method === 'GET' ? '/_ping' : '/images/prune', { headers });
      assert.equal(answer.status, 403);
    }
  }
  assert.deepEqual(engine.audit, []);
  assert.equal((await engine.request('POST', '/images/prune', { headers: { host: 'any.example' } })).status, 200);
});

test('shows a probe to a user who types its address into a browser', async (t) => {
  const { port } = await tcpEngine(t);
  assert.equal(await statusFor(port, { 'sec-fetch-site': 'none' }), 200);
});

test('lets a refused sender over TCP read why', async (t) => {
  const { port } = await tcpEngine(t, { maxTransfers: 0, lingerMs: 200 });
  for (const extra of [[], ['Connection: close']] as const) {
    const wire = await dial({ host: '127.0.0.1', port });
    await wire.send(uploadHead('quiet=1', extra));
    while (!wire.isOver()) await Promise.race([wire.send(chunk(Buffer.alloc(65_536))), wire.over()]);
    assert.match(wire.text(), /^HTTP\/1\.1 503 .*"message"/s);
  }
});
