import assert from 'node:assert/strict';
import { createReadStream } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { listImages } from '../../src/inspect/list-images.js';
import type { LoadOptions } from '../../src/load/load-images.js';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { Digest } from '../../src/model/digest.js';
import { isImage, subjectOf } from '../../src/model/image-list.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import type { Warning } from '../../src/survey/reports.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import type { LayoutImage } from '../fixtures/archive-builder.js';
import { BlobSet } from '../fixtures/blob-set.js';
import { example, FAMILIAR, NAME } from '../fixtures/example.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { codesOf, load, loadLayout, ORDERS } from '../fixtures/loading.js';
import { save } from '../fixtures/saved-archive.js';
import { fill, namesOf, onEachStore } from '../fixtures/stores.js';
import { projectRoot } from '../fixtures/tables.js';

/** A signature as cosign makes it: an image manifest whose config names no platform. */
function signature(blobs: BlobSet, subject: Descriptor, seed = ''): Descriptor {
  const payload = { critical: { image: { 'docker-manifest-digest': subject.digest }, type: seed } };
  const config = { architecture: '', os: '', config: {}, rootfs: { type: 'layers', diff_ids: [] } };
  const manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: blobs.document(config, MEDIA_TYPES.ociConfig),
    layers: [blobs.document(payload, 'application/vnd.dev.cosign.simplesigning.v1+json')],
  };
  return blobs.document(manifest, MEDIA_TYPES.ociManifest);
}

const companionName = (subject: Descriptor, suffix = 'sig', repository = 'docker.io/example/app'): string =>
  `${repository}:${subject.digest.replace(':', '-')}.${suffix}`;

/** The example with a signature of its index, one of its amd64 manifest, and an SBOM of its arm64 manifest. */
function signed(): {
  built: ReturnType<typeof example>;
  images: readonly LayoutImage[];
  names: Record<string, string>;
} {
  const built = example();
  const { blobs, root } = built;
  const [amd64, arm64] = [built.of('linux/amd64'), built.of('linux/arm64')];
  const names = { root: companionName(root), amd64: companionName(amd64), arm64: companionName(arm64, 'sbom') };
  const other = companionName(amd64, 'sig', 'docker.io/example/other');
  const images = [
    { root: signature(blobs, amd64), name: names.amd64 },
    ...built.images,
    { root: signature(blobs, root), name: names.root },
    { root: signature(blobs, arm64, 'sbom'), name: names.arm64 },
    { root: signature(blobs, amd64, 'other'), name: other },
  ];
  return { built, images, names: { ...names, other } };
}

async function imagesOf(store: Store): Promise<readonly (string | undefined)[]> {
  return (await store.list()).filter(isImage).map(({ name }) => name);
}

const KINDS = ['sigs', 'atts', 'sboms', 'dev.cosignproject.cosign/sigs', 'dev.cosignproject.cosign/atts'];

for (const kind of KINDS) {
  onEachStore(`gives a name to the image, and not to what has the kind ${kind}`, async (open) => {
    const { built } = signed();
    const sig = signature(built.blobs, built.root);
    const imageKind = kind.includes('/') ? 'dev.cosignproject.cosign/imageIndex' : 'image';
    const pair = [
      { root: built.root, name: NAME, annotations: { kind: imageKind } },
      { root: sig, name: NAME, annotations: { kind } },
    ];
    const unnamed = pair.map(({ root, annotations }) => ({ root, annotations }));
    const tagged = unnamed.map((one) => ({ ...one, refName: '1' }));
    for (const images of [pair, pair.toReversed(), [{ root: built.root, name: NAME }, ...pair.slice(1)]]) {
      for (const order of ORDERS) {
        const store = await open();
        const report = await loadLayout(store, images, built.blobs, { layout: { order } });
        assert.deepEqual(
          report.images.map(({ name, digest }) => [name, digest]),
          [[NAME, built.root.digest]],
        );
        const records = await store.list();
        assert.deepEqual(records.map(subjectOf), [undefined, built.root.digest]);
        const again = await open();
        await load(again, (await save(store, [FAMILIAR])).archive);
        assert.deepEqual(await again.list(), records);
      }
    }
    for (const images of [unnamed, tagged]) {
      const store = await open();
      await loadLayout(store, images, built.blobs);
      const subjects = (await store.list()).flatMap((record) => subjectOf(record) ?? []);
      assert.deepEqual(subjects, [built.root.digest]);
    }
    const dropped = await open();
    await loadLayout(dropped, pair, built.blobs, { referrers: 'drop', platforms: ['linux/amd64'] });
    assert.deepEqual(await namesOf(dropped), [NAME]);
    const lonely = await open();
    await loadLayout(lonely, pair.slice(1), built.blobs);
    assert.deepEqual(await namesOf(lonely), [undefined], 'a signature takes no name of an image');
  });
}

