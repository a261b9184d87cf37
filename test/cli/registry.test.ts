import assert from 'node:assert/strict';
import { mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { jsonOf, LADING, type PrintedError } from '../fixtures/cli-workspace.js';
import { runCommand, runLading } from '../fixtures/command.js';
import { sharedRegistry, USER } from '../fixtures/docker-registry.js';
import { example, NAME } from '../fixtures/example.js';
import { assertOk, registryScene } from '../fixtures/registry-scene.js';

const open = sharedRegistry();
const locked = sharedRegistry({ auth: 'basic' });

const sceneFor = async (t: TestContext, start = open, built = example()) => await registryScene(t, start, built);

test('pushes, lists, inspects, pulls, copies and removes', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { lading, registry, built, at } = scene;
  const name = `${registry.host}/cli/app:1`;
  const root = built.root.digest;
  assertOk(await lading(['push', NAME, name]), `Pushed: ${name}@${root}\n`);
  assertOk(await lading(['push', NAME, `docker://${name}`]), `Up to date: ${name}@${root}\n`);
  assertOk(await lading(['tags', `${registry.host}/cli/app`]), '1\n');
  const inspected = await lading(['inspect', `docker://${name}`, '--json']);
  const { images } = jsonOf<{ images: { digest: string; platforms: { state: string }[] }[] }>(inspected.stdout);
  assert.deepEqual(
    images.map(({ digest, platforms }) => [digest, platforms.map(({ state }) => state)]),
    [[root, ['complete', 'complete', 'complete']]],
  );
  assertOk(await lading(['pull', '--store', at('pulled'), name]), `${name}@${root}\n`);
  assertOk(
    await lading(['copy', `docker://${name}`, `oci-archive:${at('a.tar')}`]),
    `Copied: oci-archive:${at('a.tar')}@${root}\n`,
  );
  const saved = await lading(['save', name, '--store', at('pulled')]);
  assert.ok(saved.output.equals(await readFile(at('a.tar'))), 'the archive is that of a pull and a save');
  const piped = await lading(['copy', 'oci-archive:-', `docker://${registry.host}/cli/piped:2`], {
    input: saved.output,
  });
  assertOk(piped, `Copied: docker://${registry.host}/cli/piped:2@${root}\n`);
  assertOk(await lading(['copy', `oci-archive:${at('a.tar')}`, `docker://${registry.host}/cli/file:3`]));
  assertOk(await lading(['copy', `docker://${registry.host}/cli/file:3`, `oci:${at('layout')}:4`]));
  assertOk(await lading(['copy', `docker://${registry.host}/cli/file:3`, 'store:other/name:5']));
  assert.match((await lading(['images'])).stdout, /^other\/name:5 /m);
  const listed = await lading(['images', '--store', at('layout')]);
  assert.match(listed.stdout, new RegExp(String.raw`^${registry.host}/cli/file:4 `, 'm'));
  const dry = await lading(['copy', '--dry-run', `docker://${name}`, `docker://${registry.host}/cli/dry:1`]);
  assertOk(dry, `Would copy: docker://${registry.host}/cli/dry:1@${root}\n`);
  assert.equal((await lading(['tags', `${registry.host}/cli/dry`])).status, 4);
  assertOk(await lading(['registry', 'rm', `docker://${registry.host}/cli/app@${root}`]));
  const gone = await lading(['pull', name, '--json']);
  assert.deepEqual([gone.status, jsonOf<PrintedError>(gone.stderr).error.code], [4, 'ERR_IMAGE_UNKNOWN']);
});

test('streams a pipe of large layers into a registry', async (t) => {
  const built = example({ platforms: ['linux/amd64'], layerBytes: 3_000_000, compression: 'none' });
  const scene = await sceneFor(t, open, built);
  if (scene === undefined) return;
  const name = `docker://${scene.registry.host}/cli/pipe:1`;
  // A pipe of the shell, since the stdin that Node gives a process is a socket.
  const line = `cat '${scene.archive}' | '${process.execPath}' '${LADING}' copy oci-archive:- '${name}'`;
  const { status, stdout, stderr } = await runCommand('sh', ['-c', line]);
  assert.deepEqual([status, stdout], [0, `Copied: ${name}@${built.root.digest}\n`], stderr);
});

