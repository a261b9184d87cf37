import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, lstatSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { spawnDaemon, startDaemon } from '../fixtures/daemon.js';
import { requestOver } from '../fixtures/engine.js';
import { example } from '../fixtures/example.js';
import { asNobody, NOBODY } from '../fixtures/other-user.js';
import { temporaryFolder } from '../fixtures/stores.js';

const modeOf = (file: string): number => lstatSync(file).mode & 0o777;

/** Sets the umask before a command. */
const withUmask = (mask: string): readonly string[] => ['sh', '-c', `umask ${mask}; exec "$@"`, 'sh'];

for (const mask of ['0', '077']) {
  test(`makes a socket that only its user can open, under umask ${mask}`, async (t) => {
    const { socket, request } = await startDaemon(t, { launcher: withUmask(mask) });
    assert.equal(modeOf(socket), 0o600);
    assert.equal((await request('GET', '/_ping')).text, 'OK');
  });

  test(`sets the mode of --socket-mode on its socket, under umask ${mask}`, async (t) => {
    const { socket } = await startDaemon(t, { launcher: withUmask(mask), args: ['--socket-mode', '660'] });
    assert.equal(modeOf(socket), 0o660);
  });
}

test('removes its socket when it stops', async (t) => {
  const { socket, child, ended } = await startDaemon(t);
  child.kill('SIGTERM');
  assert.equal(await ended(), 0);
  assert.equal(existsSync(socket), false);
});

test('replaces a socket that a killed server left', async (t) => {
  const first = await startDaemon(t);
  first.child.kill('SIGKILL');
  await first.ended();
  assert.ok(lstatSync(first.socket).isSocket());
  const { child } = await startDaemon(t, { hosts: [`unix://${first.socket}`] });
  assert.equal((await first.request('GET', '/_ping')).text, 'OK');
  child.kill('SIGTERM');
});

test('refuses a socket that another server listens on, and leaves it', async (t) => {
  const first = await startDaemon(t);
  const second = await spawnDaemon(t, { hosts: [`unix://${first.socket}`] });
  assert.equal(await second.ended(), 8);
  assert.match(second.stderr(), /cannot listen on .*: another server uses it \[ERR_STORAGE_IO\]\n$/);
  assert.equal((await first.request('GET', '/_ping')).text, 'OK');
});

test('refuses a path that is not a socket, and leaves it alone', async (t) => {
  const folder = await temporaryFolder(t);
  await mkdir(path.join(folder, 'folder'));
  await writeFile(path.join(folder, 'letter'), 'dear');
  for (const name of ['folder', 'letter']) {
    const { ended, stderr } = await spawnDaemon(t, { hosts: [`unix://${path.join(folder, name)}`] });
    assert.equal(await ended(), 8);
    assert.match(stderr(), /the file exists and is not a socket \[ERR_STORAGE_IO\]\n$/);
  }
  assert.equal(await readFile(path.join(folder, 'letter'), 'utf8'), 'dear');
});

test('says that the path of a socket is too long', async (t) => {
  const folder = await temporaryFolder(t);
  const long = path.join(folder, 'é'.repeat(50));
  const { ended, stderr } = await spawnDaemon(t, { hosts: [`unix://${long}`] });
  assert.equal(await ended(), 2);
  const bytes = Buffer.byteLength(long);
  assert.ok(
    stderr().startsWith(
      `lading: the path of a unix socket has at most 107 bytes, but "${long}" has ${bytes}; choose a `,
    ),
  );
  const fitting = path.join(folder, 'x'.repeat(106 - folder.length));
  await startDaemon(t, { hosts: [`unix://${fitting}`] });
  assert.ok(lstatSync(fitting).isSocket());
});

test('listens in the runtime folder of its user by default', async (t) => {
  const runtime = await temporaryFolder(t);
  const { stderr } = await startDaemon(t, { hosts: [], env: { XDG_RUNTIME_DIR: runtime } });
  const socket = path.join(runtime, 'lading', 'lading.sock');
  assert.equal(stderr(), `lading: listening on unix://${socket}\n`);
  assert.deepEqual([modeOf(path.dirname(socket)), modeOf(socket)], [0o700, 0o600]);
});

