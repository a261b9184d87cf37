import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { jobsOf } from '../../src/cli/copy-lines.js';
import { syncEntries } from '../../src/cli/sync-document.js';
import { entryLine } from '../../src/cli/sync-lines.js';
import { isSyncText, parseSyncText } from '../../src/cli/sync-text.js';
import type { LadingError } from '../../src/model/errors.js';
import { jsonOf } from '../fixtures/cli-workspace.js';
import { runLading } from '../fixtures/command.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { FaultProxy } from '../fixtures/fault-proxy.js';
import { digestsOf, pushTags } from '../fixtures/pushed-tags.js';
import { assertOk, registryScene } from '../fixtures/registry-scene.js';

const open = sharedRegistry();

interface Report {
  readonly copies: readonly { readonly from: string; readonly error?: { readonly code: string } }[];
  readonly incomplete: boolean;
}

test('copies what a document says, from many registries, and tells what failed', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const proxy = await FaultProxy.start(t, registry.port);
  const { host } = proxy;
  const from = await pushTags(t, `${registry.host}/sync/a`, {
    '1.0': 'a',
    '1.2': 'b',
    '1.10': 'c',
    '1.10-rc1': 'd',
    x: 'e',
  });
  await pushTags(t, `${registry.host}/sync/b`, { one: 'a', two: 'b' });
  const document = at('mirror.yaml');
  await writeFile(
    document,
    `# a mirror
defaults:
  referrers: drop
sync:
  - source: docker://${host}/sync/a
    destination: ${host}/to/a
    tags: { semver: ">=1", latest: 2, exclude: "^9" }
  - source: ${host}/sync/a
    destination: ${host}/digest/a
    digests: ["${from['x']}"]
  - source: ${host}/sync/b
    destination: ${host}/below/
    tags: [one, none]
    platforms: [linux/arm64]
  - source: localhost:1/x/y
    destination: ${host}/to/c
  - source: ${host}/sync/b
    destination: ${host}/to/d
    tags: { match: "^three$" }
`,
  );
  const args = ['copy', '--json', '--from-file', document, '--report', at('report'), '--retry-times', '1'];
  const dry = await lading([...args, '--dry-run']);
  assert.equal(dry.status, 3, dry.stderr);
  assert.equal(proxy.seen.filter(({ method }) => !['GET', 'HEAD'].includes(method)).length, 0);
  const first = await lading(args);
  assert.equal(first.status, 3, first.stderr);
  const expected = [
    [`docker://localhost:1/x/y`, 'ERR_REGISTRY_UNREACHABLE'],
    [`docker://${host}/sync/b`, 'ERR_IMAGE_UNKNOWN'],
    [`docker://${host}/sync/a:1.10`, undefined],
    [`docker://${host}/sync/a:1.2`, undefined],
    [`docker://${host}/sync/a@${from['x']}`, undefined],
    [`docker://${host}/sync/b:one`, undefined],
    [`docker://${host}/sync/b:none`, 'ERR_IMAGE_UNKNOWN'],
  ];
  for (const { stdout } of [dry, first])
    assert.deepEqual(
      jsonOf<Report>(stdout).copies.map((one) => [one.from, one.error?.code]),
      expected,
    );
  assert.match(first.stdout, /mirror\.yaml: sync\[4\]: none of the 2 tags of .*\/sync\/b is wanted/);
  const tags = ['1.0', '1.2', '1.10', '1.10-rc1', 'x'];
  const kept = { '1.2': from['1.2'], '1.10': from['1.10'] };
  const none = { '1.0': undefined, '1.10-rc1': undefined, x: undefined };
  assert.deepEqual(await digestsOf(t, `${registry.host}/to/a`, tags), { ...none, ...kept });
  assertOk(
    await lading(['inspect', `docker://${registry.host}/digest/a@${from['x']}`, '--json']).then((one) => ({
      ...one,
      stdout: '',
    })),
  );
  // One platform of an index is its manifest.
  const arm = await digestsOf(t, `${registry.host}/below/sync/b`, ['one', 'two']);
  assert.ok(arm['one'] !== undefined && arm['one'] !== from['1.0'] && arm['two'] === undefined);
  const before = proxy.seen.length;
  const second = await lading(args.filter((arg) => arg !== '--json'));
  assert.equal(second.status, 3);
  assert.equal([...second.stdout.matchAll(/^Up to date: /gm)].length, 3, second.stdout);
  const seen = proxy.seen.slice(before).filter(({ url }) => url !== '/v2/');
  // Each repository is asked for its tags once; each image at its source and at its destination.
  assert.equal(seen.filter(({ url }) => url.includes('tags/list')).length, 2);
  assert.deepEqual(
    seen.filter(({ method }) => !['GET', 'HEAD'].includes(method)),
    [],
  );
});

