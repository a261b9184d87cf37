import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { connect } from 'node:tls';
import type { ServerOptions } from '../../src/server/index.js';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { clientTls, makeCertificates, type Certificates } from '../fixtures/certificates.js';
import { requireTool } from '../fixtures/command.js';
import { requestOver, startEngine, type Engine } from '../fixtures/engine.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { load } from '../fixtures/loading.js';
import { openFds, until } from '../fixtures/until.js';
import { dial } from '../fixtures/wire.js';

interface TlsEngine {
  readonly engine: Engine;
  readonly certificates: Certificates;
  readonly port: number;
}

/** A server that also listens with TLS. Returns undefined and skips the test without openssl. */
async function tlsEngine(t: TestContext, options: ServerOptions = {}): Promise<TlsEngine | undefined> {
  if (!requireTool(t, 'openssl')) return undefined;
  const certificates = await makeCertificates(t);
  const { text } = certificates;
  const engine = await startEngine(t, options);
  const tls = { ca: text('ca.pem'), cert: text('server.pem'), key: text('server.key') };
  const url = await engine.server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0, tls });
  return { engine, certificates, port: Number(new URL(url).port) };
}

test('serves only clients with a certificate of its authority', async (t) => {
  const given = await tlsEngine(t);
  if (given === undefined) return;
  const { certificates, port, engine } = given;
  const { status } = await requestOver(clientTls(certificates, port, 'client'), 'GET', '/livez');
  assert.equal(status, 200);
  await assert.rejects(requestOver(clientTls(certificates, port, 'stranger'), 'GET', '/livez'));
  await assert.rejects(requestOver(clientTls(certificates, port), 'GET', '/livez'));
  await assert.rejects(requestOver({ host: '127.0.0.1', port, agent: false }, 'GET', '/livez'));
  await requestOver(clientTls(certificates, port, 'client'), 'POST', '/images/a/tag?repo=b');
  assert.equal(engine.audit.at(-1)?.client, '127.0.0.1 robot');
});

test('speaks TLS 1.2 and later', async (t) => {
  const given = await tlsEngine(t);
  if (given === undefined) return;
  const { certificates, port } = given;
  const old = { ...clientTls(certificates, port, 'client'), minVersion: 'TLSv1', maxVersion: 'TLSv1.1' } as const;
  await assert.rejects(requestOver(old, 'GET', '/livez'));
});

test('cuts handshakes that do not end', async (t) => {
  const given = await tlsEngine(t, { headersMs: 200 });
  if (given === undefined) return;
  const fds = openFds();
  const wires = await Promise.all(
    Array.from({ length: 20 }, async () => await dial({ port: given.port, host: '127.0.0.1', allowHalfOpen: true })),
  );
  // The header of a handshake record; the rest is never sent.
  for (const wire of wires.slice(10)) await wire.send(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00]));
  await Promise.all(wires.map(async (wire) => await wire.over()));
  await until(() => openFds() <= fds + wires.length, 'the server has closed its ends');
  for (const wire of wires) wire.socket.destroy();
});

test('cuts headers that trickle behind a handshake', async (t) => {
  const given = await tlsEngine(t, { headersMs: 200 });
  if (given === undefined) return;
  const { certificates, port } = given;
  const socket = connect(clientTls(certificates, port, 'client'));
  socket.write('GET /livez HTTP/1.1\r\nHost: localhost\r\n');
  const text = await new Promise<string>((resolve) => {
    let received = '';
    socket.on('data', (data: Buffer) => (received += data.toString()));
    socket.on('close', () => resolve(received));
    socket.on('error', () => undefined);
  });
  assert.match(text, /^HTTP\/1\.1 408 /);
});

test('stops while a client is still in its handshake', async (t) => {
  const given = await tlsEngine(t, { headersMs: 60_000 });
  if (given === undefined) return;
  const wire = await dial({ port: given.port, host: '127.0.0.1' });
  await given.engine.server.stop({ graceMs: 0 });
  await wire.over();
});

test('says plainly that certificates cannot be used', async (t) => {
  const given = await tlsEngine(t);
  if (given === undefined) return;
  const { certificates, engine } = given;
  const { text } = certificates;
  for (const tls of [
    { ca: text('ca.pem'), cert: 'no certificate', key: text('server.key') },
    { ca: text('ca.pem'), cert: text('server.pem'), key: text('client.key') },
  ]) {
    await assert.rejects(engine.server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0, tls }), {
      code: 'ERR_OPTION_INVALID',
      message: /^the certificates or the key cannot be used: /,
    });
  }
});

test("survives a client that goes away in its download, and records its certificate's name", async (t) => {
  const given = await tlsEngine(t);
  if (given === undefined) return;
  const { certificates, port, engine } = given;
  const built = example({ layerBytes: 600_000 });
  await load(engine.store, await layoutArchive(built.images, built.blobs));
  const socket = connect(clientTls(certificates, port, 'client'));
  socket.once('data', () => socket.destroy());
  socket.write(`GET /images/get?names=${FAMILIAR} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  await until(() => engine.audit.length > 0, 'the save is over');
  assert.deepEqual([engine.audit[0]?.code, engine.audit[0]?.client], ['CLIENT_GONE', '127.0.0.1 robot']);
});
