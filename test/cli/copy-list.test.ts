import assert from 'node:assert/strict';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { jsonOf } from '../fixtures/cli-workspace.js';
import { runCommand, runLading } from '../fixtures/command.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { NAME } from '../fixtures/example.js';
import { FaultProxy } from '../fixtures/fault-proxy.js';
import { assertOk, registryScene } from '../fixtures/registry-scene.js';

const open = sharedRegistry();

interface Event {
  readonly from: string;
  readonly to: string;
  readonly status: string;
  readonly bytes?: number;
  readonly referrers?: number;
  readonly rateLimit?: { readonly limit?: string; readonly remaining: string };
  readonly error?: { readonly code: string };
  readonly images?: readonly { readonly source: string; readonly digest: string }[];
}

async function eventsIn(file: string): Promise<readonly Event[]> {
  const lines = (await readFile(file, 'utf8')).split('\n');
  return lines.flatMap((line) => (line.endsWith('}') ? [jsonOf<Event>(line)] : []));
}

test('goes on with a list after a failure, and says which line failed', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const place = (name: string): string => `docker://${registry.host}/list/${name}`;
  const list = at('list.txt');
  await writeFile(
    list,
    `# images\nstore:${NAME} ${place('a:1')}\n\n${place('none:1')} ${place('b:1')} # not there\n${place('a:1')} ${place('c:1')}\n`,
  );
  const copied = await lading(['copy', '--json', '--from-file', list]);
  assert.equal(copied.status, 3, copied.stderr);
  const report = jsonOf<{ copies: { to: string; error?: { code: string; message: string } }[]; incomplete: boolean }>(
    copied.stdout,
  );
  assert.deepEqual(
    report.copies.map(({ error }) => error?.code),
    [undefined, 'ERR_IMAGE_UNKNOWN', undefined],
  );
  assert.match(report.copies[1]?.error?.message ?? '', /has no image/);
  const fast = await lading(['copy', '--fail-fast', '--jobs', '1', '--from-file', list]);
  assert.equal(fast.status, 3);
  assert.equal(fast.stdout.split('\n').filter((line) => line !== '').length, 1);
  await writeFile(list, `${place('none:1')} ${place('b:1')}\n`);
  assert.equal((await lading(['copy', '--from-file', list])).status, 4);
  await writeFile(list, `${place('none:1')}\n`);
  const bad = await lading(['copy', '--from-file', list]);
  assert.match(bad.stderr, /list\.txt:1: a line is a source and a destination/);
  assert.equal(bad.status, 2);
});

test('reports each line of a list, and asks about each tag once when it runs again', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at, built } = scene;
  const proxy = await FaultProxy.start(t, registry.port);
  const [list, report] = [at('list.txt'), at('report.jsonl')];
  const lines = Array.from({ length: 5 }, (_, n) => `store:${NAME} docker://${proxy.host}/report/r${n % 2}:${n}`);
  await writeFile(list, `${[...lines, 'store:not/there docker://localhost:1/x:1'].join('\n')}\n`);
  const args = ['copy', '--from-file', list, '--report', report];
  const rate = { 'ratelimit-limit': '100;w=21600', 'ratelimit-remaining': '76;w=21600' };
  proxy.fault = ({ url }) => (url.includes('/manifests/') ? { headers: rate } : undefined);
  assert.equal((await lading(args)).status, 3);
  const first = await eventsIn(report);
  assert.deepEqual(first.map(({ status }) => status).toSorted(), [...Array<string>(5).fill('copied'), 'failed']);
  assert.equal(first.find(({ status }) => status === 'failed')?.error?.code, 'ERR_IMAGE_UNKNOWN');
  const root = built.root.digest;
  assert.deepEqual(first.find(({ status }) => status === 'copied')?.images, [
    { name: NAME, source: root, digest: root },
  ]);
  const copied = first.filter(({ status }) => status === 'copied');
  assert.ok(copied.every(({ referrers }) => referrers === 0));
  assert.deepEqual(copied[0]?.rateLimit, { limit: '100;w=21600', remaining: '76;w=21600' });
  // As a process leaves it that is killed while it writes.
  await appendFile(report, '{"schema":"lading.copy-event/1","from":"sto');
  const before = proxy.seen.length;
  assert.equal((await lading(args)).status, 3);
  const asked = proxy.seen.slice(before).filter(({ url }) => url !== '/v2/');
  assert.deepEqual(
    asked.map(({ method, bytes }) => [method, bytes]),
    Array.from({ length: 5 }, () => ['HEAD', 0]),
  );
  const second = (await eventsIn(report)).slice(first.length);
  assert.deepEqual(second.map(({ status }) => status).toSorted(), ['failed', ...Array<string>(5).fill('up-to-date')]);
  await writeFile(at('other'), 'something else\n');
  const wrong = await lading(['copy', '--from-file', list, '--report', at('other')]);
  assert.deepEqual([wrong.status, await readFile(at('other'), 'utf8')], [2, 'something else\n']);
  assert.match(wrong.stderr, /is no report of lading copy/);
});

