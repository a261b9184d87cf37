import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { FAMILIAR } from '../fixtures/example.js';
import { dockerTest, rowsOf } from './docker.js';
import { LineLog } from './line-log.js';

dockerTest('version and info say what the server is, without an error', {}, async ({ run }) => {
  const version = await run(['version', '--format', '{{json .Server}}']);
  assert.deepEqual({ status: version.status, stderr: version.stderr }, { status: 0, stderr: '' });
  const { Platform, ApiVersion, MinAPIVersion } = JSON.parse(version.stdout) as Record<string, unknown>;
  assert.deepEqual(
    { Platform, ApiVersion, MinAPIVersion },
    { Platform: { Name: 'Lading' }, ApiVersion: '1.55', MinAPIVersion: '1.24' },
  );
  assert.equal((await run(['version'])).status, 0);
  const info = await run(['info']);
  assert.equal(info.status, 0);
  assert.match(info.stdout, /^ Storage Driver: lading$/m);
  assert.doesNotMatch(info.stdout + info.stderr, /error/i);
  const warnings = (info.stdout + info.stderr).match(/^WARNING: .*$/gm);
  assert.deepEqual(warnings, ['WARNING: this is Lading: it keeps images and runs no containers']);
});

dockerTest('the API version that is asked for is used, if it is served', { loaded: true }, async ({ run }) => {
  const asked = async (version: string): Promise<{ status: number | null; text: string }> => {
    const args = ['images', '--format', '{{.Repository}}:{{.Tag}}'];
    const { status, stdout, stderr } = await run(args, { env: { DOCKER_API_VERSION: version } });
    return { status, text: stdout + stderr };
  };
  for (const version of ['1.24', '1.41', '1.44', '1.48']) {
    assert.deepEqual(await asked(version), { status: 0, text: `${FAMILIAR}\n` }, version);
  }
  const [old, late] = [await asked('1.23'), await asked('1.56')];
  assert.deepEqual([old.status, late.status], [1, 1]);
  assert.match(old.text, /client version 1\.23 is too old\. Minimum supported API version is 1\.24/);
  assert.match(late.text, /client version 1\.56 is too new\. Maximum supported API version is 1\.55/);
});

interface Event {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: { readonly name: string } };
}

const JSON_ROWS = ['--format', '{{json .}}'];

dockerTest('events shows past actions, by time and by filter', { loaded: true }, async ({ docker, at, built }) => {
  await docker('save', '-o', at('out.tar'), FAMILIAR);
  await docker('tag', FAMILIAR, 'other:2');
  await docker('rmi', 'other:2');
  await docker('rmi', FAMILIAR);
  // A duration counts whole seconds, and would leave out the events of this second.
  const past = ['events', '--since', '10m', '--until', new Date().toISOString(), ...JSON_ROWS];
  const { digest } = built.root;
  const events = rowsOf<Event>(await docker(...past));
  assert.deepEqual(
    events.map(({ Type, Action, Actor }) => [Type, Action, Actor.ID, Actor.Attributes.name]),
    [
      ['image', 'load', digest, FAMILIAR],
      ['image', 'save', digest, FAMILIAR],
      ['image', 'tag', digest, 'other:2'],
      ['image', 'untag', digest, 'other:2'],
      ['image', 'untag', digest, FAMILIAR],
      ['image', 'delete', digest, digest],
    ],
  );
  const some = async (...filter: string[]): Promise<string[]> =>
    rowsOf<Event>(await docker(...past, ...filter.flatMap((one) => ['--filter', one]))).map(({ Action }) => Action);
  assert.deepEqual(await some('event=load', 'event=tag'), ['load', 'tag']);
  assert.deepEqual(await some('type=image', 'image=other'), ['tag', 'untag']);
  assert.deepEqual(await some('type=container'), []);
  assert.equal(await docker('events', '--since', '2h', '--until', '1h'), '');
});

dockerTest('events shows a load and a tag as they happen', { loaded: true }, async (bench, t) => {
  const { file, env, docker, archive, built } = bench;
  const child = spawn(file, ['events', '--since', '10m'], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill());
  const log = new LineLog(child.stdout);
  // The past load is printed once the command listens.
  await log.find(/ image load /);
  await docker('tag', FAMILIAR, 'other:2');
  await log.find(new RegExp(` image tag ${built.root.digest} \\(name=other:2\\)$`));
  assert.equal(log.text.match(/ image load /g)?.length, 1);
  await docker('rmi', FAMILIAR);
  await docker('load', '-q', '-i', archive);
  await docker('tag', FAMILIAR, 'third:3');
  await log.find(/ image tag .*third:3/);
  assert.equal(
    log.text.match(new RegExp(` image load ${built.root.digest} \\(name=example/app:1\\)$`, 'gm'))?.length,
    2,
  );
  assert.equal(child.exitCode, null);
});

const ONLY_IMAGES = /this server only keeps images/;
const NO_REGISTRY = /this server does not speak to registries/;
const REFUSALS: readonly (readonly [args: readonly string[], status: number, reason: RegExp])[] = [
  [['pull', 'example/app:1'], 1, NO_REGISTRY],
  [['pull', '--platform', 'linux/arm64', 'example/app:1'], 1, NO_REGISTRY],
  [['push', FAMILIAR], 1, NO_REGISTRY],
  [['search', 'app'], 1, /this server does not search in registries/],
  [['run', FAMILIAR], 125, ONLY_IMAGES],
  [['run', 'unknown:1'], 125, ONLY_IMAGES],
  [['create', FAMILIAR], 1, ONLY_IMAGES],
  [['ps'], 1, ONLY_IMAGES],
  [['ps', '-a'], 1, ONLY_IMAGES],
  [['network', 'ls'], 1, ONLY_IMAGES],
  [['volume', 'ls'], 1, ONLY_IMAGES],
  [['system', 'prune', '-f'], 1, ONLY_IMAGES],
  [['import', '-'], 1, /this server .* use load/],
  [['exec', 'unknown', 'true'], 1, /No such container: unknown\n/],
  [['top', 'unknown'], 1, /No such container: unknown\n/],
  [['diff', 'unknown'], 1, /No such container: unknown\n/],
  [['cp', 'unknown:/a', '-'], 1, /No such container:(?:path:)? unknown/],
  [['logs', 'unknown'], 1, /No such container: unknown\n/],
  [['container', 'inspect', 'unknown'], 1, /No such container: unknown\n/],
  [['volume', 'inspect', 'unknown'], 1, /no such volume/i],
];

const WITHOUT_REGISTRIES = { loaded: true, options: ['--client-registries', 'none'] };

dockerTest('commands that need containers or a registry fail and say why', WITHOUT_REGISTRIES, async ({ run }) => {
  for (const [args, expected, reason] of REFUSALS) {
    const { status, stderr } = await run(args);
    assert.equal(status, expected, args.join(' '));
    assert.match(stderr, reason, args.join(' '));
  }
});
