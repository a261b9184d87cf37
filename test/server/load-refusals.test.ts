import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import { layoutArchive, layoutEntries } from '../fixtures/archive-builder.js';
import { blobPath, jsonEntry } from '../fixtures/archive-entries.js';
import { dockerArchiveEntries, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { assertRefused } from '../fixtures/engine-store.js';
import { startEngine } from '../fixtures/engine.js';
import { example, PLATFORMS, type Example } from '../fixtures/example.js';
import { stateOf } from '../fixtures/stores.js';
import { rawEntry, tarOf, type TarEntry } from '../fixtures/tar-builder.js';

type Make = (built: Example) => Promise<Buffer>;

function layerOf({ blobs, of }: Example): Descriptor {
  const [layer] = blobs.links(of('linux/arm64').digest).layers ?? [];
  assert.ok(layer);
  return layer;
}

/** The archive with some entries changed. */
function changed(change: (entry: TarEntry, built: Example) => TarEntry): Make {
  return async (built) => tarOf(layoutEntries(built.images, built.blobs).map((entry) => change(entry, built)));
}

function flipped({ name, body = Buffer.alloc(0) }: TarEntry): TarEntry {
  const bytes = Buffer.from(body);
  bytes[bytes.length - 1] = (bytes.at(-1) ?? 0) ^ 1;
  return { name, body: bytes };
}

const whole: Make = async ({ images, blobs }) => layoutArchive(images, blobs);

/** What is wrong with an archive, how to make it, the status of its category, and a pattern for the message. */
const BAD: readonly (readonly [what: string, status: number, message: RegExp, make: Make])[] = [
  ['is empty', 400, /./, async () => Buffer.alloc(0)],
  ['is no tar', 400, /./, async () => Buffer.from('this is no archive'.repeat(100))],
  ['has a JSON body', 400, /./, async () => Buffer.from('{}')],
  ['has only zeros', 400, /./, async () => Buffer.alloc(10_240)],
  ['is a tar of something else', 400, /./, async () => tarOf([{ name: 'README', body: Buffer.from('hello') }])],
  ['ends in a header', 400, /./, async (built) => (await whole(built)).subarray(0, 700)],
  ['ends in the middle', 400, /./, async (built) => (await whole(built)).subarray(0, 10_000)],
  ['ends before its end mark', 400, /./, async (built) => (await whole(built)).subarray(0, -1024)],
  ['goes on after its end', 400, /./, async (built) => Buffer.concat([await whole(built), Buffer.from('more')])],
  [
    'has a broken header',
    400,
    /./,
    async (built) => {
      const tar = await whole(built);
      tar[520] = (tar[520] ?? 0) ^ 1;
      tar[10] = 1;
      return tar;
    },
  ],
  [
    'starts like gzip and is none',
    400,
    /./,
    async () => Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0]), Buffer.alloc(500, 7)]),
  ],
  [
    'has a flipped bit in a layer',
    422,
    /sha256:/,
    changed((entry, built) => (entry.name === blobPath(layerOf(built).digest) ? flipped(entry) : entry)),
  ],
  [
    'has a flipped bit in its index',
    422,
    /sha256:/,
    changed((entry, built) => (entry.name === blobPath(built.root.digest) ? flipped(entry) : entry)),
  ],
  [
    'has an index.json that is no JSON',
    400,
    /./,
    changed((entry) => (entry.name === 'index.json' ? { ...entry, body: Buffer.from('{') } : entry)),
  ],
  [
    'has an index.json of no index',
    400,
    /./,
    changed((entry) => (entry.name === 'index.json' ? jsonEntry('index.json', []) : entry)),
  ],
  [
    'has an entry out of the archive',
    400,
    /./,
    async ({ images, blobs }) =>
      layoutArchive(images, blobs, { extra: [{ name: '../../etc/passwd', body: Buffer.from('x') }] }),
  ],
  [
    'has an absolute entry',
    400,
    /./,
    async ({ images, blobs }) => tarOf([...layoutEntries(images, blobs), { name: '/etc/passwd' }]),
  ],
  ['has no image', 400, /contains no image/, async ({ blobs }) => layoutArchive([], blobs)],
  [
    'has one name twice',
    409,
    /./,
    async (built) => {
      const other = example({ seed: 'other' });
      for (const [digest, bytes] of other.blobs) built.blobs.set(digest, bytes);
      return layoutArchive([...built.images, ...other.images], built.blobs);
    },
  ],
  [
    'lacks the root',
    404,
    /sha256:/,
    async ({ images, blobs, root }) => layoutArchive(images, blobs, { without: new Set([root.digest]) }),
  ],
  [
    'lacks every manifest',
    404,
    /sha256:/,
    async ({ images, blobs, of }) =>
      layoutArchive(images, blobs, { without: new Set(PLATFORMS.map((platform) => of(platform).digest)) }),
  ],
  [
    'has an index.json that is too long',
    413,
    /./,
    async () =>
      tarOf([
        jsonEntry('oci-layout', { imageLayoutVersion: '1.0.0' }),
        { name: 'index.json', body: Buffer.alloc(21 * 1024 * 1024, ' ') },
      ]),
  ],
  [
    'has documents nested too deep',
    413,
    /./,
    changed((entry) =>
      entry.name === 'index.json' ? { ...entry, body: Buffer.from(`${'['.repeat(100)}${']'.repeat(100)}`) } : entry,
    ),
  ],
  ['has names that are too long', 400, /./, async () => tarOf([{ name: 'a/'.repeat(3000), body: Buffer.alloc(1) }])],
  [
    'has a docker layer of another image',
    422,
    /./,
    async (built) => {
      const image = dockerImageOf(built.blobs, built.of('linux/amd64'), ['example/app:1']);
      return tarOf(
        dockerArchiveEntries([image]).map((entry) =>
          entry.name.endsWith('layer.tar') && entry.body
            ? { ...entry, body: rawEntry({ name: 'a' }, Buffer.from('b')) }
            : entry,
        ),
      );
    },
  ],
];

