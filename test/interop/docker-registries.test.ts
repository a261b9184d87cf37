import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { test, type TestContext } from 'node:test';
import Docker from 'dockerode';
import { layoutArchive } from '../fixtures/archive-builder.js';
import { makeCertificates } from '../fixtures/certificates.js';
import { lading, requireTool } from '../fixtures/command.js';
import { sharedRegistry, startRegistry, USER } from '../fixtures/docker-registry.js';
import { example, FAMILIAR } from '../fixtures/example.js';
import { dockerFor, DOCKERS, dockerTest, requireDocker, rowsOf } from './docker.js';
import { assertAtRest, startServe } from './serve-command.js';
import { onlyImageOf, statesOf } from './workspace.js';

/* docker pull, push and login through `lading serve`, against a docker-registry. */

const open = sharedRegistry();
const locked = sharedRegistry({ auth: 'basic' });
const AMD64 = ['--platform', 'linux/amd64'];
let repositories = 0;

/** A name in a repository of the test's own. */
async function nameIn(t: TestContext, start = open): Promise<string | undefined> {
  const registry = await start(t);
  repositories += 1;
  return registry && `${registry.host}/docker-${repositories}/app:1`;
}

dockerTest('push sends every platform, pull brings one, or another one', { loaded: true }, async (bench, t) => {
  const { docker, built, store } = bench;
  const name = await nameIn(t);
  if (name === undefined) return;
  await docker('tag', FAMILIAR, name);
  const pushed = await docker('push', name);
  assert.match(pushed, new RegExp(`^The push refers to repository \\[${name.slice(0, -2)}\\]\n`));
  assert.match(pushed, /^[0-9a-f]{12}: Pushed$/m);
  assert.ok(pushed.endsWith(`1: digest: ${built.root.digest} size: ${built.root.size}\n`), pushed);
  assert.equal(await docker('push', '-q', name), `${name}\n`);
  await docker('rmi', name, FAMILIAR);
  const pulled = await docker('pull', ...AMD64, name);
  assert.match(pulled, new RegExp(`^1: Pulling from docker-\\d+/app\n`));
  assert.match(pulled, /^[0-9a-f]{12}: Pull complete$/m);
  assert.ok(
    pulled.endsWith(`Digest: ${built.root.digest}\nStatus: Downloaded newer image for ${name}\n${name}\n`),
    pulled,
  );
  const states = { 'linux/amd64': 'complete', 'linux/arm64': 'missing', 'linux/arm/v7': 'missing' };
  assert.deepEqual(statesOf(await onlyImageOf(store)), states);
  assert.match(await docker('pull', ...AMD64, name), new RegExp(`Status: Image is up to date for ${name}\n`));
  assert.equal(await docker('pull', '-q', '--platform', 'linux/arm64', name), `${name}\n`);
  assert.deepEqual(statesOf(await onlyImageOf(store)), { ...states, 'linux/arm64': 'complete' });
  const [row] = rowsOf<{ Digest: string }>(await docker('images', '--digests', '--format', '{{json .}}'));
  assert.equal(row?.Digest, built.root.digest);
  await assertAtRest(store);
});

dockerTest('pull by digest and of all tags, and what is not there', { loaded: true }, async (bench, t) => {
  const { docker, refused, built } = bench;
  const name = await nameIn(t);
  if (name === undefined) return;
  const repository = name.slice(0, -2);
  for (const tag of ['1', '2']) {
    await docker('tag', FAMILIAR, `${repository}:${tag}`);
    await docker('push', '-q', `${repository}:${tag}`);
  }
  await docker('rmi', '-f', `${repository}:1`, `${repository}:2`);
  assert.match(await docker('pull', '-a', repository), /^1: Pulling from .*^2: Pulling from /ms);
  assert.match(await docker('images', repository), /app +1 .*app +2 /s);
  assert.match(await docker('pull', `${repository}@${built.root.digest}`), /Status: .*@sha256:/);
  assert.match(await refused('pull', `${repository}:none`), /manifest for .*:none not found: manifest unknown/);
  assert.match(await refused('push', `${repository}:none`), /does not exist locally with the tag/);
  assert.match(await refused('pull', 'localhost:1/no/app:1'), /registry localhost:1 cannot be reached/);
  const { status, stdout, stderr } = await bench.run(['pull', '--platform', 'linux/s390x', `${repository}:1`]);
  assert.deepEqual(
    [status, stderr],
    [1, 'no matching manifest for linux/s390x in the manifest list entries\n'],
    stdout,
  );
});

for (const docker of DOCKERS) {
  test(`docker ${docker.version}: login, push and pull with TLS and a password`, async (t) => {
    if (!requireDocker(t, docker) || !requireTool(t, 'docker-registry', 'openssl')) return;
    const certificates = await makeCertificates(t);
    const tls = { certificate: certificates.at('server.pem'), key: certificates.at('server.key') };
    const registry = await startRegistry({ auth: 'basic', tls });
    t.after(registry.stop);
    const served = await startServe(t, { options: ['--ca-file', certificates.at('ca.pem')] });
    const { run, docker: call, refused } = await dockerFor(docker, served);
    const built = example();
    const name = `${registry.host}/locked/app:1`;
    const loaded = await run(['load'], { input: await layoutArchive(built.images, built.blobs) });
    assert.equal(loaded.status, 0);
    await call('tag', FAMILIAR, name);
    assert.match(
      await refused('pull', name),
      /access denied for .*locked\/app, repository does not exist or may require 'docker login'/,
    );
    const pushed = await run(['push', name]);
    assert.equal(pushed.status, 1);
    assert.match(pushed.stderr, /access denied/);
    const login = async (password: string) =>
      await run(['login', '-u', USER.username, '--password-stdin', registry.host], { input: password });
    const wrong = await login('wrong-password');
    assert.equal(wrong.status, 1);
    assert.match(wrong.stderr, /unauthorized/);
    const right = await login(USER.password);
    assert.deepEqual([right.status, right.stdout], [0, 'Login Succeeded\n'], right.stderr);
    await call('push', name);
    await call('rmi', name);
    assert.match(await call('pull', '--platform', 'linux/arm64', name), /Downloaded newer image/);
    const record = await served.audited('pull');
    assert.ok(!JSON.stringify(record).includes(USER.password));
  });
}

