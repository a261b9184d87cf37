import assert from 'node:assert/strict';
import { pipeline } from 'node:stream/promises';
import { describe, it } from 'node:test';
import { entryNameOf } from '../../src/model/archive-layout.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import { DEFAULT_LIMITS, limitsOf } from '../../src/model/limits.js';
import { PlatformSet } from '../../src/model/platform-set.js';
import { parsePlatform } from '../../src/model/platform.js';
import type { ArchiveEntry, SelectedEntry, SelectEntriesOptions } from '../../src/stages/records.js';
import { SelectEntries } from '../../src/stages/select-entries.js';
import { layoutEntries, type LayoutOptions } from '../fixtures/archive-builder.js';
import { buildAttestation } from '../fixtures/artifact-builder.js';
import { BlobSet, closureOf } from '../fixtures/blob-set.js';
import { buildMultiPlatform } from '../fixtures/image-builder.js';
import { buildIndex, buildManifest } from '../fixtures/manifest-builder.js';
import type { TarEntry } from '../fixtures/tar-builder.js';
import { sinkOf, stageSuite } from '../suites/stage-suite.js';
import { bytesOf } from '../suites/stored.js';
import { Bodies } from './bodies.js';
import { SetProvider } from './set-provider.js';

const PLATFORMS = ['linux/amd64', 'linux/arm64'];

interface Selection {
  readonly stage: SelectEntries;
  /** The entries that were passed on: use and bytes by name, in order. */
  readonly passed: ReadonlyMap<string, { use: SelectedEntry['use']; bytes: Buffer; linkname?: string }>;
}

interface SelectionOptions extends Partial<Omit<SelectEntriesOptions, 'platforms'>> {
  readonly platforms?: readonly string[];
}

function entriesOf(bodies: Bodies, entries: readonly TarEntry[]): ArchiveEntry[] {
  return entries.map(({ name, type = 'file', linkname, body = Buffer.alloc(0) }) => {
    const entry = { ...bodies.entry(name, body), type };
    return linkname === undefined ? entry : { ...entry, linkname };
  });
}

function stageOf({ platforms = [], present, ...options }: SelectionOptions): SelectEntries {
  const set = new PlatformSet<ImageRecord>(platforms.map((text) => parsePlatform(text)));
  return new SelectEntries({
    present: present ?? new SetProvider(new BlobSet()),
    platforms: set,
    referrers: 'follow',
    limits: DEFAULT_LIMITS,
    damage: 'fatal',
    passesAll: false,
    untilStored: async () => {},
    ...options,
  });
}

async function select(entries: readonly TarEntry[], options: SelectionOptions = {}): Promise<Selection> {
  const bodies = new Bodies();
  const stage = stageOf(options);
  const passed = new Map<string, { use: SelectedEntry['use']; bytes: Buffer; linkname?: string }>();
  const sink = sinkOf<SelectedEntry>(async ({ name, use, body, linkname }) => {
    passed.set(name, { use, bytes: await bytesOf(body), ...(linkname !== undefined && { linkname }) });
  });
  await pipeline(entriesOf(bodies, entries), stage, sink);
  assert.equal(bodies.open, 0);
  return { stage, passed };
}

function layoutOf(blobs: BlobSet, root: Descriptor, options: LayoutOptions = {}): TarEntry[] {
  return layoutEntries([{ root, name: 'docker.io/example/app:1' }], blobs, options);
}

function passedDigests({ passed }: Pick<Selection, 'passed'>): readonly string[] {
  return [...passed.keys()].filter((name) => name.startsWith('blobs/')).sort();
}

/** The blobs that passed as needed. Documents may pass beside them as candidates until the last wanted one has come. */
function neededDigests({ passed }: Selection): readonly string[] {
  return passedDigests({ passed }).filter((name) => passed.get(name)?.use === 'needed');
}

function namesOf(digests: Iterable<Digest>): readonly string[] {
  return [...new Set(digests)].map(entryNameOf).sort();
}

const piped = new Bodies();
const pipedBlobs = new BlobSet();
for (let at = 0; at < 60; at += 1) pipedBlobs.add(`blob ${at}`);
stageSuite<ArchiveEntry, SelectedEntry>('SelectEntries', {
  make: () => stageOf({}),
  inputs: () =>
    entriesOf(
      piped,
      [...pipedBlobs].map(([digest, body]) => ({ name: entryNameOf(digest), body })),
    ),
  read: async ({ body }) => void (await bytesOf(body)),
  maxAhead: 4,
  openBodies: () => piped.open,
});