for (const [what, status, message, make] of BAD) {
  test(`answers ${status} to an archive that ${what}, and stores nothing of it`, async (t) => {
    const { request, store, audit } = await startEngine(t);
    const body = await make(example());
    assertRefused(await request('POST', '/v1.52/images/load?quiet=1', { body }), status, message);
    assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
    assert.match(audit.map(({ code }) => code).join(), /^ERR_[A-Z_]+$/);
  });
}

test('keeps what was there when an archive is refused', async (t) => {
  const { request, store } = await startEngine(t);
  await request('POST', '/images/load', { body: await whole(example()) });
  const before = await stateOf(store);
  const young = example({ seed: 'young' });
  const archive = await whole(young);
  assert.equal((await request('POST', '/images/load', { body: archive.subarray(0, -2000) })).status, 400);
  assert.deepEqual(await stateOf(store), before);
});

test('sends an error as a line once output has started', async (t) => {
  const { request, store } = await startEngine(t);
  const archive = await whole(example({ layerBytes: 300_000 }));
  const answer = await request('POST', '/images/load?quiet=0', { body: archive.subarray(0, -3000) });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'application/json');
  const last = answer.lines().at(-1) as { readonly error: string; readonly errorDetail: { readonly message: string } };
  assert.ok(last.error);
  assert.deepEqual(last, { errorDetail: { message: last.error }, error: last.error });
  assert.deepEqual((await stateOf(store)).images, []);
});

test('sends an error as the status before any output', async (t) => {
  const { request } = await startEngine(t);
  assertRefused(await request('POST', '/images/load?quiet=0', { body: 'no archive' }), 400, /./);
});

test('serves the next load after one that was refused', async (t) => {
  const { request } = await startEngine(t);
  assert.equal((await request('POST', '/images/load', { body: 'no archive' })).status, 400);
  assert.equal((await request('POST', '/images/load', { body: await whole(example()) })).status, 200);
});
