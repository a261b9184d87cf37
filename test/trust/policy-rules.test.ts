import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ImageRecord } from '../../src/model/image-list.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { TrustReport } from '../../src/trust/trust-report.js';
import { verifyTrust } from '../../src/trust/verify-trust.js';
import { buildManifest } from '../fixtures/manifest-builder.js';
import { example, NAME, type Example } from '../fixtures/example.js';
import { everyImage, policyOf } from '../fixtures/policies.js';
import {
  bundleLayer,
  cosignLayer,
  dsseLayer,
  SIGNED,
  signatureRecord,
  signer,
  simplePayload,
  statement,
  type SignatureLayer,
  type Signer,
} from '../fixtures/signatures.js';
import { fill } from '../fixtures/stores.js';

const RELEASE = signer('release');
const VENDOR = signer('vendor', 'Ed25519');
const KEYS = { release: RELEASE, vendor: VENDOR };
const PROVENANCE = 'https://slsa.dev/provenance/v1';

/** The report about the example image under a policy of one rule. */
async function reportOf(
  built: Example,
  rule: object,
  records: readonly ImageRecord[] = [],
  name: string | undefined = NAME,
): Promise<TrustReport> {
  const store = new MemoryStore();
  const image = { ...(name !== '' && { name }), descriptor: built.root };
  await fill(store, [image, ...records], built.blobs);
  const [report] = await verifyTrust(store, [built.root.digest], { policy: policyOf(KEYS, [rule]) });
  assert.ok(report);
  return report;
}

function over(built: Example, layer: SignatureLayer, subject = built.root): ImageRecord {
  return signatureRecord(built.blobs, subject, layer, 'a referrer');
}

function signedBy(built: Example, by: Signer, subject = built.root): ImageRecord {
  return over(built, cosignLayer(by, simplePayload(subject.digest)), subject);
}

const codesOf = ({ reasons }: TrustReport): readonly string[] => [...new Set(reasons.map(({ code }) => code))];

const signersOf = ({ signatures }: TrustReport): readonly string[] => sorted(signatures.map(({ by = '' }) => by));

function sorted(texts: readonly string[]): readonly string[] {
  return texts.toSorted((a, b) => (a < b ? -1 : 1));
}

test('counts different keys, and a key once', async () => {
  const both = everyImage({ signatures: [{ keys: ['release', 'vendor'], threshold: 2 }] });
  const built = example();
  const [one, again, other] = [
    signedBy(built, RELEASE),
    over(built, bundleLayer(RELEASE, statement(built.root.digest, SIGNED))),
    signedBy(built, VENDOR),
  ];
  const lacking = await reportOf(built, both, [one, again]);
  assert.deepEqual([lacking.decision, codesOf(lacking)], ['denied', ['ERR_SIGNATURE_MISSING']]);
  assert.match(lacking.reasons[0]?.message ?? '', /by 1 of the 2 keys/);
  assert.equal((await reportOf(built, both, [one, other])).decision, 'allowed');
  // The index by one key, and each platform by the other.
  const parts = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].map((one) => signedBy(built, VENDOR, built.of(one)));
  assert.equal((await reportOf(built, both, [one, ...parts])).decision, 'allowed');
  assert.equal((await reportOf(built, both, [one, ...parts.slice(1)])).decision, 'denied');
});

test('demands every entry of a list of signatures', async () => {
  const rule = everyImage({ signatures: [{ keys: ['release'] }, { keys: ['vendor'] }] });
  const built = example();
  assert.equal((await reportOf(built, rule, [signedBy(built, RELEASE)])).decision, 'denied');
  const allowed = await reportOf(built, rule, [signedBy(built, RELEASE), signedBy(built, VENDOR)]);
  assert.deepEqual([allowed.decision, signersOf(allowed)], ['allowed', ['release', 'vendor']]);
});

test('takes the key that the entry names, and no other one of the policy', async () => {
  const built = example();
  const report = await reportOf(built, everyImage({ signatures: [{ keys: ['vendor'] }] }), [signedBy(built, RELEASE)]);
  assert.deepEqual([report.decision, codesOf(report)], ['denied', ['ERR_SIGNATURE_INVALID']]);
  const mixed = everyImage({
    signatures: [{ keys: ['vendor'] }],
    attestations: [{ predicateType: PROVENANCE, keys: ['release'] }],
  });
  // The key of the attestations signs no image.
  const denied = await reportOf(built, mixed, [
    signedBy(built, RELEASE),
    over(built, dsseLayer([RELEASE], statement(built.root.digest, PROVENANCE))),
  ]);
  assert.deepEqual([denied.decision, codesOf(denied)], ['denied', ['ERR_SIGNATURE_INVALID']]);
});

