import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test, type TestContext } from 'node:test';
import { jsonOf, startLading, statusOf } from '../fixtures/cli-workspace.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { IS_ALL } from '../fixtures/extent.js';
import { FaultProxy } from '../fixtures/fault-proxy.js';
import { digestsOf, pushTags } from '../fixtures/pushed-tags.js';
import { assertOk, registryScene } from '../fixtures/registry-scene.js';

const open = sharedRegistry();

interface Event {
  readonly to: string;
  readonly status: string;
  readonly error?: { readonly code: string };
}

const TAGS = ['1.0', '1.1', '1.2', '1.3', 'mine'] as const;

/** A mirror of four tags, beside a tag of somebody else with the image of the first. */
async function mirror(t: TestContext, name: string) {
  const scene = await registryScene(t, open);
  if (scene === undefined) return undefined;
  const { lading, registry, at } = scene;
  const proxy = await FaultProxy.start(t, registry.port);
  const [from, to] = [`${registry.host}/${name}/from`, `${registry.host}/${name}/to`];
  const digests = await pushTags(t, from, { '1.0': 'a', '1.1': 'b', '1.2': 'c', '1.3': 'd' });
  await pushTags(t, to, { mine: 'a' });
  const [file, report] = [at('sync.json'), at('report.jsonl')];
  const entry = { source: from, destination: `${proxy.host}/${name}/to` };
  /** Runs the document with these rules. */
  const sync = async (rules: object, ...options: readonly string[]) => {
    await writeFile(file, JSON.stringify({ sync: [{ ...entry, ...rules }] }));
    return await lading(['copy', '--from-file', file, '--report', report, '--retry-times', '1', ...options]);
  };
  const events = async (): Promise<readonly Event[]> =>
    (await readFile(report, 'utf8'))
      .split('\n')
      .filter(Boolean)
      .map((line) => jsonOf<Event>(line));
  const now = async () => await digestsOf(t, to, TAGS);
  const target = `docker://${entry.destination}`;
  const all: Readonly<Record<string, string | undefined>> = { ...digests, mine: digests['1.0'] };
  return { ...scene, proxy, to, sync, events, now, target, digests: all };
}

const ALL = { tags: { semver: '1' } };
const NEWEST = { tags: { semver: '1', latest: 1 } };

test('removes what no rule keeps, after it has told it, and nothing of others', async (t) => {
  const own = await mirror(t, 'keep');
  if (own === undefined) return;
  const { sync, events, now, target, digests, to } = own;
  assertOk(await sync(ALL));
  assert.deepEqual(await now(), digests);
  const rules = { ...NEWEST, retain: { latest: 2 } };
  // Somebody moves a tag that was copied.
  const moved = (await pushTags(t, to, { '1.1': 'other' }))['1.1'];
  const dry = await sync(rules, '--dry-run');
  assert.equal(dry.status, 0, dry.stderr);
  const line = `${target}:1.0@${digests['1.0']} (not wanted now, not among the 2 highest versions; its image stays as mine)`;
  assert.ok(dry.stdout.endsWith(`\nWould remove: ${line}\n`), dry.stdout);
  assert.match(dry.stderr, /:1\.1 stays: it has another image than sha256/);
  assert.deepEqual(await now(), { ...digests, '1.1': moved });
  assertOk(await sync({ ...rules, retain: { latest: 2, dryRun: true } }, '-q').then((one) => ({ ...one, stdout: '' })));
  assert.deepEqual(await now(), { ...digests, '1.1': moved });
  const real = await sync(rules, '-q');
  assertOk(real);
  assert.ok(real.stdout.endsWith(`\nTo remove: ${line}\nRemoved: ${target}:1.0@${digests['1.0']}\n`), real.stdout);
  assert.deepEqual(await now(), { ...digests, '1.1': moved, '1.0': undefined });
  assert.deepEqual(
    (await events()).slice(-3).map(({ to, status }) => [to, status]),
    [
      [`${target}:1.1`, 'moved'],
      [`${target}:1.0`, 'removing'],
      [`${target}:1.0`, 'removed'],
    ],
  );
  // All of it is known now.
  assertOk(await sync(rules), `Up to date: ${target}:1.3@${digests['1.3']}\n`);
});

// Each run of the command costs a third of a second; test/registry/retention.test.ts has the same without it.
function thorough(name: string, run: (t: TestContext) => Promise<void>): void {
  if (IS_ALL) void test(name, run);
}