test('knows from its report that a part of an image is up to date', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at, built } = scene;
  const proxy = await FaultProxy.start(t, registry.port);
  const args = [
    'copy',
    '--platform',
    'linux/amd64,linux/arm64',
    '-q',
    '--report',
    at('report'),
    `store:${NAME}`,
    `docker://${proxy.host}/report/part:1`,
  ];
  const copied = await lading(args);
  assert.match(copied.stdout, /^Copied: /);
  assert.ok(!copied.stdout.includes(built.root.digest), 'a new index, since this registry takes no sparse ones');
  const before = proxy.seen.length;
  assert.equal((await lading(args)).stdout, copied.stdout.replace('Copied', 'Up to date'));
  assert.deepEqual(
    proxy.seen
      .slice(before)
      .filter(({ url }) => url !== '/v2/')
      .map(({ method }) => method),
    ['HEAD'],
  );
  const whole = await lading(args.filter((_, n) => n !== 1 && n !== 2));
  assert.match(whole.stdout, new RegExp(`^Copied: .*${built.root.digest}`));
});

test('stops beginning lines after a failure with --fail-fast, and counts those that were not tried', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const place = (n: number): string => `docker://${registry.host}/fast/a:${n}`;
  await writeFile(
    at('list'),
    `store:none ${place(0)}\n${[1, 2, 3].map((n) => `store:${NAME} ${place(n)}\n`).join('')}`,
  );
  const { stdout, status } = await lading(['copy', '--json', '--jobs', '1', '--fail-fast', '--from-file', at('list')]);
  const { copies, notTried } = jsonOf<{ copies: unknown[]; notTried: number }>(stdout);
  assert.deepEqual([status, copies.length, notTried], [4, 1, 3]);
});

test('writes several repositories into one archive, which skopeo reads', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at, built } = scene;
  for (const name of ['one/a:1', 'two/b:2']) assertOk(await lading(['push', NAME, `${registry.host}/archive/${name}`]));
  const from = (name: string): string => `docker://${registry.host}/archive/${name}`;
  await writeFile(
    at('list'),
    `${from('one/a:1')} oci-archive:${at('all.tar')}\n${from('two/b:2')} oci-archive:${at('all.tar')}:my/own:3\n`,
  );
  assertOk(await lading(['copy', '--from-file', at('list')]));
  const listed = (await lading(['images', '--archive', at('all.tar')])).stdout;
  assert.match(listed, new RegExp(`^${registry.host}/archive/one/a:1 `, 'm'));
  assert.match(listed, /^my\/own:3 /m);
  const skopeo = await runCommand('skopeo', ['inspect', '--raw', `oci-archive:${at('all.tar')}:my/own:3`]);
  if (skopeo.status !== null && skopeo.status === 0) assert.match(skopeo.stdout, /manifests/);
  const archive = await readFile(at('all.tar'));
  await writeFile(at('list'), `${from('one/a:1')} oci-archive:-\n${from('two/b:2')} oci-archive:-:my/own:3\n`);
  const piped = await lading(['copy', '--from-file', at('list')]);
  assert.ok(piped.output.equals(archive), piped.stderr);
  await writeFile(at('list'), `${from('one/a:1')} oci-archive:x.tar:a:1\n${from('two/b:2')} oci-archive:x.tar:a:1\n`);
  const twice = await lading(['copy', '--from-file', at('list')], { cwd: at('.') });
  assert.deepEqual([twice.status, /would both become/.test(twice.stderr)], [2, true], twice.stderr);
  assert.ok(built.root.size > 0);
});

