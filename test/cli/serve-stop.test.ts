import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { startDaemon, type Daemon, type DaemonOptions } from '../fixtures/daemon.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { leasesOf } from '../fixtures/stores.js';
import { until } from '../fixtures/until.js';
import { chunk, dial, uploadHead, type Wire } from '../fixtures/wire.js';

const SAVE = `GET /v1.52/images/get?names=${FAMILIAR} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const READY = 'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n';

/** A daemon with this timeout that ends has not waited for it. */
const NO_STOP_TIMEOUT = { args: ['--stop-timeout', '1h'] };

/** A daemon with an upload on its way, and the bytes that are not sent yet. */
async function loading(
  t: TestContext,
  options: DaemonOptions = {},
): Promise<{ daemon: Daemon; wire: Wire; rest: Buffer }> {
  const daemon = await startDaemon(t, options);
  const archive = await readFile(daemon.archive);
  const wire = await dial({ path: daemon.socket });
  await wire.send(uploadHead());
  await wire.send(chunk(archive.subarray(0, 5000)));
  await isActive(daemon, 'load');
  return { daemon, wire, rest: Buffer.concat([chunk(archive.subarray(5000)), chunk()]) };
}

/** A daemon with a download on its way whose reader has paused. */
async function saving(t: TestContext, options: DaemonOptions = {}): Promise<{ daemon: Daemon; wire: Wire }> {
  const built = example({ layerBytes: 1_000_000 });
  const daemon = await startDaemon(t, { ...options, loaded: true, workspace: { built } });
  const wire = await dial({ path: daemon.socket });
  wire.socket.pause();
  await wire.send(SAVE);
  await isActive(daemon, 'save');
  return { daemon, wire };
}

async function isActive({ request }: Daemon, kind: 'load' | 'save'): Promise<void> {
  const line = `lading_transfers_active{kind="${kind}"} 1\n`;
  await until(async () => (await request('GET', '/metrics')).text.includes(line), `a ${kind} is on its way`);
}

/** Sends a signal, and waits until connections are refused. */
async function stopListening({ child, socket }: Daemon, signal: NodeJS.Signals): Promise<void> {
  child.kill(signal);
  await until(() => !existsSync(socket), 'the socket is removed');
}

/** A broken upload left nothing visible and no half-written file. */
async function hasNothing({ store, state }: Daemon): Promise<void> {
  const opened = await OciLayoutStore.open(store);
  assert.deepEqual(await opened.list(), []);
  assert.deepEqual((await state()).images, []);
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`lets an upload end after ${signal}, and exits with 0`, async (t) => {
    const { daemon, wire, rest } = await loading(t);
    await stopListening(daemon, signal);
    await wire.send(rest);
    await wire.received('Loaded image: example/app:1');
    assert.match(wire.text(), /^HTTP\/1\.1 200 /);
    assert.match(wire.text(), /^connection: close\r$/im);
    assert.equal(await daemon.ended(), 0);
    assert.deepEqual(
      (await daemon.state()).images.map(({ name }) => name),
      ['docker.io/example/app:1'],
    );
    assert.deepEqual(await leasesOf(await OciLayoutStore.open(daemon.store)), []);
  });
}

test('lets a download end after SIGTERM, and exits with 0', async (t) => {
  const { daemon, wire } = await saving(t);
  await stopListening(daemon, 'SIGTERM');
  wire.socket.resume();
  const text = await wire.over();
  const bodyAt = text.indexOf('\r\n\r\n') + 4;
  assert.equal(Number(/^content-length: (\d+)\r?$/im.exec(text)?.[1]), text.length - bodyAt);
  assert.equal(await daemon.ended(), 0);
});

test('says on open connections that it is not ready, and accepts no new work', async (t) => {
  const { daemon, wire, rest } = await loading(t);
  const probe = await dial({ path: daemon.socket });
  const other = await dial({ path: daemon.socket });
  const used = await dial({ path: daemon.socket });
  await used.send(READY);
  await used.received(/200 OK.*ok\n/s);
  await stopListening(daemon, 'SIGTERM');
  assert.doesNotMatch(await used.over(), /503/);
  await probe.send(READY);
  assert.match(await probe.over(), /^HTTP\/1\.1 503 .*\r\n\r\nstopping\n$/s);
  await other.send('POST /v1.52/images/prune HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n');
  assert.match(await other.over(), /^HTTP\/1\.1 503 .*\{"message":"this server is stopping"\}$/s);
  await assert.rejects(dial({ path: daemon.socket }));
  await wire.send(rest);
  await wire.received('Loaded image');
  assert.equal(await daemon.ended(), 0);
});

test('breaks an upload after the stop timeout, and leaves nothing visible of it', async (t) => {
  const { daemon, wire } = await loading(t, { args: ['--stop-timeout', '1s'] });
  const started = performance.now();
  await stopListening(daemon, 'SIGTERM');
  await wire.over();
  assert.equal(await daemon.ended(), 0);
  assert.ok(performance.now() - started >= 900);
  await hasNothing(daemon);
});

test('breaks a download after the stop timeout, so that no client takes it for whole', async (t) => {
  const { daemon, wire } = await saving(t, { args: ['--stop-timeout', '1s'] });
  await stopListening(daemon, 'SIGTERM');
  assert.equal(await daemon.ended(), 0);
  wire.socket.resume();
  const text = await wire.over();
  const length = Number(/^content-length: (\d+)/im.exec(text)?.[1]);
  assert.ok(text.length < length, `${text.length} of ${length}`);
});

for (const signals of [
  ['SIGTERM', 'SIGTERM'],
  ['SIGINT', 'SIGINT'],
  ['SIGTERM', 'SIGINT'],
] as const) {
  test(`stops at once at ${signals.join(' and ')}, the store as it was`, async (t) => {
    const { daemon, wire } = await loading(t, NO_STOP_TIMEOUT);
    const before = await daemon.state().catch(() => undefined);
    await stopListening(daemon, signals[0]);
    daemon.child.kill(signals[1]);
    await wire.over();
    assert.equal(await daemon.ended(), 0);
    await hasNothing(daemon);
    assert.ok(before === undefined || before.images.length === 0);
    assert.match(daemon.stderr(), /stopping: waiting for transfers; a second signal stops at once\n/);
  });
}

test('accepts an upload again that a stop broke', async (t) => {
  const { daemon, wire } = await loading(t, { args: ['--stop-timeout', '0'] });
  daemon.child.kill('SIGTERM');
  await wire.over();
  assert.equal(await daemon.ended(), 0);
  const { status, stdout } = await daemon.run(['load', '-i', daemon.archive]);
  assert.deepEqual([status, stdout], [0, `Loaded image: ${FAMILIAR}\n`]);
});

test('stops at once if no archive is on its way, also with open connections', async (t) => {
  const { child, socket, ended, request } = await startDaemon(t, NO_STOP_TIMEOUT);
  const wires = [await dial({ path: socket }), await dial({ path: socket })];
  await wires[0]?.send('GET /v1.52/events HTTP/1.1\r\nHost: localhost\r\n\r\n');
  await wires[0]?.received('200 OK');
  await wires[1]?.send(READY);
  await request('GET', '/_ping');
  child.kill('SIGTERM');
  assert.equal(await ended(), 0);
});
