import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import type { LoadOptions } from '../../src/load/load-images.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutArchive, type LayoutImage } from '../fixtures/archive-builder.js';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { output } from '../fixtures/command.js';
import { example, NAME, type Example } from '../fixtures/example.js';
import { chunksOf, load, ORDERS } from '../fixtures/loading.js';
import { HOST } from '../fixtures/saved-archive.js';
import {
  asLayoutImage,
  companionName,
  cosignLayer,
  signatureManifest,
  SIGNATURE_PLACES,
  signatureRecord,
  signer,
  simplePayload,
} from '../fixtures/signatures.js';
import { onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';

const RELEASE = signer('release');
const OTHER = signer('other');
const WITH_KEY: LoadOptions = { keys: [RELEASE.publicKey], hostPlatform: HOST };

/** The image of an archive that signs a digest, by its tag or as a referrer. */
function signatureOver(
  built: Example,
  over: Example['root'],
  by = RELEASE,
  place: (typeof SIGNATURE_PLACES)[number] = 'a tag',
): LayoutImage {
  return asLayoutImage(signatureRecord(built.blobs, over, cosignLayer(by, simplePayload(over.digest)), place));
}

for (const order of ORDERS) {
  for (const place of SIGNATURE_PLACES) {
    onEachStore(`loads what a key signed, signature in ${place}, order ${order}`, async (open, t) => {
      const built = example();
      const images = [...built.images, signatureOver(built, built.root, RELEASE, place)];
      const bytes = await layoutArchive(images, built.blobs, { order });
      const file = path.join(await temporaryFolder(t), 'archive.tar');
      await writeFile(file, bytes);
      for (const source of [() => chunksOf(bytes), () => file]) {
        for (const platforms of [[], ['linux/arm64']]) {
          const store = await open();
          const report = await load(store, source(), { ...WITH_KEY, platforms });
          assert.deepEqual(
            report.trust?.map(({ name, decision }) => [name, decision]),
            [[NAME, 'allowed']],
          );
          // Again, with everything in the store.
          assert.equal((await load(store, source(), { ...WITH_KEY, platforms })).blobs.stored, 0);
        }
      }
    });
  }
}

test('loads one platform whose manifest is signed, and refuses the others', async () => {
  const built = example();
  const images = [...built.images, signatureOver(built, built.of('linux/arm64'))];
  const bytes = await layoutArchive(images, built.blobs);
  const report = await load(new MemoryStore(), bytes, { ...WITH_KEY, platforms: ['linux/arm64'] });
  assert.deepEqual(
    report.trust?.map(({ decision, isRootSigned }) => [decision, isRootSigned]),
    [['allowed', false]],
  );
  const store = new MemoryStore();
  await assert.rejects(load(store, bytes, WITH_KEY), { code: 'ERR_SIGNATURE_MISSING', category: 'trust' });
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});

const REFUSED: Readonly<Record<string, (built: Example) => readonly LayoutImage[]>> = {
  'no signature': () => [],
  'a signature by another key': (built) => [signatureOver(built, built.root, OTHER)],
  'a signature over another image': (built) => [signatureOver(built, example({ seed: 'other' }).root)],
  'a second image without a signature': (built) => {
    const second = buildArtifact(built.blobs, { seed: 'second' });
    return [signatureOver(built, built.root), { root: second, name: 'docker.io/example/second:1' }];
  },
  'content of an unknown type without a signature': (built) => {
    const root = built.blobs.descriptor('who knows', 'application/vnd.example.unknown');
    return [signatureOver(built, built.root), { root, name: 'docker.io/example/unknown:1' }];
  },
};

for (const [what, more] of Object.entries(REFUSED)) {
  onEachStore(`changes nothing for ${what}`, async (open) => {
    const good = example({ seed: 'before', platforms: ['linux/amd64'] });
    const store = await open();
    await load(store, await layoutArchive(good.images, good.blobs));
    const before = await stateOf(store);
    const built = example();
    const bytes = await layoutArchive([...built.images, ...more(built)], built.blobs);
    await assert.rejects(load(store, bytes, WITH_KEY), ({ code, details }: { code: string; details: object }) => {
      assert.match(code, /^ERR_SIGNATURE_(?:MISSING|INVALID)$/);
      assert.ok('trust' in details);
      return true;
    });
    assert.deepEqual(await stateOf(store), before);
    // Without a key the same archive loads.
    await load(store, bytes, { hostPlatform: HOST });
  });
}

onEachStore('loads images of the digests that are asked for, and no others', async (open) => {
  const built = example();
  const second = buildArtifact(built.blobs, { seed: 'second' });
  const name = 'docker.io/example/second:1';
  const bytes = await layoutArchive([...built.images, { root: second, name }], built.blobs);
  const store = await open();
  await assert.rejects(load(store, bytes, { digests: [built.root.digest] }), {
    code: 'ERR_DIGEST_REFUSED',
    details: { refused: [{ image: 'example/second:1', digest: second.digest }] },
  });
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
  await load(store, bytes, { digests: [second.digest, built.root.digest], platforms: [] });
  await load(await open(), bytes, { digests: [built.root.digest], images: [NAME] });
  await assert.rejects(load(store, bytes, { digests: ['sha256:1'] }), { code: 'ERR_DIGEST_INVALID' });
});

test('takes no image for a signature because of its name', async () => {
  const built = example();
  const hidden = example({ seed: 'hidden', platforms: ['linux/amd64'] });
  for (const [digest, bytes] of hidden.blobs) built.blobs.set(digest, bytes);
  const manifest = hidden.of('linux/amd64');
  const named = { root: manifest, name: companionName(hidden.root.digest, 'sig', 'docker.io/example/hidden') };
  const archive = await layoutArchive([...built.images, signatureOver(built, built.root), named], built.blobs);
  await assert.rejects(load(new MemoryStore(), archive, WITH_KEY), { code: 'ERR_SIGNATURE_MISSING' });
});

for (const place of SIGNATURE_PLACES) {
  onEachStore(`checks a signature in ${place} that it does not keep`, async (open) => {
    const built = example();
    const bytes = await layoutArchive([...built.images, signatureOver(built, built.root, RELEASE, place)], built.blobs);
    for (const platforms of [[], ['linux/arm64']]) {
      const store = await open();
      const report = await load(store, bytes, { ...WITH_KEY, referrers: 'drop', platforms });
      assert.deepEqual(
        report.trust?.map(({ decision }) => decision),
        ['allowed'],
      );
      const kept = await stateOf(store);
      const plain = await open();
      await load(plain, bytes, { referrers: 'drop', platforms, hostPlatform: HOST });
      assert.deepEqual(kept, await stateOf(plain));
      await assert.rejects(load(await open(), bytes, { keys: [OTHER.publicKey], referrers: 'drop', platforms }), {
        code: 'ERR_SIGNATURE_INVALID',
      });
    }
  });
}

onEachStore('checks the layout of a cosign save, as a tar and as a folder', async (open, t) => {
  const built = example();
  const descriptor = signatureManifest(built.blobs, cosignLayer(RELEASE, simplePayload(built.root.digest)));
  const images = [
    { root: built.root, name: NAME, annotations: { kind: 'dev.cosignproject.cosign/imageIndex' } },
    { root: descriptor, annotations: { kind: 'dev.cosignproject.cosign/sigs' } },
  ];
  const folder = await temporaryFolder(t);
  const [file, layout] = [path.join(folder, 'archive.tar'), path.join(folder, 'layout')];
  await writeFile(file, await layoutArchive(images, built.blobs));
  await mkdir(layout);
  await output('tar', ['-xf', file, '-C', layout]);
  for (const source of [file, layout]) {
    const report = await load(await open(), source, WITH_KEY);
    assert.deepEqual(
      report.trust?.map(({ name, decision, isRootSigned }) => [name, decision, isRootSigned]),
      [[NAME, 'allowed', true]],
    );
    await assert.rejects(load(await open(), source, { keys: [OTHER.publicKey] }), { code: 'ERR_SIGNATURE_INVALID' });
  }
});