thorough('removes nothing where not all was copied, or nobody knows what was', async (t) => {
  const own = await mirror(t, 'none');
  if (own === undefined) return;
  const { sync, now, digests, lading, at, target } = own;
  assertOk(await sync(ALL));
  const rules = { tags: ['1.3', 'none'], retain: { latest: 1 } };
  const failed = await sync(rules, '--json');
  assert.equal(failed.status, 3, failed.stderr);
  assert.match(failed.stderr, /no tag is removed, since not all of it was copied/);
  const { removals } = jsonOf<{ removals: unknown }>(failed.stdout);
  assert.deepEqual(removals, [{ to: target, status: 'skipped' }]);
  // A list of the source that shows nothing any more.
  assert.equal((await sync({ tags: { match: 'none' }, retain: { latest: 1 } })).status, 4);
  // Without the report, the tags are those of others.
  const fresh = await lading(['copy', '--from-file', at('sync.json'), '--report', at('other')]);
  assert.equal(fresh.status, 4);
  assertOk(await sync({ ...NEWEST, retain: { latest: 4 } }).then((one) => ({ ...one, stdout: '' })));
  assertOk(await sync({ ...NEWEST, retain: { latest: 1, days: 1 } }).then((one) => ({ ...one, stdout: '' })));
  assert.deepEqual(await now(), digests);
});

test('goes on after a tag that is refused, stops where all would be, and exits with 3', async (t) => {
  const own = await mirror(t, 'refused');
  if (own === undefined) return;
  const { sync, events, now, digests, proxy } = own;
  assertOk(await sync(ALL));
  const rules = { ...NEWEST, retain: { latest: 1 } };
  const statusOf = async (count: number) =>
    (await events()).slice(-count).map((one) => [one.to.slice(-3), one.status, one.error?.code]);
  const answer = (status: number, when: RegExp) => {
    proxy.fault = ({ method, url }, _request, response) => {
      if (method !== 'DELETE' || !when.test(url)) return undefined;
      response.writeHead(status).end();
      return 'answered';
    };
  };
  answer(405, /./);
  const none = await sync(rules);
  assert.equal(none.status, 3, none.stderr);
  assert.match(none.stderr, /ERR_REGISTRY_REFUSED[^]*1\.1 was not removed, since the one before it failed/);
  assert.deepEqual(await statusOf(3), [
    ['1.0', 'remove-failed', 'ERR_REGISTRY_REFUSED'],
    ['1.1', 'not-tried', undefined],
    ['1.2', 'not-tried', undefined],
  ]);
  assert.deepEqual(await now(), digests);
  // An immutable tag.
  answer(409, /manifests\/1\.1$/);
  const some = await sync(rules, '--json');
  assert.equal(some.status, 3, some.stderr);
  const { removals, incomplete } = jsonOf<{
    removals: { to: string; status: string; error?: { message: string } }[];
    incomplete: boolean;
  }>(some.stdout);
  assert.deepEqual(
    removals.map(({ to, status }) => [to.slice(-3), status]),
    [
      ['1.0', 'removed'],
      ['1.1', 'remove-failed'],
      ['1.2', 'removed'],
    ],
  );
  assert.ok(incomplete && /status 409/.test(removals[1]?.error?.message ?? ''), some.stdout);
  assert.deepEqual(await now(), { ...digests, '1.0': undefined, '1.2': undefined });
  proxy.fault = () => undefined;
  const last = await sync(rules);
  assertOk(last);
  assert.deepEqual(await now(), { ...digests, '1.0': undefined, '1.1': undefined, '1.2': undefined });
});

thorough('stops between two tags at a signal, says what is left, and goes on with the next run', async (t) => {
  const own = await mirror(t, 'signal');
  if (own === undefined) return;
  const { sync, events, now, digests, proxy, at } = own;
  assertOk(await sync(ALL));
  const rules = { ...NEWEST, retain: { latest: 1 } };
  assertOk(await sync(rules, '--dry-run').then((one) => ({ ...one, stdout: '' })));
  proxy.fault = ({ method, url }) => {
    if (method !== 'DELETE' || !url.endsWith('/manifests/1.1')) return undefined;
    // The registry never answers.
    child.kill('SIGINT');
    return 'answered';
  };
  const child = startLading(['copy', '-q', '--from-file', at('sync.json'), '--report', at('report.jsonl')]);
  child.stdout?.resume();
  child.stderr?.resume();
  assert.equal(await statusOf(child), 130);
  assert.deepEqual(
    (await events()).slice(-4).map(({ to, status, error }) => [to.slice(-3), status, error?.code]),
    [
      ['1.0', 'removed', undefined],
      ['1.1', 'removing', undefined],
      ['1.1', 'remove-failed', 'ERR_ABORTED'],
      ['1.2', 'not-tried', undefined],
    ],
  );
  assert.deepEqual(await now(), { ...digests, '1.0': undefined });
  proxy.fault = () => undefined;
  assertOk(await sync(rules).then((one) => ({ ...one, stdout: '' })));
  assert.deepEqual(await now(), {
    mine: digests['mine'],
    '1.0': undefined,
    '1.1': undefined,
    '1.2': undefined,
    '1.3': digests['1.3'],
  });
});