test('the server uses the files of its own user only if it was told to', async (t) => {
  const [docker] = DOCKERS;
  const registry = await locked(t);
  if (registry === undefined || docker === undefined || !requireDocker(t, docker)) return;
  const first = await startServe(t);
  const file = first.at('auth.json');
  await lading(['login', '--authfile', file, '-u', USER.username, '--password-stdin', registry.host], {
    input: USER.password,
  });
  assert.ok((await readFile(file, 'utf8')).includes(registry.host));
  const name = `${registry.host}/own/app:1`;
  const told = await startServe(t, { options: ['--registry-credentials', '--authfile', file] });
  const untold = await startServe(t, { options: ['--authfile', file] });
  const unknown = await (await dockerFor(docker, told)).refused('pull', name);
  assert.match(unknown, /manifest unknown/);
  assert.match(await (await dockerFor(docker, untold)).refused('pull', name), /access denied/);
});

dockerTest(
  'a server that may speak to one registry, or to none',
  { options: ['--client-registries', 'localhost:1'] },
  async (bench, t) => {
    assert.match(
      await bench.refused('pull', 'localhost:2/a:1'),
      /start it with --client-registries localhost:2 to allow it/,
    );
    const none = await startServe(t, { options: ['--client-registries', 'none'] });
    const [docker] = DOCKERS;
    assert.ok(docker);
    assert.match(
      await (await dockerFor(docker, none)).refused('pull', 'localhost:1/a:1'),
      /does not speak to registries/,
    );
  },
);

test('dockerode: push, pull, distribution and checkAuth', async (t) => {
  const name = await nameIn(t);
  if (name === undefined) return;
  const served = await startServe(t);
  const docker = new Docker({ socketPath: served.at('s'), version: 'v1.52' });
  const built = example();
  await follow(docker, await docker.loadImage(Readable.from([await layoutArchive(built.images, built.blobs)])));
  const repository = name.slice(0, -2);
  await docker.getImage(FAMILIAR).tag({ repo: repository, tag: '1' });
  const pushed = await follow(docker, await docker.getImage(name).push({}));
  assert.deepEqual(pushed.at(-1)?.['aux'], { Tag: '1', Digest: built.root.digest, Size: built.root.size });
  await docker.getImage(name).remove();
  const pulled = await follow(docker, await docker.pull(name, { platform: 'linux/arm64' }));
  assert.deepEqual(pulled.at(-1), { status: `Status: Downloaded newer image for ${name}` });
  const { Descriptor } = (await docker.getImage(name).distribution()) as { Descriptor: { digest: string } };
  assert.equal(Descriptor.digest, built.root.digest);
  const login = (await docker.checkAuth({ ...USER, serveraddress: name.split('/')[0] ?? '' })) as { Status: string };
  assert.equal(login.Status, 'Login Succeeded');
  await assert.rejects(docker.pull(`${repository}:none`), { statusCode: 404 });
});

/** The lines of an answer, read as docker-modem reads them. */
async function follow(docker: Docker, stream: NodeJS.ReadableStream): Promise<readonly Record<string, unknown>[]> {
  return await new Promise((resolve, reject) => {
    docker.modem.followProgress(stream, (error: Error | null, lines: Record<string, unknown>[]) =>
      error === null ? resolve(lines) : reject(error),
    );
  });
}

for (const docker of DOCKERS) {
  test(`docker ${docker.version}: load and save through servers without a disk`, async (t) => {
    const registry = await open(t);
    if (registry === undefined || !requireDocker(t, docker)) return;
    repositories += 1;
    const options = ['--store', `registry://${registry.host}/stores/d${repositories}`];
    const [first, second] = [await startServe(t, { options }), await startServe(t, { options })];
    const [one, two] = [await dockerFor(docker, first), await dockerFor(docker, second)];
    const built = example({ attestations: true });
    const input = await layoutArchive(built.images, built.blobs);
    assert.equal((await one.run(['load'], { input })).stdout, `Loaded image: ${FAMILIAR}\n`);
    const [shown] = JSON.parse(await two.docker('image', 'inspect', FAMILIAR)) as { Id: string }[];
    assert.equal(shown?.Id, built.root.digest);
    const saved = await two.run(['save', FAMILIAR]);
    assert.equal(saved.status, 0);
    const other = await startServe(t);
    const reloaded = await (await dockerFor(docker, other)).run(['load'], { input: saved.output });
    assert.equal(reloaded.stdout, `Loaded image: ${FAMILIAR}\n`);
    assert.equal((await onlyImageOf(other.store)).digest, built.root.digest);
    assert.equal(await two.docker('rmi', FAMILIAR), `Untagged: ${FAMILIAR}\nDeleted: ${built.root.digest}\n`);
    assert.match(await one.refused('image', 'inspect', FAMILIAR), /No such image/);
  });
}