test('demands attestations of a type, by the key, of each platform or of the root', async () => {
  const demand = { predicateType: PROVENANCE, keys: ['release'] };
  const rule = everyImage({ attestations: [demand] });
  const built = example();
  const { digest } = built.root;
  const allowed = [
    dsseLayer([RELEASE], statement(digest, PROVENANCE)),
    bundleLayer(RELEASE, statement(digest, PROVENANCE)),
    dsseLayer([VENDOR, RELEASE], statement(digest, PROVENANCE)),
  ];
  for (const layer of allowed) {
    const report = await reportOf(built, rule, [over(built, layer)]);
    assert.deepEqual([report.decision, report.warnings], ['allowed', []]);
  }
  const refused = [
    dsseLayer([VENDOR], statement(digest, PROVENANCE)),
    dsseLayer([RELEASE], statement(digest, `${PROVENANCE}/x`)),
    dsseLayer([RELEASE], statement(digest, SIGNED)),
    dsseLayer([RELEASE], statement(built.of('linux/arm64').digest, PROVENANCE)),
    cosignLayer(RELEASE, simplePayload(digest)),
  ];
  for (const layer of refused) {
    const report = await reportOf(built, rule, [over(built, layer)]);
    assert.deepEqual([report.decision, codesOf(report)], ['denied', ['ERR_ATTESTATION_MISSING']]);
  }
  const parts = ['linux/amd64', 'linux/arm64', 'linux/arm/v7'].map((one) =>
    over(built, dsseLayer([RELEASE], statement(built.of(one).digest, PROVENANCE)), built.of(one)),
  );
  assert.equal((await reportOf(built, rule, parts)).decision, 'allowed');
  assert.equal((await reportOf(built, rule, parts.slice(1))).decision, 'denied');
  const root = everyImage({ attestations: [{ ...demand, cover: 'root' }] });
  assert.equal((await reportOf(built, root, parts)).decision, 'denied');
  const two = everyImage({ attestations: [{ ...demand, keys: ['release', 'vendor'], threshold: 2 }] });
  assert.equal((await reportOf(built, two, [over(built, allowed[0]!)])).decision, 'denied');
  const signed = await reportOf(built, two, [over(built, allowed[2]!)]);
  assert.deepEqual([signed.decision, signersOf(signed)], ['allowed', ['release', 'vendor']]);
});

test('compares the repository as the rule says, that of a mirror too', async () => {
  const mirrored = { repository: 'registry.example.com/team/app' };
  const cases: readonly (readonly [stated: string, identity: unknown, decision: string])[] = [
    ['registry.example.com/team/app', 'stated', 'denied'],
    ['registry.example.com/team/app', mirrored, 'allowed'],
    ['docker.io/example/app', mirrored, 'denied'],
    ['', mirrored, 'denied'],
    ['', 'stated', 'allowed'],
    ['', 'required', 'denied'],
    ['example/app', 'required', 'allowed'],
    ['registry.example.com/team/app', 'any', 'allowed'],
  ];
  for (const [stated, identity, decision] of cases) {
    const built = example();
    const record = over(built, cosignLayer(RELEASE, simplePayload(built.root.digest, stated)));
    const report = await reportOf(built, everyImage({ signatures: [{ keys: ['release'], identity }] }), [record]);
    assert.equal(report.decision, decision, `${stated} ${JSON.stringify(identity)}`);
    assert.equal(report.signatures[0]?.state, decision === 'allowed' ? 'valid' : 'invalid');
  }
});

/** Rules without signatures, and why the example is denied; undefined if it is allowed. */
const DEMANDS: readonly (readonly [rule: object, denied?: RegExp])[] = [
  [{}],
  [{ platforms: ['linux/amd64', 'linux/arm64', 'linux/arm/v7'] }],
  [{ platforms: ['linux/amd64', 'linux/arm64'] }, /is for linux\/arm\/v7, which rules\[0\] does not allow/],
  [{ requirePlatforms: ['linux/arm64', 'linux/amd64'] }],
  [{ requirePlatforms: ['linux/amd64', 'linux/s390x'] }, /^linux\/s390x is not complete here/],
  [{ digests: [example().root.digest] }],
  [{ digests: [`sha256:${'0'.repeat(64)}`] }, /none of the digests/],
  [{ maxBytes: 10_000_000, maxLayers: 100 }],
  [{ maxBytes: 10 }, /bytes; rules\[0\] allows 10$/],
  [{ maxLayers: 1 }, /layers; rules\[0\] allows 1$/],
  [{ deny: 'not today' }, /^rules\[0\] denies it: "not today"$/],
];

for (const [rule, denied] of DEMANDS) {
  test(`judges an image by ${JSON.stringify(rule)}`, async () => {
    const report = await reportOf(example(), everyImage(rule));
    const expected = denied === undefined ? [] : ['ERR_POLICY_DENIED'];
    assert.deepEqual([report.rule, codesOf(report)], ['rules[0]', expected]);
    if (denied !== undefined) assert.match(report.reasons[0]?.message ?? '', denied);
    assert.deepEqual(report.signatures, []);
  });
}