describe('SelectEntries, metadata first,', () => {
  it('passes everything of an image when no platform is asked for', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const selection = await select(layoutOf(blobs, root));
    assert.deepEqual(passedDigests(selection), namesOf(blobs.keys()));
    for (const [digest, bytes] of blobs) assert.ok(selection.passed.get(entryNameOf(digest))?.bytes.equals(bytes));
    assert.equal(selection.passed.get('index.json')?.use, 'metadata');
    assert.ok(
      [...selection.passed].every(([name, { use }]) => use === (name.startsWith('blobs/') ? 'needed' : 'metadata')),
    );
  });

  it('passes the index and the content of the platforms that are asked for', async () => {
    const blobs = new BlobSet();
    const { root, manifests } = buildMultiPlatform(blobs, PLATFORMS);
    const arm64 = manifests.get('linux/arm64')!;
    const selection = await select(layoutOf(blobs, root), { platforms: ['linux/arm64'] });
    assert.deepEqual(neededDigests(selection), namesOf([root.digest, ...closureOf(blobs, arm64)]));
    const layers = blobs.links(manifests.get('linux/amd64')!.digest).layers!;
    assert.deepEqual(
      layers.filter(({ digest }) => selection.passed.has(entryNameOf(digest))),
      [],
    );
    const { count, bytes } = selection.stage.skipped.skipped;
    assert.ok(count >= layers.length && bytes >= layers.reduce((sum, { size }) => sum + size, 0));
  });

  it('passes attestations with their subject', async () => {
    const blobs = new BlobSet();
    const { root, manifests, attestations } = buildMultiPlatform(blobs, PLATFORMS, { attestations: true });
    const wanted = [manifests, attestations].flatMap((found) => closureOf(blobs, found.get('linux/arm64')!));
    const selection = await select(layoutOf(blobs, root), { platforms: ['linux/arm64'] });
    assert.deepEqual(neededDigests(selection), namesOf([root.digest, ...wanted]));
  });

  it('passes an attestation that its index lists before its subject', async () => {
    const blobs = new BlobSet();
    const manifest = buildManifest(blobs, { platform: 'linux/arm64', seed: 1 });
    const attestation = buildAttestation(blobs, manifest, { seed: 1 });
    const root = buildIndex(blobs, [attestation, manifest]);
    const selection = await select(layoutOf(blobs, root), { platforms: ['linux/arm64'] });
    assert.deepEqual(passedDigests(selection), namesOf(blobs.keys()));
  });

  it('drops all attestations if asked', async () => {
    const blobs = new BlobSet();
    const { root, manifests } = buildMultiPlatform(blobs, PLATFORMS, { attestations: true });
    const images = [...manifests.values()].flatMap((manifest) => closureOf(blobs, manifest));
    const selection = await select(layoutOf(blobs, root), { referrers: 'drop' });
    assert.deepEqual(passedDigests(selection), namesOf([root.digest, ...images]));
  });

  it('passes the children of a nested index by the platform that they inherit', async () => {
    const blobs = new BlobSet();
    const child = buildManifest(blobs, { platform: 'linux/arm64', seed: 1 });
    const { platform: _, ...bare } = child;
    const nested = { ...buildIndex(blobs, [bare]), platform: { os: 'linux', architecture: 'arm64' } };
    const root = buildIndex(blobs, [nested]);
    const entries = layoutOf(blobs, root);
    assert.deepEqual(passedDigests(await select(entries, { platforms: ['linux/arm64'] })), namesOf(blobs.keys()));
    assert.deepEqual(passedDigests(await select(entries, { platforms: ['linux/amd64'] })), namesOf([root.digest]));
  });

  it('skips a blob that no document refers to, if manifest.json has come or there is a filter', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const wanted = namesOf(blobs.keys());
    const stray = { name: entryNameOf(digestOf('stray one')), body: Buffer.from('stray one') };
    const cases: readonly (readonly [SelectionOptions, LayoutOptions])[] = [
      [{}, { manifestJson: [] }],
      [{ platforms: PLATFORMS }, {}],
    ];
    for (const [options, layout] of cases) {
      const selection = await select(layoutOf(blobs, root, { extra: [stray], ...layout }), options);
      assert.deepEqual(passedDigests(selection), wanted);
      assert.equal(selection.stage.skipped.skipped.count, 1);
    }
  });

  it('keeps up to a thousand blobs that no document refers to for a late manifest.json', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const small = Array.from({ length: 1002 }, (_, at) => `stray ${at}`).map((text) => ({
      name: entryNameOf(digestOf(text)),
      body: Buffer.from(text),
    }));
    const kept = await select(layoutOf(blobs, root, { extra: small }));
    assert.equal(passedDigests(kept).length, [...blobs.keys()].length + 1000);
    assert.equal(kept.stage.skipped.skipped.count, 2);
  });

  it('skips a second copy of a blob, wanted or not, and refuses other bytes', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const stray = { name: entryNameOf(digestOf('stray one')), body: Buffer.from('stray one') };
    const again = { name: entryNameOf(root.digest), body: blobs.bytes(root.digest) };
    for (const extra of [[again], [stray, stray]]) {
      const { stage } = await select(layoutOf(blobs, root, { extra, manifestJson: [] }));
      assert.equal(stage.skipped.skipped.count, extra.length);
      const other = extra.map((entry, at) =>
        at === extra.length - 1 ? { ...entry, body: wrong(Buffer.from(entry.body)) } : entry,
      );
      await assert.rejects(select(layoutOf(blobs, root, { extra: other })), { code: 'ERR_TAR_ENTRY' });
    }
  });

  it('skips the blobs that the store has, and reads its documents there', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const selection = await select(layoutOf(blobs, root), { present: new SetProvider(blobs) });
    assert.deepEqual(passedDigests(selection), []);
    assert.ok(selection.stage.skipped.present.size > 0);
  });

  it('passes a blob that has another size in the store', async () => {
    const blobs = new BlobSet();
    const { root, manifests } = buildMultiPlatform(blobs, ['linux/amd64']);
    const stored = new BlobSet(blobs);
    const layer = blobs.links(manifests.get('linux/amd64')!.digest).layers![0]!;
    stored.set(layer.digest, Buffer.from('short'));
    const selection = await select(layoutOf(blobs, root), { present: new SetProvider(stored) });
    assert.deepEqual(passedDigests(selection), namesOf([layer.digest]));
  });

  it('recognizes names that start with ./', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const selection = await select(layoutOf(blobs, root, { prefix: './' }));
    assert.deepEqual(passedDigests(selection), namesOf(blobs.keys()));
    assert.ok(selection.passed.has('index.json'));
  });

  it('lets the source skip a blob if it can', async () => {
    const skipped: string[] = [];
    const entry = { ...new Bodies().entry(entryNameOf(digestOf('stray one')), Buffer.from('stray')) };
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, ['linux/amd64']);
    const before = entriesOf(new Bodies(), layoutOf(blobs, root, { manifestJson: [] }));
    const unread = {
      ...entry,
      body: new Bodies().failing(new Error('was read')),
      skip: () => void skipped.push(entry.name),
    };
    const reading = sinkOf<SelectedEntry>(async ({ body }) => void (await bytesOf(body)));
    await pipeline([...before, unread], stageOf({}), reading);
    assert.deepEqual(skipped, [entry.name]);
  });
});