test('renames an image in an archive, for docker and for OCI tools', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { lading, at } = scene;
  for (const [place, name] of [
    ['docker-archive:x.tar:my/name:7', 'my/name:7'],
    ['oci-archive:x.tar:8', 'example/app:8'],
    ['oci-archive:x.tar:a.b/c:9', 'a.b/c:9'],
  ] as const) {
    assertOk(await lading(['copy', `store:${NAME}`, place], { cwd: at('.') }));
    const listed = await lading(['images', '--archive', at('x.tar')]);
    assert.match(listed.stdout, new RegExp(`^${name} `, 'm'));
  }
});

test('copies every tag of a repository', async (t) => {
  const scene = await sceneFor(t);
  if (scene === undefined) return;
  const { lading, registry } = scene;
  for (const tag of ['1', '2']) assertOk(await lading(['push', NAME, `${registry.host}/all/from:${tag}`]));
  assertOk(await lading(['copy', '-a', `docker://${registry.host}/all/from`, `docker://${registry.host}/all/to`]));
  assertOk(await lading(['tags', `${registry.host}/all/to`]), '1\n2\n');
  const named = await lading([
    'copy',
    '-a',
    `docker://${registry.host}/all/from`,
    `docker://${registry.host}/all/to:1`,
  ]);
  assert.equal(named.status, 2);
});

test('lists tags by patterns and versions', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry } = scene;
  const repository = `${registry.host}/tags/many`;
  const tags = ['1.0', '1.2.0', '1.10.0', '1.10.0-alpine', 'v2.0.0', '2.1.0-rc1', 'latest'];
  for (const tag of tags) assertOk(await lading(['push', NAME, `${repository}:${tag}`]));
  const listed = async (...rule: readonly string[]) => (await lading(['tags', ...rule, repository])).stdout.split('\n');
  assert.deepEqual(await listed(), [...tags.toSorted(), '']);
  assert.deepEqual(await listed('--semver', '^1.2'), ['1.10.0', '1.2.0', '']);
  assert.deepEqual(await listed('--semver', '>=1', '--exclude', '^v', '--latest', '1'), ['1.10.0', '']);
  assert.deepEqual(await listed('--semver', '1', '--suffix', '-alpine'), ['1.10.0-alpine', '']);
  const { stdout } = await lading(['tags', '--json', '--semver', '2', repository]);
  assert.deepEqual(JSON.parse(stdout), { schema: 'lading.tags/1', repository, tags: ['v2.0.0'], listed: 7 });
  for (const rule of [
    ['--semver', 'x.y'],
    ['--latest', '0'],
    ['--exclude', '('],
    ['--prefix', 'r'],
  ]) {
    const { status, stderr } = await lading(['tags', ...rule, repository]);
    assert.equal(status, 2, stderr);
    assert.match(stderr, new RegExp(`${rule[0]}.*\\[ERR_OPTION_INVALID\\]`));
  }
});

test('logs in, keeps the credentials for the owner alone, and logs out', async (t) => {
  const scene = await sceneFor(t, locked);
  if (scene === undefined) return;
  const { lading, registry, home } = scene;
  const name = `${registry.host}/cli/app:1`;
  const refused = await lading(['push', NAME, name]);
  assert.deepEqual(
    [refused.status, /credentials are needed.*lading login/s.test(refused.stderr)],
    [6, true],
    refused.stderr,
  );
  const login = ['login', registry.host, '-u', USER.username, '--password-stdin'];
  const wrong = await lading(login, { input: 'wrong\n' });
  assert.deepEqual([wrong.status, wrong.stderr.includes('wrong')], [6, false], wrong.stderr);
  assertOk(await lading(login, { input: `${USER.password}\n` }));
  const file = path.join(home, '.docker', 'config.json');
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assertOk(await lading(['push', NAME, name]));
  // skopeo reads the same file.
  const skopeo = await runCommand('skopeo', [
    'list-tags',
    '--authfile',
    file,
    '--tls-verify=false',
    `docker://${registry.host}/cli/app`,
  ]);
  if (skopeo.status !== null) assert.deepEqual(jsonOf<{ Tags: string[] }>(skopeo.stdout).Tags, ['1']);
  const once = await lading(['tags', `${registry.host}/cli/app`, '-u', USER.username, '--password-stdin'], {
    input: USER.password,
  });
  assertOk(once, '1\n');
  assertOk(await lading(['logout', registry.host]));
  assert.equal((await lading(['tags', `${registry.host}/cli/app`])).status, 6);
  assert.ok(!(await readFile(file, 'utf8')).includes(registry.host));
});

