import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import * as fc from 'fast-check';
import { TagHistory } from '../../src/cli/tag-history.js';
import type { ReportEvent } from '../../src/cli/copy-event.js';
import { expiredTags, type ExpiredTag, type RetentionRule } from '../../src/copy/expired-tags.js';
import { ExpireTags } from '../../src/copy/expire-tags.js';
import { standInDigest } from '../../src/registry/remove-tag.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import { sharedRegistry } from '../fixtures/docker-registry.js';
import { FaultProxy, type Fault } from '../fixtures/fault-proxy.js';
import { digestsOf, pushTags } from '../fixtures/pushed-tags.js';
import { openRegistries } from '../fixtures/registries.js';
import { SpecRegistry, type Profile } from './spec-registry.js';

const DAY = 24 * 60 * 60 * 1000;
const NOW = 1000 * DAY;

/** Tags with how many days ago they were wanted last; -1 where that is not known. */
function expired(
  rule: RetentionRule,
  written: Readonly<Record<string, number>>,
  wanted: readonly string[] = [],
): string {
  const tags = Object.entries(written).map(([tag, days]) => ({
    tag,
    digest: digestOf(tag),
    lastWantedMs: days < 0 ? undefined : NOW - days * DAY,
  }));
  const going = expiredTags({ written: tags, wanted, rule, form: {}, nowMs: NOW });
  return going.map(({ tag }) => tag).join(' ');
}

test('keeps what is wanted, what is among the newest, and what was wanted lately', () => {
  const written = { '1': 50, '2': 40, '3': 30, '4': 1, edge: 60, v1: -1 };
  assert.equal(expired({}, written), '');
  assert.equal(expired({ latest: 2 }, written), '1 v1 2');
  assert.equal(expired({ latest: 2 }, written, ['9', '8']), '1 v1 2 3 4');
  assert.equal(expired({ latest: 1 }, written, ['1', '2']), 'v1 3');
  assert.equal(expired({ days: 35 }, written), 'edge 1 2');
  assert.equal(expired({ days: 40 }, written), 'edge 1');
  assert.equal(expired({ latest: 3, days: 45 }, written), '1');
  assert.equal(expired({ latest: 2, days: 35 }, written, ['2']), '1');
  assert.equal(expired({ latest: 9 }, written), '');
});

test('lets no tag go that is wanted now, nor more than all but the newest', () => {
  const tag = fc.oneof(fc.stringMatching(/^v?\d{1,2}(\.\d)?$/), fc.stringMatching(/^[a-z]{1,3}$/));
  const days = fc.integer({ min: -1, max: 100 });
  const some = fc.option(fc.integer({ min: 1, max: 50 }), { nil: undefined });
  fc.assert(
    fc.property(fc.dictionary(tag, days), fc.array(tag), some, some, (written, wanted, latest, limit) => {
      const rule = { ...(latest && { latest }), ...(limit && { days: limit }) };
      const going = expired(rule, written, wanted).split(' ').filter(Boolean);
      for (const one of going) assert.ok(!wanted.includes(one) && one in written);
      if (latest !== undefined) {
        assert.ok(going.every((one) => /\d/.test(one)));
        const versions = new Set([...Object.keys(written), ...wanted].filter((one) => /\d/.test(one)));
        assert.ok(going.length <= Math.max(0, versions.size - latest));
      }
      if (limit !== undefined) assert.ok(going.every((one) => (written[one] ?? -1) > limit));
    }),
  );
});

const [A, B] = [digestOf('a'), digestOf('b')];

function event(status: ReportEvent['status'], to: string, digest: Digest, from = 'docker://x/a:1'): ReportEvent {
  const images = [{ source: digest, digest }];
  return { from, to, status, images, choices: '', seconds: 0, time: '2020-01-02T00:00:00Z' } as ReportEvent;
}

