import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { tagImage } from '../../src/edit/tag-image.js';
import type { LoadOptions } from '../../src/load/load-images.js';
import type { ErrorCode } from '../../src/model/errors.js';
import { OciLayoutStore } from '../../src/stores/layout/oci-layout-store.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { layoutArchive, type LayoutImage } from '../fixtures/archive-builder.js';
import { buildArtifact } from '../fixtures/artifact-builder.js';
import { output } from '../fixtures/command.js';
import { dockerArchive, dockerImageOf } from '../fixtures/docker-archive-builder.js';
import { example, FAMILIAR, NAME, type Example } from '../fixtures/example.js';
import { codesOf, load, ORDERS } from '../fixtures/loading.js';
import { everyImage, policyOf } from '../fixtures/policies.js';
import { refuses } from '../fixtures/refusals.js';
import { HOST } from '../fixtures/saved-archive.js';
import {
  asLayoutImage,
  companionName,
  cosignLayer,
  SIGNATURE_PLACES,
  signatureRecord,
  signer,
  simplePayload,
} from '../fixtures/signatures.js';
import { namesOf, onEachStore, stateOf, temporaryFolder } from '../fixtures/stores.js';

const RELEASE = signer('release');
const OTHER = signer('other');
const SIGNED = everyImage({ signatures: [{ keys: ['release'] }] });

function withPolicy(rules: readonly object[], otherwise: 'allow' | 'deny' = 'deny'): LoadOptions {
  return { policy: policyOf({ release: RELEASE, other: OTHER }, rules, otherwise), hostPlatform: HOST };
}

function signatureOver(built: Example, by = RELEASE, place: (typeof SIGNATURE_PLACES)[number] = 'a tag'): LayoutImage {
  const layer = cosignLayer(by, simplePayload(built.root.digest));
  return asLayoutImage(signatureRecord(built.blobs, built.root, layer, place));
}

/** The example in an archive with more images. */
async function archiveOf(built: Example, ...more: readonly LayoutImage[]): Promise<Buffer> {
  return await layoutArchive([...built.images, ...more], built.blobs);
}

onEachStore('loads what a policy allows, and says which rule did', async (open) => {
  const built = example();
  const second = buildArtifact(built.blobs, { seed: 'second' });
  const bytes = await archiveOf(built, signatureOver(built), { root: second, name: 'registry.example.com/second:1' });
  const rules = [
    { names: ['docker.io/example/**'], signatures: [{ keys: ['release'] }] },
    { names: ['registry.example.com/*'] },
  ];
  const report = await load(await open(), bytes, withPolicy(rules));
  assert.deepEqual(
    report.trust?.map(({ name, rule, decision }) => [name, rule, decision]),
    [
      [NAME, 'rules[0]', 'allowed'],
      ['registry.example.com/second:1', 'rules[1]', 'allowed'],
    ],
  );
});

/** Rules that deny one of three images, and the code. */
const DENIED: Readonly<Record<string, readonly [rules: readonly object[], code: ErrorCode]>> = {
  'no rule': [[{ names: ['docker.io/example/*'] }], 'ERR_POLICY_DENIED'],
  'a rule that denies': [[{ names: ['docker.io/**'] }, { names: ['**'], deny: 'x' }], 'ERR_POLICY_DENIED'],
  'no signature': [[{ names: ['docker.io/**'] }, SIGNED], 'ERR_SIGNATURE_MISSING'],
  'a signature by another key': [
    [{ names: ['docker.io/example/app'], signatures: [{ keys: ['other'] }] }, everyImage({})],
    'ERR_SIGNATURE_INVALID',
  ],
  'no attestation': [
    [everyImage({ attestations: [{ predicateType: 'x', keys: ['release'] }] })],
    'ERR_ATTESTATION_MISSING',
  ],
  'another digest': [[everyImage({ digests: [`sha256:${'0'.repeat(64)}`] })], 'ERR_POLICY_DENIED'],
  'another platform': [[everyImage({ platforms: ['linux/s390x'] })], 'ERR_POLICY_DENIED'],
  'no required platform': [[everyImage({ requirePlatforms: ['linux/s390x'] })], 'ERR_POLICY_DENIED'],
  'too many bytes': [[everyImage({ maxBytes: 1 })], 'ERR_POLICY_DENIED'],
  'too many layers': [[everyImage({ maxLayers: 1 })], 'ERR_POLICY_DENIED'],
  'a name that is taken': [[everyImage({ overwrite: 'same-digest' })], 'ERR_NAME_CONFLICT'],
  'a name that is taken at all': [[everyImage({ overwrite: 'deny' })], 'ERR_NAME_CONFLICT'],
};