test('asks a credential helper, and hides what it says', async (t) => {
  const scene = await sceneFor(t, locked);
  if (scene === undefined) return;
  const { lading, registry, home, at } = scene;
  const bin = at('bin');
  await mkdir(bin);
  await mkdir(path.join(home, '.docker'));
  const helper = path.join(bin, 'docker-credential-test');
  const answer = JSON.stringify({ ServerURL: registry.host, Username: USER.username, Secret: USER.password });
  await writeFile(helper, `#!/bin/sh\ncat >> '${at('asked')}'\ncat <<'END'\n${answer}\nEND\n`, { mode: 0o755 });
  await writeFile(
    path.join(home, '.docker', 'config.json'),
    JSON.stringify({ credHelpers: { [registry.host]: 'test' } }),
  );
  const env = { PATH: `${bin}:${process.env['PATH']}` };
  const name = `${registry.host}/helped/app:1`;
  assertOk(await lading(['push', NAME, name], { env }));
  assert.equal(await readFile(at('asked'), 'utf8'), registry.host, 'asked once');
  await writeFile(helper, `#!/bin/sh\necho 's3cret-output'\nexit 1\n`, { mode: 0o755 });
  const failed = await lading(['tags', `${registry.host}/helped/app`], { env });
  assert.equal(failed.status, 2);
  assert.match(failed.stderr, /docker-credential-test.*ERR_CREDENTIALS/s);
  assert.ok(!failed.stderr.includes('s3cret'));
  await writeFile(helper, "#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n", { mode: 0o755 });
  assert.equal((await lading(['tags', `${registry.host}/helped/app`], { env })).status, 6);
});

const WRONG: readonly (readonly [args: readonly string[], text: RegExp])[] = [
  [['copy', 'a', 'docker://b'], /did you mean docker:\/\/a for a registry or store:a/],
  [['copy', 'docker://a'], /takes a source and a destination/],
  [['copy', 'docker://localhost:1/a:1', 'docker://localhost:1/b:1', '--blob-jobs', '0'], /--blob-jobs/],
  [['copy', 'oci-archive:x.tar', 'oci-archive:y.tar'], /load it into a store/],
  [['tags', 'a:1'], /without a tag/],
  [['registry', 'rm', 'localhost:1/a'], /with a tag or a digest/],
  [['login', 'localhost:1'], /--password-stdin/],
  [['tags', 'localhost:1/a', '-u', 'x'], /--password-stdin/],
  [['tags', 'localhost:1/a', '--authfile', '/nonexistent'], /cannot read the file of credentials/],
  [['tags', 'localhost:1/a', '--ca-file', '/nonexistent'], /--ca-file/],
  [['tags', 'localhost:1/a', '--match', '('], /regular expression/],
];

test('refuses what it does not understand, with exit status 2', async () => {
  for (const [args, text] of WRONG) {
    const { status, stderr } = await runLading(args);
    assert.equal(status, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, text);
  }
});

test('says that nothing listens, with exit status 6', async () => {
  const { status, stderr } = await runLading(['tags', 'localhost:1/a', '--retry-times', '1']);
  assert.equal(status, 6, stderr);
  assert.match(stderr, /nothing listens there; check host and port \[ERR_REGISTRY_UNREACHABLE\]/);
});