test('puts the repositories of a list below a prefix, each with its tags', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const target = `docker://${registry.host}/mirror/of/`;
  for (const name of ['pre/a:1', 'pre/b:2']) assertOk(await lading(['push', NAME, `${registry.host}/${name}`]));
  await writeFile(
    at('list'),
    ['pre/a:1', 'pre/b:2'].map((one) => `docker://${registry.host}/${one} ${target}\n`).join(''),
  );
  assertOk(await lading(['copy', '--from-file', at('list')]));
  assertOk(await lading(['tags', `${registry.host}/mirror/of/pre/a`]), '1\n');
  assertOk(await lading(['tags', `${registry.host}/mirror/of/pre/b`]), '2\n');
  assertOk(await lading(['copy', '-q', `store:${NAME}`, target]));
  assertOk(await lading(['tags', `${registry.host}/mirror/of/example/app`]), '1\n');
});

test('copies lines into one store at the same time', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const lines = Array.from({ length: 6 }, (_, n) => `docker://${registry.host}/many/a:1 store:many/n${n}:1`);
  assertOk(await lading(['push', NAME, `${registry.host}/many/a:1`]));
  await writeFile(at('list'), lines.join('\n'));
  assertOk(await lading(['copy', '--from-file', at('list'), '--store', at('into')]));
  assert.equal((await lading(['images', '-q', '--store', at('into')])).stdout.split('\n').length > 0, true);
  const verified = await lading(['verify', '--store', at('into'), '--complete', '--json']);
  assert.equal(verified.status, 0, verified.stdout);
  const listed = (await lading(['images', '--store', at('into')])).stdout;
  for (let n = 0; n < 6; n += 1) assert.match(listed, new RegExp(`^many/n${n}:1 `, 'm'));
});

test('takes the words of skopeo', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at, built } = scene;
  const to = `docker://${registry.host}/skopeo/words:1`;
  const words = ['--all', '--src-tls-verify=false', '--dest-tls-verify=false', '--digestfile', at('digest')];
  assertOk(await lading(['copy', ...words, `store:${NAME}`, to]));
  assert.equal(await readFile(at('digest'), 'utf8'), `${built.root.digest}\n`);
  const system = await lading(['copy', '-q', '--multi-arch', 'system', to, `oci-archive:${at('one.tar')}`, '--json']);
  assert.equal(system.status, 0, system.stderr);
  const { copies } = jsonOf<{ copies: { images: { digest: string }[] }[] }>(system.stdout);
  const platform = process.arch === 'arm64' ? 'linux/arm64' : 'linux/amd64';
  assert.equal(copies[0]?.images[0]?.digest, built.of(platform).digest);
  for (const [args, text] of [
    [['--src-creds', 'a:s3cret'], /would be seen by others/],
    [['--multi-arch', 'index-only'], /an index alone is not copied/],
    [['--all', '--platform', 'linux/arm64'], /leave --all and --multi-arch out/],
    [['--dest-tls-verify=no'], /is true or false/],
  ] as const) {
    const { status, stderr } = await lading(['copy', ...args, `store:${NAME}`, to]);
    assert.deepEqual([status, text.test(stderr), stderr.includes('s3cret')], [2, true, false], stderr);
  }
});

const WRONG: readonly (readonly [lines: readonly string[], text: RegExp])[] = [
  [
    ['store:a docker://localhost:1/x:1', 'store:b docker://localhost:1/x:1'],
    /would both become docker:\/\/localhost:1\/x:1/,
  ],
  [['oci-archive:- docker://localhost:1/x:1', 'oci-archive:-:2 docker://localhost:1/x:2'], /only one line can read/],
  [['oci-archive:a.tar docker://localhost:1/x/'], /needs a name behind it/],
  [
    ['store:a oci-archive:x.tar', 'docker://localhost:1/a oci-archive:x.tar:b'],
    /all from docker:\/\/ or all from store:/,
  ],
];

test('refuses lists that cannot be meant, before anything is copied', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  for (const [lines, text] of WRONG) {
    const { status, stderr } = await runLading(['copy', '--from-file', '-'], { input: lines.join('\n') });
    assert.deepEqual([status, text.test(stderr)], [2, true], stderr);
  }
  const jobs = await runLading(['copy', 'store:a', 'docker://localhost:1/x', '--jobs', '0']);
  assert.match(jobs.stderr, /--jobs must be a whole number/);
});