for (const [what, [rules, code]] of Object.entries(DENIED)) {
  onEachStore(`changes nothing for ${what}, of three images`, async (open, t) => {
    const before = example({ seed: 'before', platforms: ['linux/amd64'] });
    const store = await open();
    await load(store, await archiveOf(before));
    const built = example();
    const roots = ['second', 'third'].map((seed) => buildArtifact(built.blobs, { seed }));
    const more = roots.map((root, at) => ({ root, name: `registry.example.com/more:${at}` }));
    const bytes = await archiveOf(built, signatureOver(built), ...more);
    const file = path.join(await temporaryFolder(t), 'archive.tar');
    await writeFile(file, bytes);
    for (const source of [bytes, file])
      await refuses(store, async () => await load(store, source, withPolicy(rules)), { code });
    const told = await load(store, bytes, { ...withPolicy(rules), policyReport: true });
    assert.ok(codesOf(told.warnings).includes('WARN_POLICY_DENIED'), 'a report only tells');
    assert.ok(told.trust?.some(({ decision }) => decision === 'denied'));
  });
}

test('tells all images that are denied, with their reasons', async () => {
  const built = example();
  const second = buildArtifact(built.blobs, { seed: 'second' });
  const bytes = await archiveOf(built, { root: second, name: 'registry.example.com/second:1' });
  await assert.rejects(
    load(new MemoryStore(), bytes, withPolicy([], 'deny')),
    ({ message, details }: { message: string; details: { trust: readonly object[] } }) => {
      assert.match(
        message,
        /^nothing was loaded: example\/app:1: no rule allows this name; registry\.example\.com\/second:1: /,
      );
      assert.equal(details.trust.length, 2);
      return true;
    },
  );
});

test('judges each name of an image', async () => {
  const built = example();
  const bytes = await archiveOf(built, signatureOver(built), { root: built.root, name: 'registry.example.com/x:1' });
  const rules = [{ names: ['docker.io/**'], signatures: [{ keys: ['release'] }] }];
  await assert.rejects(load(new MemoryStore(), bytes, withPolicy(rules)), { code: 'ERR_POLICY_DENIED' });
});

for (const place of SIGNATURE_PLACES) {
  onEachStore(`finds in the store a signature in ${place} that an archive lacks`, async (open) => {
    const built = example();
    const store = await open();
    const with_ = await archiveOf(built, signatureOver(built, RELEASE, place));
    await load(store, with_);
    const plain = example();
    const again = await archiveOf(plain);
    for (const platforms of [[], ['linux/arm64']]) await load(store, again, { ...withPolicy([SIGNED]), platforms });
    const empty = await open();
    await refuses(empty, async () => await load(empty, again, withPolicy([SIGNED])), { code: 'ERR_SIGNATURE_MISSING' });
  });
}

onEachStore('loads a signature alone of an image that the store has, and none of a stranger', async (open) => {
  const built = example();
  const store = await open();
  await load(store, await archiveOf(built));
  const signature = signatureOver(built);
  const alone = await layoutArchive([signature], built.blobs);
  await load(store, alone, withPolicy([SIGNED]));
  assert.deepEqual(await namesOf(store), [NAME, signature.name]);
  await load(store, await archiveOf(built), withPolicy([SIGNED]));
  const empty = await open();
  await refuses(empty, async () => await load(empty, alone, withPolicy([SIGNED])), { code: 'ERR_SIGNATURE_MISSING' });
});

onEachStore('takes nothing that can run for a signature, whatever its name says', async (open) => {
  const built = example();
  const hidden = example({ seed: 'hidden', platforms: ['linux/amd64'] });
  for (const [digest, bytes] of hidden.blobs) built.blobs.set(digest, bytes);
  const { digest } = built.root;
  const names = [
    { root: hidden.of('linux/amd64'), name: companionName(digest, 'sig') },
    { root: hidden.root, name: `docker.io/example/app:${digest.replace(':', '-')}` },
  ];
  for (const named of names) {
    const store = await open();
    const bytes = await archiveOf(built, signatureOver(built, RELEASE, 'a referrer'), named);
    for (const platforms of [[], ['linux/amd64']])
      await refuses(store, async () => await load(store, bytes, { ...withPolicy([SIGNED]), platforms }), {
        code: 'ERR_SIGNATURE_MISSING',
      });
  }
});