test('counts the distinct blobs of what is here, and its layers', async () => {
  const built = example();
  const sizes = [...built.blobs].map(([, bytes]) => bytes.length);
  const bytes = sizes.reduce((sum, size) => sum + size, 0);
  assert.equal((await reportOf(built, everyImage({ maxBytes: bytes }))).decision, 'allowed');
  assert.equal((await reportOf(built, everyImage({ maxBytes: bytes - 1 }))).decision, 'denied');
  built.blobs.delete(built.of('linux/arm/v7').digest);
  assert.equal((await reportOf(built, everyImage({ maxBytes: bytes - 1 }))).decision, 'allowed');
});

test('tells every reason, not the first only', async () => {
  const built = example();
  const rule = everyImage({
    signatures: [{ keys: ['release'] }],
    maxBytes: 1,
    platforms: ['linux/amd64'],
    digests: [`sha256:${'0'.repeat(64)}`],
  });
  const report = await reportOf(built, rule);
  assert.deepEqual(codesOf(report), ['ERR_POLICY_DENIED', 'ERR_SIGNATURE_MISSING']);
  assert.equal(report.reasons.length, 1 + 2 + 1 + 3);
});

test('decides by the first rule that matches, and else by the default', async () => {
  const store = new MemoryStore();
  const built = example();
  const names = ['docker.io/example/app:1', 'registry.example.com/team/app:1', 'docker.io/other/app:1'];
  await fill(
    store,
    names.map((name) => ({ name, descriptor: built.root })),
    built.blobs,
  );
  const rules = [
    { names: ['registry.example.com/**'] },
    { names: ['docker.io/example/*'], deny: 'no' },
    { names: ['docker.io/example/app'] },
  ];
  for (const otherwise of ['allow', 'deny'] as const) {
    const reports = await verifyTrust(store, [], { policy: policyOf({}, rules, otherwise) });
    const expected = { allow: 'allowed', deny: 'denied' }[otherwise];
    assert.deepEqual(
      reports.map(({ rule, decision }) => [rule, decision]),
      [
        ['rules[1]', 'denied'],
        ['default', expected],
        ['rules[0]', 'allowed'],
      ],
    );
  }
});

test('matches images without a name only by rules that say so', async () => {
  const built = example();
  const named = await reportOf(built, { names: ['**'] }, [], '');
  assert.deepEqual([named.decision, named.reasons[0]?.message], ['denied', 'no rule is for images without a name']);
  assert.equal((await reportOf(built, { names: [], unnamed: true }, [], '')).decision, 'allowed');
  assert.equal((await reportOf(built, { names: [], unnamed: true })).decision, 'denied');
});

test('warns of a root that is not signed, and of what was not checked', async () => {
  const built = example({ platforms: ['linux/amd64'] });
  const amd = built.of('linux/amd64');
  const notation = over(built, { mediaType: 'application/jose+json', bytes: '{}' });
  const rule = everyImage({ signatures: [{ keys: ['release'] }] });
  const report = await reportOf(built, rule, [signedBy(built, RELEASE, amd), notation]);
  assert.deepEqual(
    [report.decision, report.isRootSigned, report.warnings.map(({ code }) => code)],
    ['allowed', false, ['WARN_ROOT_UNSIGNED', 'WARN_TRUST_UNCHECKED']],
  );
  assert.match(report.warnings[1]?.message ?? '', /notation: not checked/);
  const signed = await reportOf(built, rule, [signedBy(built, RELEASE)]);
  assert.deepEqual(signed.warnings, []);
});

test('lets no unsigned index call an image by another platform', async () => {
  const built = example({ platforms: ['linux/amd64'] });
  const arm = buildManifest(built.blobs, { platform: 'linux/arm64', seed: 'arm' });
  const index = JSON.parse(built.blobs.bytes(built.root.digest).toString()) as object;
  const manifests = [{ ...arm, platform: { os: 'linux', architecture: 'amd64' } }];
  const root = built.blobs.document({ ...index, manifests }, built.root.mediaType);
  const lying = { ...built, root };
  for (const demand of [{ signatures: [{ keys: ['release'] }] }, { platforms: ['linux/amd64'] }]) {
    const denied = await reportOf(lying, everyImage(demand), [signedBy(lying, RELEASE, arm)]);
    assert.deepEqual([denied.decision, codesOf(denied)], ['denied', ['ERR_PLATFORM_MISMATCH']]);
    // Who signs the index says so himself.
    const signatures = [{ keys: ['release'] }];
    const signed = await reportOf(lying, everyImage({ ...demand, signatures }), [signedBy(lying, RELEASE)]);
    assert.equal(signed.decision, 'allowed');
  }
});

test('refuses keys and a policy together, and neither', async () => {
  const store = new MemoryStore();
  const policy = policyOf({}, [], 'allow');
  const refused = { code: 'ERR_OPTION_INVALID' };
  await assert.rejects(verifyTrust(store, [], { policy, keys: [RELEASE.publicKey] }), refused);
  await assert.rejects(verifyTrust(store, [], { policy, cover: 'root' }), refused);
  await assert.rejects(verifyTrust(store, [], {}), refused);
});
