import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { requireTool, runCommand } from '../fixtures/command.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { example, FAMILIAR, NAME, PLATFORMS } from '../fixtures/example.js';
import { FaultProxy } from '../fixtures/fault-proxy.js';
import { LADING } from '../fixtures/cli-workspace.js';
import { idsIn } from '../fixtures/progress-events.js';
import { eventsOf } from '../fixtures/progress-lines.js';
import { registryScene } from '../fixtures/registry-scene.js';

const open = sharedRegistry();
const built = example({ layers: 2, layerBytes: 2_000_000, compression: 'none' });
const allBlobs = [...built.blobs.keys()].toSorted();
const JSON_LINES = ['--progress', 'json'];

test('a push and a pull tell each blob, and the bytes that the destination lacks', async (t) => {
  const scene = await registryScene(t, open, built);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const name = `${registry.host}/told/app:1`;
  const pushed = eventsOf((await lading(['push', FAMILIAR, name, ...JSON_LINES])).stderr);
  const { start, bytes, end } = pushed.told;
  assert.deepEqual(
    [start.op, start.images, pushed.status],
    ['copy', [{ name: FAMILIAR, digest: built.root.digest, platforms: [...PLATFORMS] }], 0],
  );
  assert.deepEqual(idsIn(pushed.told, 'done'), allBlobs);
  const [last] = bytes.slice(-1);
  assert.ok(last !== undefined && last.current === last.total && last.total === start.total);
  assert.ok(end.ok && (end.report as { schema: string }).schema === 'lading.push/1');
  const again = eventsOf((await lading(['push', FAMILIAR, name, ...JSON_LINES])).stderr).told;
  assert.deepEqual([again.blobs, again.end.ok], [[], true]);

  const pull = ['pull', name, '--store', at('other'), ...JSON_LINES];
  assert.deepEqual(idsIn(eventsOf((await lading(pull)).stderr).told, 'done'), allBlobs);
  const present = eventsOf((await lading(pull)).stderr).told;
  assert.deepEqual([idsIn(present, 'present'), idsIn(present, 'done'), present.bytes.at(-1)?.total], [allBlobs, [], 0]);
});

test('a copy from and to an archive is told as a copy', async (t) => {
  const scene = await registryScene(t, open, built);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const file = `oci-archive:${at('app.tar')}`;
  for (const places of [
    [`store:${NAME}`, file],
    [file, `docker://${registry.host}/archived/app:1`],
  ]) {
    const { told, status } = eventsOf((await lading(['copy', ...places, ...JSON_LINES])).stderr);
    assert.deepEqual([told.start.op, told.end.ok, status], ['copy', true, 0]);
    assert.deepEqual(idsIn(told, 'done'), allBlobs);
  }
});

test('the copies of a list are told as one, and a line that fails as a warning', async (t) => {
  const scene = await registryScene(t, open, built);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const to = (name: string): string => `docker://${registry.host}/listed/${name}`;
  await writeFile(
    at('list.txt'),
    [`store:${NAME} ${to('a:1')}`, `store:no/such:1 ${to('b:1')}`, `store:${NAME} ${to('c:1')}`].join('\n'),
  );
  const { stderr, status } = await lading(['copy', '--from-file', at('list.txt'), '--jobs', '2', ...JSON_LINES]);
  const { told, status: toldStatus } = eventsOf(stderr);
  assert.deepEqual([status, toldStatus, told.end.ok, told.warnings], [3, 3, true, ['ERR_IMAGE_UNKNOWN']]);
  assert.deepEqual([told.start.op, told.start.total, told.start.images], ['copy', undefined, []]);
  const over = [...idsIn(told, 'done'), ...idsIn(told, 'present')].toSorted();
  assert.deepEqual(over, allBlobs);
  const [last] = told.bytes.slice(-1);
  assert.ok(last !== undefined && last.current > 0 && last.current === last.total, JSON.stringify(last));
});

test('a copy that fails is told in the end alone', async (t) => {
  const scene = await registryScene(t, open, built);
  if (scene === undefined) return;
  const { lading, registry } = scene;
  for (const args of [
    ['copy', 'store:no/such:1', `docker://${registry.host}/failed/app:1`],
    ['push', 'no/such:1', `${registry.host}/failed/app:1`],
    ['pull', `${registry.host}/failed/none:1`],
  ]) {
    const { status, stderr } = await lading([...args, ...JSON_LINES]);
    const { told, status: toldStatus } = eventsOf(stderr);
    assert.deepEqual(
      [status, toldStatus, told.end.ok ? '' : told.end.error.code, told.warnings],
      [4, 4, 'ERR_IMAGE_UNKNOWN', []],
      args.join(' '),
    );
  }
});

test('plain prints a line at the start and one at the end', async (t) => {
  const scene = await registryScene(t, open, built);
  if (scene === undefined) return;
  const { lading, registry } = scene;
  const args = ['copy', `store:${NAME}`, `docker://${registry.host}/plain/app:1`];
  const { stderr, stdout } = await lading([...args, '--progress', 'plain']);
  assert.match(stderr, /^lading: copy started, 12\.\d MB\nlading: copy done, 12\.\d MB in \d+s\n$/);
  assert.match(stdout, /^Copied: /);
});

test('draws on a terminal, and leaves the lines of the list', async (t) => {
  if (!requireTool(t, 'script')) return;
  const scene = await registryScene(t, open, built);
  if (scene === undefined) return;
  const { registry, at, store, home } = scene;
  const proxy = await FaultProxy.start(t, registry.port);
  let isHeld = false;
  // The second copy waits until something was drawn.
  proxy.fault = ({ url }) => {
    if (isHeld || !url.includes('/drawn/b/')) return undefined;
    isHeld = true;
    return { status: 429, headers: { 'retry-after': '2' } };
  };
  await writeFile(
    at('list.txt'),
    [`store:${NAME} docker://${proxy.host}/drawn/a:1`, `store:${NAME} docker://${proxy.host}/drawn/b:1`].join('\n'),
  );
  const command = `stty cols 110; ${process.execPath} ${LADING} copy --from-file ${at('list.txt')} --jobs 2`;
  const { stdout } = await runCommand('script', ['-qec', `bash -c '${command}'`, '/dev/null'], {
    env: { HOME: home, LADING_STORE: store, CI: undefined, TERM: 'xterm', LC_ALL: 'C.UTF-8' },
  });
  assert.match(stdout, /%/);
  // What is drawn is taken away before a line is printed.
  for (const line of stdout.split('\n').filter((one) => one.includes('Copied: ')))
    assert.ok(/^(?:.*\[J)?Copied: /s.test(line), JSON.stringify(line));
  assert.equal([...stdout.matchAll(/Copied: /g)].length, 2);
});