for (const way of ['a file', 'a pipe']) {
  onEachStore(`loads an image and its signature under one name, as hauler writes them, from ${way}`, async (open) => {
    const store = await open();
    const archive = path.join(projectRoot(), 'test', 'data', 'cases', 'one-name-image-and-signature.tar');
    const { images } = await load(
      store,
      way === 'a file' ? archive : createReadStream(archive, { highWaterMark: 700 }),
    );
    assert.deepEqual(
      images.map(({ name, digest }) => [name, digest.slice(7, 15)]),
      [['docker.io/rancher/hello:1', 'be3b3f82']],
    );
    assert.deepEqual(await namesOf(store), ['docker.io/rancher/hello:1', undefined]);
  });
}

/** Loads of a part of the signed example, and the names that the store then has. */
const LOADS: readonly (readonly [options: LoadOptions, names: readonly string[]])[] = [
  [{}, ['app', 'root', 'amd64', 'arm64', 'other']],
  [{ platforms: ['linux/amd64'] }, ['app', 'root', 'amd64', 'other']],
  [{ platforms: ['linux/arm64', 'linux/arm/v7'] }, ['app', 'root', 'arm64']],
  [{ platforms: ['linux/amd64'], referrers: 'drop' }, ['app']],
  [{ referrers: 'drop' }, ['app']],
  [{ images: ['1'] }, ['app', 'root', 'amd64', 'arm64', 'other']],
];

for (const [options, expected] of LOADS) {
  onEachStore(`a load with ${JSON.stringify(options)} takes the companions of what it loads`, async (open) => {
    const { built, images, names } = signed();
    for (const order of ORDERS) {
      const store = await open();
      const report = await loadLayout(store, images, built.blobs, { ...options, layout: { order } });
      const wanted = expected.map((key) => String(key === 'app' ? NAME : names[key])).toSorted();
      assert.deepEqual(await namesOf(store), wanted);
      assert.deepEqual(report.images.map(({ name }) => String(name)).toSorted(), wanted);
      assert.deepEqual([report.incomplete, codesOf(report.warnings)], [false, []]);
      const listing = await listImages(store);
      const states = listing.images.filter(({ name }) => name !== NAME).flatMap(({ platforms }) => platforms);
      assert.ok(states.every(({ state }) => state === 'complete'));
    }
  });
}

test('a load of a platform of companions alone says what it lacks', async () => {
  const { built, images } = signed();
  const loading = loadLayout(new MemoryStore(), images.slice(0, 1), built.blobs, { platforms: ['linux/amd64'] });
  await assert.rejects(loading, { code: 'ERR_PLATFORM_UNAVAILABLE' });
});

/** Saves of the signed example, and the names in the archive. */
const SAVES: readonly (readonly [
  texts: readonly string[],
  options: Parameters<typeof save>[2],
  names: readonly string[],
  warnings?: readonly string[],
])[] = [
  [[FAMILIAR], {}, ['app', 'root', 'amd64', 'arm64']],
  [[FAMILIAR], { referrers: 'drop' }, ['app']],
  [['example/app'], {}, ['app', 'root', 'amd64', 'arm64']],
  [['example/app'], { referrers: 'drop' }, ['app']],
  [['example/app'], { platforms: ['linux/amd64'] }, ['app', 'root', 'amd64']],
  [
    ['example/app'],
    { platforms: ['linux/amd64'], index: 'rewrite' },
    ['app', 'amd64'],
    ['WARN_SIGNATURE_DETACHED', 'WARN_REFERRER_DROPPED'],
  ],
  [[FAMILIAR], { platforms: ['linux/amd64'], index: 'preserve' }, ['app', 'root', 'amd64']],
  [[FAMILIAR], { platforms: ['linux/amd64', 'linux/arm64'] }, ['app', 'root', 'amd64', 'arm64']],
  [[FAMILIAR, 'example/other'], {}, ['app', 'root', 'amd64', 'arm64', 'other']],
];

