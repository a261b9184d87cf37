import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { requireTool, runCommand, runLading } from '../fixtures/command.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import type { Certificate } from './certificates.js';
import { dockerFor, DOCKERS, requireDocker } from './docker.js';
import { startServe } from './serve-command.js';
import { startTlsServe, type TlsServed } from './serve-tls.js';
import { onlyImageOf, temporaryFolder } from './workspace.js';

/** The flags of the docker command for a client's certificate. */
function tlsFlags({ authority }: TlsServed, { cert, key }: Certificate): readonly string[] {
  return ['--tlsverify', '--tlscacert', authority.cert, '--tlscert', cert, '--tlskey', key];
}

for (const docker of DOCKERS) {
  test(`docker ${docker.version}: --tlsverify loads and saves over TCP, by address and by name`, async (t) => {
    if (!requireDocker(t, docker) || !requireTool(t, 'openssl')) return;
    const served = await startTlsServe(t);
    const { at, store, port, alice, audited } = served;
    const built = example();
    await writeFile(at('in.tar'), await layoutArchive(built.images, built.blobs));
    const asAlice = tlsFlags(served, alice);
    const byAddress = await dockerFor(docker, served);
    assert.equal(await byAddress.docker(...asAlice, 'load', '-i', at('in.tar')), `Loaded image: ${FAMILIAR}\n`);
    const byName = await dockerFor(docker, { ...served, url: `tcp://localhost:${port}` });
    const saved = await byName.run([...asAlice, 'save', FAMILIAR]);
    assert.equal(saved.status, 0, saved.stderr);
    assert.equal((await onlyImageOf(store)).digest, built.root.digest);
    const { client, code, digests, moved } = await audited('load');
    assert.deepEqual(
      { client, code, digests, moved },
      {
        client: '127.0.0.1 alice',
        code: 'OK',
        digests: [built.root.digest],
        moved: [{ name: NAME, to: built.root.digest }],
      },
    );
    assert.equal((await audited('save')).bytes, saved.output.length);
  });

  test(`docker ${docker.version}: is refused without a certificate, with a foreign one, and without TLS`, async (t) => {
    if (!requireDocker(t, docker) || !requireTool(t, 'openssl')) return;
    const served = await startTlsServe(t);
    const { refused } = await dockerFor(docker, served);
    for (const flags of [tlsFlags(served, served.mallory), ['--tls', '--tlscacert', served.authority.cert], []]) {
      assert.match(await refused(...flags, 'images'), /certificate required|EOF/, flags.join(' '));
    }
  });
}

/** The flags of curl for a client's certificate. */
function curlFlags({ cert, key }: Certificate): readonly string[] {
  return ['--cert', cert, '--key', key];
}

test('curl is refused without a certificate and with one of another authority', async (t) => {
  if (!requireTool(t, 'openssl', 'curl')) return;
  const { port, authority, alice, mallory } = await startTlsServe(t);
  const ping = async (...flags: readonly string[]): Promise<{ status: number | null; stdout: string }> => {
    const url = `https://localhost:${port}/_ping`;
    const { status, stdout } = await runCommand('curl', [
      '-sS',
      '--noproxy',
      '*',
      '--cacert',
      authority.cert,
      ...flags,
      url,
    ]);
    return { status, stdout };
  };
  assert.deepEqual(await ping(...curlFlags(alice)), { status: 0, stdout: 'OK' });
  assert.deepEqual(await ping('--tls-max', '1.2', ...curlFlags(alice)), { status: 0, stdout: 'OK' });
  for (const flags of [[], curlFlags(mallory), ['--tls-max', '1.1', ...curlFlags(alice)]]) {
    const { status, stdout } = await ping(...flags);
    assert.notEqual(status, 0, flags.join(' '));
    assert.equal(stdout, '');
  }
});

test('TCP without TLS is refused at start, except for loopback with --insecure-no-tls', async (t) => {
  const store = `${await temporaryFolder(t)}/store`;
  for (const args of [
    ['--host', 'tcp://127.0.0.1:0'],
    ['--host', 'tcp://0.0.0.0:0', '--insecure-no-tls'],
    ['--host', 'tcp://127.0.0.1:0', '--tlsverify'],
  ]) {
    const { status, stderr } = await runLading(['serve', '--store', store, ...args]);
    assert.equal(status, 2, args.join(' '));
    assert.match(stderr, /TLS|--tlsverify/);
    assert.doesNotMatch(stderr, /listening/);
  }
});

for (const docker of DOCKERS) {
  test(`docker ${docker.version}: uses loopback without TLS if the server has --insecure-no-tls`, async (t) => {
    if (!requireDocker(t, docker)) return;
    const served = await startServe(t, { host: 'tcp://127.0.0.1:0', options: ['--insecure-no-tls'] });
    const { docker: runDocker } = await dockerFor(docker, served);
    assert.equal(await runDocker('images', '-q'), '');
  });
}