test('knows from a report which tags were written, and no others', () => {
  const tagsAfter = (...events: readonly ReportEvent[]): string => {
    const history = new TagHistory();
    for (const one of events) history.note(one);
    return history
      .written('docker://x/a', 'docker://y/b')
      .map(({ tag, digest }) => `${tag} ${digest === A ? 'A' : 'B'}`)
      .join();
  };
  const to = 'docker://y/b:1';
  assert.equal(tagsAfter(event('copied', to, A)), '1 A');
  assert.equal(tagsAfter(event('copied', to, A), event('copied', to, B)), '1 B');
  assert.equal(tagsAfter(event('copied', to, A), event('up-to-date', to, A)), '1 A');
  // What was there already was written by others, and so is what another source has brought since.
  assert.equal(tagsAfter(event('up-to-date', to, A)), '');
  assert.equal(tagsAfter(event('copied', to, A), event('copied', to, A, 'docker://x/other:1')), '');
  assert.equal(tagsAfter(event('copied', to, A), event('up-to-date', to, B)), '1 A');
  for (const status of ['planned', 'failed', 'would-remove', 'removing'] as const)
    assert.equal(tagsAfter(event(status, to, A)), '');
  for (const status of ['removed', 'gone', 'moved'] as const)
    assert.equal(tagsAfter(event('copied', to, A), event(status, to, A)), '');
  for (const status of ['removing', 'remove-failed', 'failed'] as const)
    assert.equal(tagsAfter(event('copied', to, A), event(status, to, A)), '1 A');
  for (const other of ['docker://y/b', `docker://y/b@${A}`, 'store:y/b:1', 'docker://y/b/c:1'])
    assert.equal(tagsAfter(event('copied', other, A)), '');
});

const open = sharedRegistry();
let repositories = 0;

interface Scene {
  readonly proxy: FaultProxy;
  readonly repository: string;
  readonly digests: Readonly<Record<string, Digest>>;
  readonly tags: ExpireTags;
  readonly going: (tag: string) => ExpiredTag;
  readonly now: () => Promise<Readonly<Record<string, Digest | undefined>>>;
}

/** Tags 1 and 2 share an image, 3 has another one. */
async function scene(t: TestContext): Promise<Scene | undefined> {
  const registry = await open(t);
  if (registry === undefined) return undefined;
  const proxy = await FaultProxy.start(t, registry.port);
  repositories += 1;
  const path = `retention/r${repositories}`;
  const repository = `${registry.host}/${path}`;
  const digests = await pushTags(t, repository, { 1: 'a', 2: 'a', 3: 'b' });
  const tags = new ExpireTags(openRegistries(t, { attempts: 2 }), { host: proxy.host, path });
  const going = (tag: string): ExpiredTag => ({ tag, digest: digests[tag] ?? A, reason: '', lastWantedMs: 0 });
  const now = async () => await digestsOf(t, repository, ['1', '2', '3']);
  return { proxy, repository, digests, tags, going, now };
}

test('removes a tag of an image that another tag has, and leaves that one and its content', async (t) => {
  const own = await scene(t);
  if (own === undefined) return;
  const { tags, going, now, digests, proxy } = own;
  const {
    moved,
    gone,
    going: found,
  } = await tags.survey([going('1'), going('3'), { ...going('2'), digest: A }, going('9')]);
  assert.deepEqual(
    [moved, gone, found].map((list) => list.map(({ tag }) => tag)),
    [['2'], ['9'], ['1', '3']],
  );
  assert.deepEqual(tags.sharing(going('1')), ['2']);
  assert.equal(await tags.remove(going('1')), 'removed');
  assert.equal(await tags.remove(going('1')), 'gone');
  assert.equal(await tags.remove({ ...going('3'), digest: A }), 'moved');
  assert.deepEqual(await now(), { ...digests, 1: undefined });
  const deleted = proxy.requests('DELETE').map(({ url }) => url);
  assert.ok(
    deleted.every((url) => !Object.values(digests).some((digest) => url.includes(digest))),
    deleted.join(),
  );
});

const isDelete = ({ method, url }: { readonly method: string; readonly url: string }): boolean =>
  method === 'DELETE' && url.includes('/manifests/');
const isStandIn = (url: string): boolean => url.endsWith(standInDigest('1'));

/** What goes wrong with a removal, and the error. In each case no tag has lost its image. */
const FAULTS: Readonly<Record<string, { readonly fault: (proxy: FaultProxy) => Fault; readonly code: string }>> = {
  'a registry that deletes nothing': {
    fault: () => (seen, _request, response) => {
      if (!isDelete(seen)) return undefined;
      response.writeHead(405, { 'content-type': 'application/json' });
      response.end('{"errors":[{"code":"UNSUPPORTED","message":"no"}]}');
      return 'answered';
    },
    code: 'ERR_REGISTRY_REFUSED',
  },
  'no right to delete': {
    fault: () => (seen) => (isDelete(seen) ? { status: 403 } : undefined),
    code: 'ERR_REGISTRY_DENIED',
  },
  'no right to push': {
    fault: () => (seen, _request, response) => {
      if (seen.method !== 'PUT' || !seen.url.includes('/manifests/')) return undefined;
      response.writeHead(403).end();
      return 'answered';
    },
    code: 'ERR_REGISTRY_DENIED',
  },
  'a refusal after the stand-in was sent': {
    fault: (proxy) => (seen, _request, response) => {
      if (!isDelete(seen) || !isStandIn(seen.url) || proxy.requests('PUT', /manifests/).length === 0) return undefined;
      response.writeHead(403).end();
      return 'answered';
    },
    code: 'ERR_REGISTRY_DENIED',
  },
  'cuts after the stand-in was sent': {
    fault: (proxy) => (seen, request) => {
      if (!isDelete(seen) || !isStandIn(seen.url) || proxy.requests('PUT', /manifests/).length === 0) return undefined;
      request.socket.destroy();
      return 'answered';
    },
    code: 'ERR_REGISTRY_UNREACHABLE',
  },
  'faults of the server': {
    fault: () => (seen, _request, response) => {
      if (!isDelete(seen)) return undefined;
      response.writeHead(500).end();
      return 'answered';
    },
    code: 'ERR_REGISTRY_UNAVAILABLE',
  },
};