test('asks for --host if there is no runtime folder', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFile(path.join(folder, 'file'), '');
  for (const [runtime, status, message] of [
    [undefined, 2, 'XDG_RUNTIME_DIR is not set; choose a socket with --host unix://PATH [ERR_OPTION_INVALID]'],
    ['', 2, 'XDG_RUNTIME_DIR is not set; choose a socket with --host unix://PATH [ERR_OPTION_INVALID]'],
    ['relative', 2, 'XDG_RUNTIME_DIR is not set; choose a socket with --host unix://PATH [ERR_OPTION_INVALID]'],
    [path.join(folder, 'file'), 8, `cannot make "${path.join(folder, 'file', 'lading')}": ENOTDIR`],
  ] as const) {
    const { ended, stderr } = await spawnDaemon(t, { hosts: [], env: { XDG_RUNTIME_DIR: runtime } });
    assert.deepEqual([await ended(), stderr().slice(0, 8 + message.length)], [status, `lading: ${message}`]);
  }
});

test('listens on several addresses', async (t) => {
  const folder = await temporaryFolder(t);
  const [one, two] = [path.join(folder, 'one'), path.join(folder, 'two')];
  const hosts = [`unix://${one}`, `unix://${two}`, 'tcp://127.0.0.1:0', 'tcp://[::1]:0'];
  const { says, stderr } = await startDaemon(t, { hosts, args: ['--insecure-no-tls'] });
  await says('tcp://[::1]:');
  const ports = [...stderr().matchAll(/listening on tcp:\/\/(?:127\.0\.0\.1|\[::1\]):(\d+)$/gm)].map(
    ([, port]) => port,
  );
  for (const where of [
    { socketPath: one },
    { socketPath: two },
    { host: '127.0.0.1', port: ports[0] },
    { host: '::1', port: ports[1] },
  ]) {
    assert.equal((await requestOver({ ...where, agent: false }, 'GET', '/_ping')).text, 'OK');
  }
});

test('listens nowhere if one of the addresses cannot be used', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  const folder = await temporaryFolder(t);
  const one = path.join(folder, 'one');
  const hosts = [`unix://${one}`, `tcp://127.0.0.1:${port}`];
  const { ended, stderr } = await spawnDaemon(t, { hosts, args: ['--insecure-no-tls'] });
  assert.equal(await ended(), 8);
  assert.match(stderr(), /cannot listen on 127\.0\.0\.1:\d+: EADDRINUSE \[ERR_STORAGE_IO\]\n$/);
  assert.equal(existsSync(one), false);
});

test('a user under umask 277 gets a socket, a store and an audit log that go on after a restart', async (t) => {
  const folder = await temporaryFolder(t);
  if ((await asNobody(t, folder)) === undefined) return;
  const user = ['setpriv', '--reuid', String(NOBODY), '--regid', String(NOBODY), '--clear-groups'];
  const [audit, socketPath] = [path.join(folder, 'audit.jsonl'), path.join(folder, 'lading', 'lading.sock')];
  const archive = await layoutArchive(example().images, example().blobs);
  for (const run of [1, 2]) {
    const { child, ended, stderr } = await startDaemon(t, {
      hosts: [],
      env: { XDG_RUNTIME_DIR: folder },
      launcher: [...user, ...withUmask('277')],
      args: ['--store', path.join(folder, 'store'), '--audit-log', audit],
    });
    const loaded = await requestOver({ socketPath, agent: false }, 'POST', '/images/load', { body: archive });
    assert.equal(loaded.status, 200, loaded.text);
    await requestOver({ socketPath, agent: false }, 'POST', '/images/prune');
    child.kill('SIGTERM');
    assert.equal(await ended(), 0, stderr());
    assert.doesNotMatch(stderr(), /cannot/);
    assert.equal(
      String(await readFile(audit))
        .trimEnd()
        .split('\n').length,
      2 * run,
    );
  }
  assert.deepEqual([modeOf(path.dirname(socketPath)), modeOf(audit)], [0o700, 0o600]);
});
