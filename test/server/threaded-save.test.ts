import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { exportImages } from '../../src/export/export-images.js';
import type { Digest } from '../../src/model/digest.js';
import type { ServerOptions } from '../../src/server/index.js';
import { blobPath } from '../fixtures/archive-entries.js';
import { clientTls, makeCertificates } from '../fixtures/certificates.js';
import { requireTool } from '../fixtures/command.js';
import { flipBit } from '../fixtures/damage.js';
import { engineWithExample } from '../fixtures/engine-store.js';
import { requestOver, type Engine } from '../fixtures/engine.js';
import { example, FAMILIAR, type Example } from '../fixtures/example.js';
import { bytesOf } from '../fixtures/saved-archive.js';
import { leasesOf } from '../fixtures/stores.js';
import { openFds, until } from '../fixtures/until.js';

/*
 * Saves that are large enough for a thread of their own: the connection takes chunks whose memory is used again.
 */

const URL = `/images/get?names=${FAMILIAR}`;

/** More than 16 MiB in all, as two large layers and small ones. */
const built = example({ platforms: ['linux/amd64', 'linux/arm64'], layers: 2, layerBytes: 5_000_000 });

async function largeEngine(t: TestContext, options: ServerOptions = {}): Promise<Engine> {
  return await engineWithExample(t, { built, ...options });
}

/** The layers in the order of the archive. */
function layersOf({ blobs, of }: Example): readonly Digest[] {
  return ['linux/amd64', 'linux/arm64'].flatMap((platform) =>
    (blobs.links(of(platform).digest).layers ?? []).map(({ digest }) => digest),
  );
}

async function startSave({ socket }: Engine, agent?: http.Agent): Promise<IncomingMessage> {
  const request = http.get({ socketPath: socket, path: URL, agent: agent ?? false });
  request.on('error', () => {});
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return response;
}

/** All threads, claims and files of a save are gone. */
async function leavesNothing({ store }: Engine, fds: number): Promise<void> {
  await until(() => openFds() <= fds, 'all files are closed');
  await until(async () => (await leasesOf(store)).length === 0, 'the claims are gone');
}