for (const [what, { fault, code }] of Object.entries(FAULTS)) {
  test(`leaves every tag with its image: ${what}`, async (t) => {
    const own = await scene(t);
    if (own === undefined) return;
    await own.tags.survey([own.going('1')]);
    own.proxy.fault = fault(own.proxy);
    await assert.rejects(own.tags.remove(own.going('1')), { code });
    assert.deepEqual(await own.now(), own.digests);
  });
}

test('says so where a tag could not get its image back, and removes it the next time', async (t) => {
  const own = await scene(t);
  if (own === undefined) return;
  const { tags, going, digests, now, proxy } = own;
  await tags.survey([going('1')]);
  proxy.fault = (seen, request) => {
    const puts = proxy.requests('PUT', /manifests/).length;
    const isLate = puts > 1 || (isDelete(seen) && isStandIn(seen.url) && puts === 1);
    if (!isLate) return undefined;
    request.socket.destroy();
    return 'answered';
  };
  await assert.rejects(tags.remove(going('1')), {
    code: 'ERR_REGISTRY_UNREACHABLE',
    message: new RegExp(`may be left without its image ${digests['1']}: try to remove it again, or copy`),
  });
  assert.equal((await now())['1'], standInDigest('1'));
  proxy.fault = () => undefined;
  assert.equal((await tags.survey([going('1')])).going.length, 1);
  assert.equal(await tags.remove(going('1')), 'removed');
  assert.deepEqual(await now(), { ...digests, 1: undefined });
});

test('survives a lost answer of each kind', async (t) => {
  const own = await scene(t);
  if (own === undefined) return;
  const { tags, going, digests, now, proxy } = own;
  await tags.survey([going('1')]);
  const lost = new Set<string>();
  proxy.fault = ({ method, url }) => {
    const key = `${method} ${url}`;
    if (lost.has(key) || !url.includes('manifests')) return undefined;
    lost.add(key);
    return { swallow: true };
  };
  assert.equal(await tags.remove(going('1')), 'removed');
  assert.ok(lost.size >= 5, [...lost].join());
  assert.deepEqual(await now(), { ...digests, 1: undefined });
});

async function atSpec(t: TestContext, profile: Profile) {
  const registry = await SpecRegistry.start(t, profile);
  const repository = `${registry.host}/own/app`;
  const digests = await pushTags(t, repository, { 1: 'a', 2: 'a', 3: 'b' });
  const tags = new ExpireTags(openRegistries(t), { host: registry.host, path: 'own/app' });
  const going = { tag: '1', digest: digests['1'] ?? A, reason: '', lastWantedMs: 0 };
  await tags.survey([going]);
  return { registry, tags, going, digests, now: async () => await digestsOf(t, repository, ['1', '2', '3']) };
}

test('uses the removal of tags where a registry has one', async (t) => {
  const { registry, tags, going, digests, now } = await atSpec(t, {});
  assert.equal(await tags.remove(going), 'removed');
  assert.deepEqual(await now(), { ...digests, 1: undefined });
  assert.equal(registry.seen.filter((one) => one.startsWith('DELETE')).length, 1);
});

test('puts other tags back that a registry removed along, and stops', async (t) => {
  const { tags, going, digests, now } = await atSpec(t, { tagDelete: 'image' });
  await assert.rejects(tags.remove(going), {
    code: 'ERR_REGISTRY_PROTOCOL',
    message: /removed the other tags of the image: 2; they were put back/,
  });
  assert.deepEqual(await now(), { ...digests, 1: undefined });
});

test('does not believe a registry that says it removed a tag, and did not', async (t) => {
  const { tags, going, digests, now } = await atSpec(t, { tagDelete: 'nothing' });
  await assert.rejects(tags.remove(going), { code: 'ERR_REGISTRY_PROTOCOL', message: /and still has it/ });
  assert.deepEqual(await now(), digests);
});