describe('SelectEntries, metadata last,', () => {
  it('passes every blob as a candidate', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const selection = await select(layoutOf(blobs, root, { order: 'blobs-first' }), { platforms: ['linux/arm64'] });
    assert.deepEqual(passedDigests(selection), namesOf(blobs.keys()));
    assert.ok([...selection.passed.values()].every(({ use }) => use !== 'needed'));
  });

  it('notes small damaged blobs without a look-up, and passes large ones', async () => {
    const small = { name: entryNameOf(digestOf('small')), body: Buffer.from('Small') };
    const large = { name: entryNameOf(digestOf('large')), body: Buffer.alloc(64 * 1024 + 1) };
    const sound = { name: entryNameOf(digestOf('sound')), body: Buffer.from('sound') };
    const present = new SetProvider(new BlobSet());
    const selection = await select([small, large, sound], { present });
    assert.deepEqual(passedDigests(selection), namesOf([digestOf('large'), digestOf('sound')]));
    assert.equal(present.lookedUp, 2);
    const [noted, ...others] = selection.stage.skipped.damaged;
    assert.deepEqual(others, []);
    assert.equal(noted?.[0], digestOf('small'));
    assert.equal(noted?.[1].size, 5);
    assert.equal(noted?.[1].damage.code, 'ERR_DIGEST_MISMATCH');
    // It came: it is not among those that nobody had asked for.
    assert.equal(selection.stage.hasLeft(small.name), false);
  });

  it('skips a small blob that the store has, and notes a damaged copy of one', async () => {
    const blobs = new BlobSet();
    const here = blobs.add('here');
    const lying = blobs.add('also here');
    const entries = [
      { name: entryNameOf(here), body: Buffer.from('here') },
      { name: entryNameOf(lying), body: Buffer.from('Also here') },
    ];
    const { stage, passed } = await select(entries, { present: new SetProvider(blobs) });
    assert.equal(passed.size, 0);
    assert.deepEqual([...stage.skipped.present], [here]);
    assert.deepEqual([...stage.skipped.damaged.keys()], [lying]);
  });

  for (const seed of [1, 2, 3, 4]) {
    it(`passes at least what is needed in any order, here ${seed}`, async () => {
      const blobs = new BlobSet();
      const { root, manifests } = buildMultiPlatform(blobs, PLATFORMS, { attestations: true });
      const selection = await select(layoutOf(blobs, root, { order: seed }), { platforms: ['linux/arm64'] });
      const needed = namesOf([root.digest, ...closureOf(blobs, manifests.get('linux/arm64')!)]);
      assert.deepEqual(
        needed.filter((name) => !selection.passed.has(name)),
        [],
      );
    });
  }
});