test('sends the bytes of the library, and the next answer over the same connection', async (t) => {
  const engine = await largeEngine(t);
  const expected = await bytesOf(exportImages(engine.store, [FAMILIAR]));
  assert.ok(expected.length > 16 * 1024 * 1024);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const before = openFds();
  for (let round = 0; round < 3; round += 1) {
    const { status, headers, body } = await engine.request('GET', URL, { agent });
    assert.equal(status, 200);
    assert.ok(body.equals(expected), `round ${round}`);
    assert.equal(headers['content-length'], String(expected.length));
    assert.match(String(headers['etag']), /^"lading-1-/);
    assert.match(String(headers['server']), /^Lading\//);
    assert.equal(headers['content-type'], 'application/x-tar');
    assert.equal((await engine.request('GET', '/_ping', { agent })).text, 'OK');
  }
  await leavesNothing(engine, before + 2);
  assert.deepEqual(
    engine.audit.map(({ code, bytes }) => [code, bytes]),
    [1, 2, 3].map(() => ['OK', expected.length]),
  );
});

test('sends the same bytes over TLS', async (t) => {
  if (!requireTool(t, 'openssl')) return;
  const engine = await largeEngine(t);
  const certificates = await makeCertificates(t);
  const tls = {
    ca: certificates.text('ca.pem'),
    cert: certificates.text('server.pem'),
    key: certificates.text('server.key'),
  };
  const url = await engine.server.listen({ kind: 'tcp', host: '127.0.0.1', port: 0, tls });
  const where = clientTls(certificates, Number(new globalThis.URL(url).port), 'client');
  const { body } = await requestOver(where, 'GET', URL);
  assert.ok(body.equals(await bytesOf(exportImages(engine.store, [FAMILIAR]))));
});

test('breaks the connection if a layer is found damaged, wherever it stands', async (t) => {
  for (const digest of layersOf(built)) {
    const engine = await largeEngine(t);
    const fds = openFds();
    await flipBit(path.join(engine.folder, blobPath(digest)));
    const response = await startSave(engine);
    const chunks: Buffer[] = [];
    response.on('data', (chunk: Buffer) => chunks.push(chunk));
    const [error] = (await once(response, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ECONNRESET');
    const body = Buffer.concat(chunks);
    assert.ok(body.length < Number(response.headers['content-length']));
    assert.ok(!body.subarray(-1024).equals(Buffer.alloc(1024)), 'the archive ends well');
    await until(() => engine.audit.length === 1, 'the audit knows');
    assert.equal(engine.audit[0]?.code, 'ERR_DIGEST_MISMATCH');
    await leavesNothing(engine, fds);
    assert.equal((await engine.request('GET', '/_ping')).status, 200);
  }
});

test('forgets clients that go away at any byte', async (t) => {
  const engine = await largeEngine(t);
  await engine.request('GET', '/_ping', { agent: false });
  const fds = openFds();
  const limits = [0, 1, 300_000, 5_000_000, 15_000_000];
  for (const limit of limits) {
    const response = await startSave(engine);
    let seen = 0;
    if (limit === 0) response.destroy();
    else response.on('data', ({ length }: Buffer) => (seen += length) >= limit && response.destroy());
    response.on('error', () => {});
    await once(response, 'close');
  }
  await until(() => engine.audit.length === limits.length, 'the audit knows');
  assert.deepEqual([...new Set(engine.audit.map(({ code }) => code))], ['CLIENT_GONE']);
  await leavesNothing(engine, fds);
});

test('answers others while a client reads nothing, and cuts that client', async (t) => {
  const engine = await largeEngine(t, { stalledMs: 300 });
  const fds = openFds();
  const response = await startSave(engine);
  response.on('error', () => {});
  assert.equal((await engine.request('GET', '/_ping', { agent: false })).status, 200);
  // Not read: the connection holds what fits into it.
  await until(() => engine.audit.length === 1, 'the client is cut');
  assert.equal(engine.audit[0]?.code, 'CLIENT_GONE');
  response.destroy();
  await leavesNothing(engine, fds);
});

test('ends what is on its way if the server stops without waiting', async (t) => {
  const engine = await largeEngine(t);
  const response = await startSave(engine);
  response.on('error', () => {});
  await once(response, 'readable');
  const closed = new Promise((resolve) => response.once('close', resolve));
  await engine.server.stop({ graceMs: 0 });
  response.resume();
  await closed;
  assert.equal(response.complete, false);
  assert.deepEqual(await leasesOf(engine.store), []);
});

test('lets a save end if the server stops and waits', async (t) => {
  const engine = await largeEngine(t);
  const response = await startSave(engine);
  const stopped = engine.server.stop({ graceMs: 60_000 });
  const body = await bytesOf(response);
  assert.equal(body.length, Number(response.headers['content-length']));
  await stopped;
});

test('sends more archives at once than it has threads for', async (t) => {
  const engine = await largeEngine(t);
  const expected = await bytesOf(exportImages(engine.store, [FAMILIAR]));
  const answers = await Promise.all(
    Array.from({ length: 6 }, async () => await engine.request('GET', URL, { agent: false })),
  );
  for (const { body } of answers) assert.ok(body.equals(expected));
});

test('keeps to ranges and to HEAD', async (t) => {
  const engine = await largeEngine(t);
  const expected = await bytesOf(exportImages(engine.store, [FAMILIAR]));
  const part = await engine.request('GET', URL, { headers: { Range: 'bytes=1000-2000000' } });
  assert.equal(part.status, 206);
  assert.ok(part.body.equals(expected.subarray(1000, 2_000_001)));
  const head = await engine.request('HEAD', URL);
  assert.deepEqual([head.headers['content-length'], head.body.length], [String(expected.length), 0]);
});
