import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { clientTls, makeCertificates } from '../fixtures/certificates.js';
import { workspace } from '../fixtures/cli-workspace.js';
import { requireTool } from '../fixtures/command.js';
import { startDaemon } from '../fixtures/daemon.js';
import { requestOver } from '../fixtures/engine.js';
import { sampleOf } from '../fixtures/extent.js';
import { dial } from '../fixtures/wire.js';

test('refuses addresses where it cannot listen', async (t) => {
  const { run } = await workspace(t);
  const hosts = [
    '',
    'unix://',
    'unix://relative.sock',
    '/run/lading.sock',
    'tcp://',
    'tcp://127.0.0.1',
    'tcp://127.0.0.1:',
    'tcp://127.0.0.1:65536',
    'tcp://127.0.0.1:1/path',
    'tcp://::1:2375',
    'tcp://[127.0.0.1]:2375',
    'http://127.0.0.1:2375',
    'npipe:////./pipe/lading',
  ];
  for (const host of sampleOf(hosts, 4, 'places')) {
    const { status, stderr } = await run(['serve', '--host', host]);
    assert.deepEqual(
      [status, stderr],
      [2, `lading: ${JSON.stringify(host)} is not unix:///PATH or tcp://HOST:PORT [ERR_OPTION_INVALID]\n`],
    );
  }
});

test('refuses options that mean nothing, before it listens', async (t) => {
  const { run, at } = await workspace(t);
  const host = ['--host', `unix://${at('engine.sock')}`];
  const never = /^(?!.*listening on)/s;
  const refused: readonly (readonly [readonly string[], RegExp])[] = [
    [['--socket-mode', '0'], /--socket-mode "0" is not a mode such as 0600 or 660/],
    [['--socket-mode', '4755'], /--socket-mode "4755" is not/],
    [['--socket-mode', 'rw'], /--socket-mode "rw" is not/],
    [['--max-transfers', '0'], /--max-transfers "0" is not a number from 1 to 999999/],
    [['--max-transfers', '1e3'], /--max-transfers "1e3" is not a number/],
    [['--max-connections', 'many'], /--max-connections "many" is not a number/],
    [['--headers-timeout', '0'], /--headers-timeout "0" is too short; use at least 1s/],
    [['--idle-timeout', '0'], /--idle-timeout "0" is too short; use at least 1s/],
    [['--stall-timeout', '0s'], /--stall-timeout "0s" is too short; use at least 1s/],
    [['--stop-timeout', 'soon'], /"soon" is not a time such as/],
    [['--tlsverify'], /TLS needs --tlsverify, --tlscacert, --tlscert and --tlskey together/],
    [['--tlscacert', at('ca.pem')], /TLS needs --tlsverify/],
  ];
  for (const [args, message] of sampleOf(refused, 5, 'options')) {
    const { status, stderr } = await run(['serve', ...host, ...args]);
    assert.deepEqual([args.join(' '), status], [args.join(' '), 2]);
    assert.match(stderr, message);
    assert.match(stderr, never);
  }
});

test('refuses TCP without TLS, and files that cannot be read or used', async (t) => {
  const { run, at } = await workspace(t);
  for (const host of ['tcp://127.0.0.1:0', 'tcp://0.0.0.0:0'])
    assert.match((await run(['serve', '--host', host])).stderr, /TCP needs --tlsverify .*\[ERR_OPTION_INVALID\]\n$/);
  const open = await run(['serve', '--host', 'tcp://0.0.0.0:0', '--insecure-no-tls']);
  assert.match(open.stderr, /--insecure-no-tls works on 127\.0\.0\.1 and \[::1\] only \[ERR_OPTION_INVALID\]\n$/);
  const file = at('empty.pem');
  const tls = ['--tlsverify', '--tlscacert', file, '--tlscert', file, '--tlskey', file];
  const absent = await run(['serve', '--host', 'tcp://127.0.0.1:0', ...tls]);
  assert.deepEqual([absent.status, /cannot read ".*empty\.pem"/.test(absent.stderr)], [4, true]);
  await writeFile(file, '');
  const empty = await run(['serve', '--host', 'tcp://127.0.0.1:0', ...tls]);
  assert.match(empty.stderr, /the certificates or the key cannot be used: .*\[ERR_OPTION_INVALID\]\n$/);
  assert.equal(empty.status, 2);
});

test('accepts times longer than a timer can wait', async (t) => {
  const args = ['--headers-timeout', '99d', '--idle-timeout', '99d', '--stall-timeout', '99d', '--stop-timeout', '99d'];
  const { request, stderr, child, ended } = await startDaemon(t, { args, loaded: true });
  assert.equal((await request('GET', '/images/get?names=example/app:1')).status, 200);
  assert.equal((await request('POST', '/images/load', { body: 'no archive' })).status, 400);
  child.kill('SIGTERM');
  assert.equal(await ended(), 0);
  assert.doesNotMatch(stderr(), /Warning/);
});

test('serves over TLS with the files that the docker command uses', async (t) => {
  if (!requireTool(t, 'openssl')) return;
  const certificates = await makeCertificates(t);
  const { at } = certificates;
  const args = [
    '--tlsverify',
    '--tlscacert',
    at('ca.pem'),
    '--tlscert',
    at('server.pem'),
    '--tlskey',
    at('server.key'),
  ];
  const { stderr } = await startDaemon(t, { hosts: ['tcp://127.0.0.1:0'], args });
  const port = Number(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/.exec(stderr())?.[1]);
  const { text } = await requestOver(clientTls(certificates, port, 'client'), 'GET', '/_ping');
  assert.equal(text, 'OK');
  await assert.rejects(requestOver(clientTls(certificates, port), 'GET', '/_ping'));
});

test('answers for the host names of --server-name', async (t) => {
  const args = ['--insecure-no-tls', '--server-name', 'Images.example.org'];
  const { stderr } = await startDaemon(t, { hosts: ['tcp://127.0.0.1:0'], args });
  const where = { host: '127.0.0.1', port: /:(\d+)\n/.exec(stderr())?.[1], agent: false } as const;
  for (const [host, status] of [
    ['images.example.org', 200],
    ['evil.example.org', 421],
  ] as const) {
    assert.equal((await requestOver(where, 'GET', '/_ping', { headers: { host } })).status, status);
  }
});

test('does nothing for a TCP client that has gone, which looks like one on a unix socket', async (t) => {
  const args = ['--insecure-no-tls'];
  const { child, stderr, says } = await startDaemon(t, { hosts: ['tcp://127.0.0.1:0'], args });
  const where = { host: '127.0.0.1', port: Number(/:(\d+)\n/.exec(stderr())?.[1]) };
  const page = 'Host: evil.example.org\r\nOrigin: https://evil.example.org\r\nContent-Length: 0\r\n\r\n';
  // The kernel gets connection, request and reset before the server sees any of them.
  child.kill('SIGSTOP');
  for (let n = 0; n < 5; n += 1) {
    const { socket, send } = await dial(where);
    await send(`POST /images/prune HTTP/1.1\r\n${page}`);
    socket.resetAndDestroy();
  }
  child.kill('SIGCONT');
  await requestOver({ ...where, agent: false }, 'POST', '/images/prune');
  await says('"prune"');
  assert.equal(stderr().match(/"prune"/g)?.length, 1);
  assert.match(stderr(), /"client":"127\.0\.0\.1"/);
});