const withOverwrite = (overwrite: string): LoadOptions => withPolicy([everyImage({ overwrite })]);

onEachStore('keeps names as the rule says', async (open) => {
  const [first, second] = [example({ seed: 'a' }), example({ seed: 'b' })];
  const [one, other] = [await archiveOf(first), await archiveOf(second)];
  const store = await open();
  await load(store, one, withOverwrite('deny'));
  await load(store, one, withOverwrite('same-digest'));
  await refuses(store, async () => await load(store, one, withOverwrite('deny')), { code: 'ERR_NAME_CONFLICT' });
  await refuses(store, async () => await load(store, other, withOverwrite('same-digest')), {
    code: 'ERR_NAME_CONFLICT',
  });
  await load(store, other, withOverwrite('allow'));
  // Another process gives the name away after the images were judged.
  const fresh = await open();
  await load(fresh, one);
  await tagImage(fresh, FAMILIAR, 'spare:1');
  const third = await layoutArchive([{ root: second.root, name: 'docker.io/library/late:1' }], second.blobs);
  const giving = async (): Promise<void> => void (await tagImage(fresh, 'spare:1', 'late:1'));
  await assert.rejects(load(fresh, third, { ...withOverwrite('same-digest'), beforeCommit: giving }), {
    code: 'ERR_NAME_CONFLICT',
  });
  const late = (await fresh.list()).find(({ name }) => name === 'docker.io/library/late:1');
  assert.equal(late?.descriptor.digest, first.root.digest);
});

onEachStore('hashes again what the store had, if the rule says so', async (open) => {
  const built = example();
  const store = await open();
  await load(store, await archiveOf(built));
  const again = await archiveOf(built);
  await load(store, again, withPolicy([everyImage({ verifyPresent: true })]));
  if (!(store instanceof OciLayoutStore)) return;
  const [layer] = built.blobs.links(built.of('linux/arm64').digest).layers ?? [];
  const file = `${store.directory}/blobs/${layer?.digest.replace(':', '/')}`;
  const bytes = await readFile(file);
  await output('chmod', ['u+w', file]);
  await writeFile(file, bytes.fill(0));
  await load(store, again, withPolicy([everyImage({})]));
  await assert.rejects(load(store, again, withPolicy([everyImage({ verifyPresent: true })])), {
    code: 'ERR_DIGEST_MISMATCH',
    details: { digest: layer?.digest },
  });
});

test('finds no signature in a docker-archive, which has no signed digest', async () => {
  const built = example({ platforms: ['linux/amd64'] });
  const store = new MemoryStore();
  // Even if its manifest, as it is made here, was signed later.
  const made = new MemoryStore();
  const plain = await dockerArchive([dockerImageOf(built.blobs, built.of('linux/amd64'), [FAMILIAR])]);
  const [image] = (await load(made, plain)).images;
  assert.ok(image);
  const beside = signatureRecord(
    built.blobs,
    { ...built.root, digest: image.digest },
    cosignLayer(RELEASE, simplePayload(image.digest)),
  );
  await load(store, await layoutArchive([asLayoutImage(beside)], built.blobs));
  const bytes = await dockerArchive([dockerImageOf(built.blobs, built.of('linux/amd64'), [FAMILIAR])]);
  await refuses(store, async () => await load(store, bytes, withPolicy([SIGNED])), {
    code: 'ERR_SIGNATURE_MISSING',
    message: /docker-archive/,
  });
});

for (const order of ORDERS) {
  test(`a layout without signatures is refused in the order ${order}`, async () => {
    const built = example();
    const bytes = await layoutArchive(built.images, built.blobs, { order });
    await assert.rejects(load(new MemoryStore(), bytes, withPolicy([SIGNED])), { code: 'ERR_SIGNATURE_MISSING' });
  });
}

test('refuses a policy beside keys, and a report about nothing', async () => {
  const bytes = await archiveOf(example());
  const options = withPolicy([SIGNED]);
  const store = new MemoryStore();
  const refused = { code: 'ERR_OPTION_INVALID' } as const;
  await refuses(store, async () => await load(store, bytes, { ...options, keys: [RELEASE.publicKey] }), refused);
  await refuses(store, async () => await load(store, bytes, { policyReport: true }), refused);
  await refuses(store, async () => await load(store, bytes, { policy: {} as never }), refused);
  assert.deepEqual(await stateOf(store), { images: [], blobs: [] });
});