describe('SelectEntries and a docker-archive', () => {
  it('passes files of any name as candidates, and links with their targets', async () => {
    const selection = await select([
      { name: 'a/layer.tar', body: Buffer.from('layer') },
      { name: 'b/layer.tar', type: 'symlink', linkname: '../a/layer.tar' },
      { name: 'c/layer.tar', type: 'link', linkname: 'a/layer.tar' },
      { name: 'a/', type: 'directory' },
      { name: 'manifest.json', body: Buffer.from('[]') },
    ]);
    assert.deepEqual(
      [...selection.passed].map(([name, { use, linkname }]) => [name, use, linkname]),
      [
        ['a/layer.tar', 'candidate', undefined],
        ['b/layer.tar', 'link', 'a/layer.tar'],
        ['c/layer.tar', 'link', 'a/layer.tar'],
        ['manifest.json', 'metadata', undefined],
      ],
    );
  });

  it('skips other files once the files of a layout and manifest.json have come', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, ['linux/amd64']);
    const extra = [{ name: 'README', body: Buffer.from('x') }];
    const selection = await select(layoutOf(blobs, root, { extra, manifestJson: [] }));
    assert.equal(selection.passed.has('README'), false);
  });
});

describe('SelectEntries with `passesAll`', () => {
  it('passes every blob as a candidate, wanted or not', async () => {
    const blobs = new BlobSet();
    const { root } = buildMultiPlatform(blobs, PLATFORMS);
    const stray = { name: entryNameOf(digestOf('stray one')), body: Buffer.from('stray one') };
    const selection = await select(layoutOf(blobs, root, { extra: [stray] }), { passesAll: true });
    assert.deepEqual(passedDigests(selection), namesOf([...blobs.keys(), digestOf('stray one')]));
  });
});

describe('SelectEntries refuses', () => {
  const blobs = new BlobSet();
  const { root, manifests } = buildMultiPlatform(blobs, ['linux/amd64']);
  const layer = blobs.links(manifests.get('linux/amd64')!.digest).layers![0]!;
  const layout = layoutOf(blobs, root);
  const changed = (digest: Digest, body: Buffer): TarEntry[] =>
    layout.map((entry) => (entry.name === entryNameOf(digest) ? { ...entry, body } : entry));
  const cases: readonly (readonly [what: string, entries: TarEntry[], code: string, limits?: object])[] = [
    [
      'another index.json',
      [...layout, { ...layout[1]!, body: wrong(Buffer.from(layout[1]!.body ?? [])) }],
      'ERR_TAR_ENTRY',
    ],
    [
      'another oci-layout',
      [...layout, { ...layout[0]!, body: wrong(Buffer.from(layout[0]!.body ?? [])) }],
      'ERR_TAR_ENTRY',
    ],
    ['an index.json that is a list', layoutOf(blobs, root, { indexJson: [] }), 'ERR_DOCUMENT_INVALID'],
    ['an index.json over its limit', layout, 'ERR_LIMIT_DOCUMENT', { maxIndexBytes: 10 }],
    ['an oci-layout over its limit', layout, 'ERR_LIMIT_DOCUMENT', { maxLayoutBytes: 10 }],
    ['a document over its limit', layout, 'ERR_LIMIT_DOCUMENT', { maxDocumentBytes: 10 }],
    ['more blobs than the limit', layout, 'ERR_LIMIT_DESCRIPTORS', { maxDescriptors: 1 }],
    [
      'a wanted manifest with a changed byte',
      changed(root.digest, wrong(blobs.bytes(root.digest))),
      'ERR_DIGEST_MISMATCH',
    ],
    ['a wanted blob of another size', changed(layer.digest, Buffer.from('short')), 'ERR_SIZE_MISMATCH'],
    ['a wanted document of another size', changed(root.digest, Buffer.from('{}')), 'ERR_SIZE_MISMATCH'],
  ];
  for (const [what, entries, code, limits] of cases) {
    it(what, async () => {
      const bodies = new Bodies();
      const stage = stageOf(limits === undefined ? {} : { limits: limitsOf(limits) });
      await assert.rejects(pipeline(entriesOf(bodies, entries), stage, drained()), { code });
      assert.equal(bodies.open, 0);
    });
  }
});

function drained(): ReturnType<typeof sinkOf> {
  return sinkOf<SelectedEntry>(async ({ body }) => void (await bytesOf(body)));
}

function wrong(bytes: Buffer): Buffer {
  return Buffer.from(bytes.map((byte, at) => (at === 5 ? byte ^ 1 : byte)));
}