test('takes a document in JSON, from stdin too, and plans it with what its entries say', async (t) => {
  const scene = await registryScene(t, open);
  if (scene === undefined) return;
  const { lading, registry, at } = scene;
  const { host } = registry;
  const from = await pushTags(t, `${host}/plan/a`, { v1: 'a', v2: 'b' });
  const entry = { source: `${host}/plan/a`, destination: `${host}/planned/a`, tags: { semver: '2' } };
  const part = { ...entry, destination: `${host}/planned/part`, platforms: ['linux/amd64'] };
  const input = JSON.stringify({ sync: [entry, part] });
  const dry = await lading(['copy', '--from-file', '-', '--dry-run', '--plan', at('plan')], { input });
  assertOk(dry);
  const ran = await lading(['copy', '-q', '--plan', at('plan')]);
  assertOk(ran);
  const { v2 } = await digestsOf(t, `${host}/planned/part`, ['v2']);
  assert.deepEqual(await digestsOf(t, `${host}/planned/a`, ['v1', 'v2']), { v1: undefined, v2: from['v2'] });
  assert.match(ran.stdout, new RegExp(`/planned/part:v2@${v2}`));
  assert.ok(v2 !== undefined && v2 !== from['v2'], 'only one platform');
  assert.ok((await readFile(at('plan'), 'utf8')).includes('"choices":{"platform":["linux/amd64"]}'));
});

const good = '{ source: a/b, destination: localhost:1/c }';

const WRONG: readonly (readonly [text: string, message: RegExp])[] = [
  ['sync: []', /sync has no entry/],
  ['sync: [1]', /sync\[0\] must be an object of options, not 1/],
  ['sync:\n- {source: a}', /sync\[0\]\.destination must be a text, not undefined/],
  [`sync:\n- ${good}\nmore: 1`, /there is no option "more"/],
  ['sync:\n- { source: a/b, destination: localhost:1/c, tag: [x] }', /there is no option "tag"/],
  ['sync:\n- { source: a/b, destination: localhost:1/c, tags: [1.10] }', /numbers such as 1\.10 need quotes, not 1\.1/],
  ['sync:\n- { source: a/b, destination: localhost:1/c, tags: ["a b"] }', /must be a tag/],
  ['sync:\n- { source: a/b, destination: localhost:1/c, tags: [] }', /tags is an empty list/],
  [
    'sync:\n- { source: a/b, destination: localhost:1/c, tags: { semver: "x y" } }',
    /sync\[0\]\.tags\.semver: "x y" is not a range/,
  ],
  [
    'sync:\n- { source: a/b, destination: localhost:1/c, tags: { latest: 0 } }',
    /latest must be a whole number from 1, not 0/,
  ],
  ['sync:\n- { source: a/b, destination: localhost:1/c, digests: [x] }', /must be a digest/],
  ['sync:\n- { source: "a/b:1", destination: localhost:1/c }', /source: "a\/b:1" has a tag/],
  ['sync:\n- { source: a/b, destination: docker.io/a/b }', /source and destination are one repository/],
  ['sync:\n- { source: a/b, destination: localhost:1/c, platforms: [nonsense] }', /platform "nonsense"/],
  ['sync:\n- { source: a/b, destination: localhost:1/c, retain: {} }', /retain says neither latest nor days/],
  [
    'sync:\n- { source: a/b, destination: localhost:1/c, tags: [x] }\n- { source: a/d, destination: localhost:1/c, tags: [x] }',
    /would both become/,
  ],
  [
    'sync:\n- { source: a/b, destination: localhost:1/c, tags: [x] }\n- { source: a/b, destination: localhost:1/c, tags: [x], index: preserve }',
    /in two ways/,
  ],
  [`sync:\n- ${good}\nsync:\n- ${good}`, /Map keys must be unique at line 3/],
  ['sync: [*a]', /is no sync document: Unresolved alias/],
  ['sync: !!js/function x', /is no sync document: Unresolved tag/],
  [
    `sync:\n${Array.from({ length: 9 }, (_, n) => `- &a${n} [${n === 0 ? '1' : `*a${n - 1},`.repeat(9)}]`).join('\n')}`,
    /Excessive alias count/,
  ],
  ['sync:\n  - {', /is no sync document/],
  ['{"sync":[],"sync":[]}', /is no sync document/],
  ['{"sync":', /is no sync document/],
  [`sync: []\n#${'x'.repeat(1024 * 1024)}`, /over 1 MiB/],
];

async function jobsIn(text: string): Promise<unknown> {
  assert.ok(isSyncText(text, '-'), text);
  const entries = syncEntries(await parseSyncText(text, 'list'), 'list');
  return jobsOf(
    entries.flatMap((entry) =>
      (entry.tags ?? []).map((tag) => ({ ...entryLine(entry, `:${tag}`), choices: entry.choices })),
    ),
  );
}

test('refuses documents that cannot be meant, before any registry is asked', async () => {
  for (const [text, message] of WRONG)
    await assert.rejects(jobsIn(text), (error: LadingError) => {
      assert.match(error.message, message, text);
      return error.category === 'invalid-argument';
    });
  for (const list of ['store:a docker://b/c:1', '# sync:\ndocker://a/b docker://c/d', ''])
    assert.ok(!isSyncText(list, 'list.txt'), list);
  for (const [options, input, message] of [
    [['--all-tags'], `sync:\n- ${good}`, /leave --all-tags out/],
    [[], 'sync:\n- { source: a/b, destination: localhost:1/c, retain: { latest: 2 } }', /retain needs --report/],
    [[], 'sync:\n- { source: a/b, destination: localhost:1/c, tags: { match: "(" } }', /sync\[0\]\.tags\.match/],
  ] as const) {
    const { status, stderr } = await runLading(['copy', ...options, '--from-file', '-'], { input });
    assert.equal(status, 2, stderr);
    assert.match(stderr, message);
  }
});
