import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { clientTls, makeCertificates } from '../fixtures/certificates.js';
import { requireTool, runCommand } from '../fixtures/command.js';
import { spawnDaemon, startDaemon, type Daemon, type DaemonOptions } from '../fixtures/daemon.js';
import { requestOver } from '../fixtures/engine.js';
import { sampleOf } from '../fixtures/extent.js';
import { temporaryFolder } from '../fixtures/stores.js';

/**
 * Opens sockets as a service manager does, passes them from file descriptor 3 on, and becomes the command. The first
 * argument is JSON with `sockets` (paths, or ports of 127.0.0.1), and further `env`.
 */
const LAUNCHER = `
import json, os, socket, sys
asked = json.loads(sys.argv[1])
opened = []
for where in asked["sockets"]:
    if isinstance(where, str):
        one = socket.socket(socket.AF_UNIX)
        one.bind(where)
    else:
        one = socket.socket(socket.AF_INET)
        one.bind(("127.0.0.1", where))
        print("port", one.getsockname()[1], file=sys.stderr, flush=True)
    one.listen(16)
    opened.append(os.dup2(one.fileno(), 100 + len(opened)))
for at, fd in enumerate(opened):
    os.dup2(fd, 3 + at, inheritable=True)
os.closerange(3 + len(opened), 200)
env = dict(os.environ, LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(opened)))
env.update(asked.get("env", {}))
os.execvpe(sys.argv[2], sys.argv[2:], env)
`;

interface Passed {
  readonly sockets: readonly (string | number)[];
  readonly env?: Readonly<Record<string, string>>;
}

function passing(passed: Passed, around: readonly string[] = []): DaemonOptions {
  return { hosts: [], launcher: ['python3', '-c', LAUNCHER, JSON.stringify(passed), ...around] };
}

function portOf({ stderr }: Daemon): number {
  return Number(/^port (\d+)$/m.exec(stderr())?.[1]);
}

async function socketPath(t: TestContext): Promise<string> {
  return path.join(await temporaryFolder(t), 'passed.sock');
}

async function pings(where: object): Promise<void> {
  assert.equal((await requestOver({ ...where, agent: false }, 'GET', '/_ping')).text, 'OK');
}

for (const hosts of [[], ['fd://']] as const) {
  test(`serves on a unix socket that was passed (${hosts.join() || 'no --host'})`, async (t) => {
    if (!requireTool(t, 'python3')) return;
    const socket = await socketPath(t);
    const { child, ended } = await startDaemon(t, { ...passing({ sockets: [socket] }), hosts });
    await pings({ socketPath: socket });
    child.kill('SIGTERM');
    assert.equal(await ended(), 0);
    // The socket belongs to its opener, who goes on listening.
    assert.ok(existsSync(socket));
  });
}

test('serves on several sockets that were passed, with TLS on those of TCP', async (t) => {
  if (!requireTool(t, 'python3', 'openssl')) return;
  const certificates = await makeCertificates(t);
  const { at } = certificates;
  const [one, two] = [await socketPath(t), await socketPath(t)];
  const args = [
    '--tlsverify',
    '--tlscacert',
    at('ca.pem'),
    '--tlscert',
    at('server.pem'),
    '--tlskey',
    at('server.key'),
  ];
  const daemon = await startDaemon(t, { ...passing({ sockets: [one, 0, two] }), args });
  await daemon.says(/(?:.*listening.*\n){3}/);
  await pings({ socketPath: one });
  await pings({ socketPath: two });
  await pings(clientTls(certificates, portOf(daemon), 'client'));
  await assert.rejects(requestOver(clientTls(certificates, portOf(daemon)), 'GET', '/_ping'));
});

test('refuses a TCP socket that was passed without TLS', async (t) => {
  if (!requireTool(t, 'python3')) return;
  const { ended, stderr } = await spawnDaemon(t, passing({ sockets: [0] }));
  assert.equal(await ended(), 2);
  assert.match(stderr(), /file descriptor 3: TCP needs --tlsverify .*\[ERR_OPTION_INVALID\]\n$/);
});

const NOT_PASSED: readonly Readonly<Record<string, string>>[] = [
  { LISTEN_PID: '1' },
  { LISTEN_PID: '' },
  { LISTEN_FDS: '' },
  { LISTEN_FDS: '-1' },
];

for (const env of sampleOf(NOT_PASSED, 2, 'sockets that were not passed')) {
  test(`uses no socket that was not passed to it: ${JSON.stringify(env)}`, async (t) => {
    if (!requireTool(t, 'python3')) return;
    const socket = await socketPath(t);
    const runtime = await temporaryFolder(t);
    const options = passing({ sockets: [socket], env });
    const { stderr } = await startDaemon(t, { ...options, env: { XDG_RUNTIME_DIR: runtime } });
    assert.ok(stderr().endsWith(`listening on unix://${runtime}/lading/lading.sock\n`));
    const asked = await spawnDaemon(t, { ...passing({ sockets: [await socketPath(t)], env }), hosts: ['fd://'] });
    assert.equal(await asked.ended(), 2);
  });
}

test('refuses fd:// without passed sockets, and other hosts with them', async (t) => {
  if (!requireTool(t, 'python3')) return;
  const message =
    'lading: --host fd:// needs sockets that systemd passed (LISTEN_FDS), and they allow no other --host [ERR_OPTION_INVALID]\n';
  const other = `unix://${await socketPath(t)}`;
  for (const options of [
    { hosts: ['fd://'] },
    { hosts: ['fd://', other] },
    { ...passing({ sockets: [await socketPath(t)] }), hosts: [other] },
    { ...passing({ sockets: [await socketPath(t)] }), hosts: ['fd://', other] },
  ]) {
    const { ended, stderr } = await spawnDaemon(t, options);
    assert.deepEqual([await ended(), stderr()], [2, message]);
  }
});

test('refuses a passed file descriptor that is not a socket', async (t) => {
  if (!requireTool(t, 'python3')) return;
  const { ended, stderr } = await spawnDaemon(t, passing({ sockets: [await socketPath(t)], env: { LISTEN_FDS: '2' } }));
  assert.equal(await ended(), 2);
  assert.equal(stderr(), 'lading: file descriptor 4 of LISTEN_FDS is not a socket [ERR_OPTION_INVALID]\n');
});

test('serves a passed unix socket, but no TCP socket, in a network namespace of its own', async (t) => {
  if (!requireTool(t, 'python3', 'unshare')) return;
  const { status } = await runCommand('unshare', ['--net', 'true']);
  if (status !== 0) return t.skip('may not make network namespaces');
  const socket = await socketPath(t);
  await startDaemon(t, passing({ sockets: [socket] }, ['unshare', '--net']));
  await pings({ socketPath: socket });
  const { ended, stderr } = await spawnDaemon(t, passing({ sockets: [0] }, ['unshare', '--net']));
  assert.equal(await ended(), 2);
  assert.match(
    stderr(),
    /file descriptor 3 is a TCP socket, but looks like a unix socket here; .*\[ERR_OPTION_INVALID\]\n$/,
  );
});