for (const [texts, options, expected, warnings = []] of SAVES) {
  onEachStore(`a save of ${texts.join(', ')} with ${JSON.stringify(options)} takes its companions`, async (open) => {
    const { built, images, names } = signed();
    const store = await open();
    await loadLayout(store, images, built.blobs);
    const saved = await save(store, texts, options);
    const wanted = expected.map((key) => String(key === 'app' ? NAME : names[key])).toSorted();
    assert.deepEqual(saved.plan.images.map(({ name }) => String(name)).toSorted(), wanted);
    assert.deepEqual(codesOf(saved.plan.warnings), warnings);
    const again = await open();
    const report = await load(again, saved.archive);
    assert.deepEqual([report.incomplete, await imagesOf(again)], [false, wanted]);
    assert.deepEqual((await save(store, texts, options)).archive, saved.archive);
  });
}

/** What warnings tell of which image. */
function told(warnings: readonly Warning[]): readonly (readonly (string | undefined)[])[] {
  return warnings.map(({ code, image }) => [code, image]);
}

/** Saves and loads of a part where the archive has companions of an image that does not come along. */
for (const platforms of [['linux/amd64'], ['linux/arm64', 'linux/arm/v7']]) {
  onEachStore(
    `says that companions of an image that is not saved or loaded are left out, ${platforms.join()}`,
    async (open) => {
      const { built, images, names } = signed();
      const other = buildManifest(built.blobs, { platform: 'linux/s390x', seed: 'other' });
      const stray = companionName(other, 'sig', 'docker.io/example/far');
      const all = [...images, { root: signature(built.blobs, other), name: stray }];
      const store = await open();
      await loadLayout(store, all, built.blobs);
      const expected = [['WARN_REFERRER_DROPPED', stray.replace('docker.io/', '')]];
      const { plan } = await save(store, [FAMILIAR, stray, String(names['other'])], { platforms, index: 'preserve' });
      assert.deepEqual(told(plan.warnings), expected);
      const takesOther = platforms[0] === 'linux/amd64';
      assert.equal(
        plan.images.some(({ name }) => name === names['other']),
        takesOther,
        'one that was asked for goes along from any repository',
      );
      const again = await open();
      const report = await loadLayout(again, all, built.blobs, { platforms });
      assert.deepEqual(told(report.warnings), expected);
    },
  );
}

test('a companion by its own name is an image like others', async () => {
  const { built, images, names } = signed();
  const store = new MemoryStore();
  await loadLayout(store, images, built.blobs);
  const { plan } = await save(store, [String(names['amd64'])]);
  assert.deepEqual(
    plan.images.map(({ name }) => name),
    [names['amd64']],
  );
});

test('a companion that is not whole is left out of a save', async () => {
  const { built, images } = signed();
  const store = new MemoryStore();
  const { layers } = built.blobs.links(images[0]!.root.digest);
  await fill(
    store,
    images.slice(0, 2).map(({ name, root }) => ({ name: String(name), descriptor: root })),
    without(built.blobs, layers![0]!.digest),
  );
  const { plan } = await save(store, [FAMILIAR]);
  assert.deepEqual(
    plan.images.map(({ name }) => name),
    [NAME],
  );
  assert.deepEqual(codesOf(plan.warnings), ['WARN_REFERRER_MISSING']);
});

function without(blobs: BlobSet, digest: Digest): BlobSet {
  const part = new BlobSet(blobs);
  part.delete(digest);
  return part;
}
