import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import type { Digest } from '../../src/model/digest.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { TrustReport } from '../../src/trust/trust-report.js';
import { verifyTrust, type TrustOptions } from '../../src/trust/verify-trust.js';
import { example, NAME, type Example } from '../fixtures/example.js';
import {
  BUNDLE,
  bundle,
  bundleLayer,
  cosignLayer,
  dsseLayer,
  envelope,
  KEY_KINDS,
  SIGNED,
  signatureOf,
  signatureRecord,
  SIGNATURE_PLACES,
  signer,
  simplePayload,
  statement,
  type SignatureLayer,
  type Signer,
} from '../fixtures/signatures.js';
import { fill, onEachStore } from '../fixtures/stores.js';

const RELEASE = signer('release');
const OTHER = signer('other');

/** A signature of the digest in each form that is checked. */
const FORMS: Readonly<Record<string, (by: Signer, digest: Digest) => SignatureLayer>> = {
  cosign: (by, digest) => cosignLayer(by, simplePayload(digest)),
  bundle: (by, digest) => bundleLayer(by, statement(digest, SIGNED)),
};

/** The report about the example image, with what was signed beside it. */
async function reportOf(
  built: Example,
  records: readonly ImageRecord[],
  options: Partial<TrustOptions> = {},
): Promise<TrustReport> {
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: built.root }, ...records], built.blobs);
  const [report] = await verifyTrust(store, [NAME], { keys: [RELEASE.publicKey], ...options });
  assert.ok(report);
  return report;
}

for (const place of SIGNATURE_PLACES) {
  for (const [form, layerOf] of Object.entries(FORMS)) {
    test(`finds a ${form} signature of the root in ${place}`, async () => {
      const built = example();
      const report = await reportOf(built, [
        signatureRecord(built.blobs, built.root, layerOf(RELEASE, built.root.digest), place),
      ]);
      assert.deepEqual([report.decision, report.reasons, report.isRootSigned], ['allowed', [], true]);
      const [found, ...others] = report.signatures;
      assert.deepEqual([found?.state, found?.by, found?.kind, others], ['valid', 'release.pub', form, []]);
    });
  }
}

for (const kind of KEY_KINDS) {
  test(`takes signatures by a key of the kind ${kind}, and none by another such key`, async () => {
    const built = example();
    const [own, other] = [signer('own', kind), signer('stranger', kind)];
    for (const layerOf of Object.values(FORMS)) {
      const record = signatureRecord(built.blobs, built.root, layerOf(own, built.root.digest), 'a tag');
      assert.equal((await reportOf(built, [record], { keys: [other.publicKey, own.publicKey] })).decision, 'allowed');
      const denied = await reportOf(built, [record], { keys: [other.publicKey] });
      assert.deepEqual([denied.decision, denied.reasons[0]?.code], ['denied', 'ERR_SIGNATURE_INVALID']);
    }
  });
}

for (const kind of ['P-384', 'P-521'] as const) {
  test(`takes a simple signature over SHA-256 by a key of the kind ${kind}, and no such envelope`, async () => {
    const built = example();
    const own = signer('own', kind);
    const sha256: Signer = { ...own, hash: 'sha256' };
    const simple = signatureRecord(
      built.blobs,
      built.root,
      cosignLayer(sha256, simplePayload(built.root.digest)),
      'a tag',
    );
    assert.equal((await reportOf(built, [simple], { keys: [own.publicKey] })).decision, 'allowed');
    const dsse = signatureRecord(
      built.blobs,
      built.root,
      bundleLayer(sha256, statement(built.root.digest, SIGNED)),
      'a tag',
    );
    assert.equal((await reportOf(built, [dsse], { keys: [own.publicKey] })).decision, 'denied');
  });
}

test('has nothing to say for an image without signatures', async () => {
  const report = await reportOf(example(), []);
  assert.equal(report.decision, 'denied');
  assert.deepEqual([...new Set(report.reasons.map(({ code }) => code))], ['ERR_SIGNATURE_MISSING']);
  assert.deepEqual(report.signatures, []);
});

test('covers each manifest that is here, by its own signature or by one of an index above it', async () => {
  const built = example();
  const arm = built.of('linux/arm64');
  const amd = built.of('linux/amd64');
  const signed = [arm, amd].map((one) =>
    signatureRecord(built.blobs, one, cosignLayer(RELEASE, simplePayload(one.digest)), 'a tag'),
  );
  const missing = await reportOf(built, signed);
  assert.equal(missing.decision, 'denied');
  assert.deepEqual(
    missing.reasons.map(({ message }) => message.split(' ')[0]),
    [built.of('linux/arm/v7').digest],
  );
  // What is not here needs no signature.
  built.blobs.delete(built.of('linux/arm/v7').digest);
  const covered = await reportOf(built, signed);
  assert.deepEqual([covered.decision, covered.isRootSigned], ['allowed', false]);
  assert.equal((await reportOf(built, signed, { cover: 'root' })).decision, 'denied');
});

test('takes no signature over a platform for one over its sibling', async () => {
  const built = example({ platforms: ['linux/amd64', 'linux/arm64'] });
  const amd = built.of('linux/amd64');
  const layer = cosignLayer(RELEASE, simplePayload(amd.digest));
  const report = await reportOf(built, [signatureRecord(built.blobs, built.of('linux/arm64'), layer, 'a tag')]);
  assert.equal(report.decision, 'denied');
  assert.match(report.signatures[0]?.reason ?? '', /speaks of another digest/);
});

test('compares the repository that a signature states', async () => {
  const built = example();
  const by = (reference: string): ImageRecord =>
    signatureRecord(
      built.blobs,
      built.root,
      cosignLayer(RELEASE, simplePayload(built.root.digest, reference)),
      'a tag',
    );
  const cases: readonly (readonly [reference: string, stated: string, required: string, any: string])[] = [
    ['', 'allowed', 'denied', 'allowed'],
    ['index.docker.io/example/app', 'allowed', 'allowed', 'allowed'],
    ['example/app:other', 'allowed', 'allowed', 'allowed'],
    ['registry.example.com/example/app', 'denied', 'denied', 'allowed'],
    ['not a name', 'denied', 'denied', 'allowed'],
  ];
  for (const [reference, ...expected] of cases) {
    const decisions: string[] = [];
    for (const identity of ['stated', 'required', 'any'] as const)
      decisions.push((await reportOf(built, [by(reference)], { identity })).decision);
    assert.deepEqual(decisions, expected, reference);
  }
});

test('never counts an attestation as a signature', async () => {
  const built = example();
  const said = statement(built.root.digest, 'https://example.com/found-vulnerable');
  for (const layer of [dsseLayer([RELEASE], said), bundleLayer(RELEASE, said)]) {
    const report = await reportOf(built, [signatureRecord(built.blobs, built.root, layer, 'a tag')]);
    assert.deepEqual([report.decision, report.signatures[0]?.state], ['denied', 'valid']);
    assert.equal(report.signatures[0]?.predicateType, 'https://example.com/found-vulnerable');
  }
});

test('tells what it does not check, and takes it for unsigned', async () => {
  const built = example({ attestations: true });
  const layers: readonly SignatureLayer[] = [
    { mediaType: 'application/jose+json', bytes: '{}' },
    bundleLayer(RELEASE, statement(built.root.digest, SIGNED), {
      verificationMaterial: { certificate: { rawBytes: '' } },
    }),
  ];
  const records = layers.map((layer) => signatureRecord(built.blobs, built.root, layer, 'a referrer'));
  const report = await reportOf(built, records);
  assert.equal(report.decision, 'denied');
  assert.deepEqual([...new Set(report.reasons.map(({ code }) => code))], ['ERR_SIGNATURE_MISSING']);
  // In the order of the digests, which depend on the key.
  for (const told of [/notation: not checked/, /keyless: not checked/])
    assert.match(report.reasons[0]?.message ?? '', told);
  const states = new Set(report.signatures.map(({ kind, state }) => `${kind} ${state}`));
  assert.deepEqual([...states].toSorted(), ['bundle unsupported', 'in-toto unsigned', 'notation unsupported']);
});

/** Signatures that are wrong in one thing. The root's digest is signed by the wanted key unless it says otherwise. */
const REFUSED: Readonly<Record<string, (digest: Digest) => SignatureLayer>> = {
  'by another key': (digest) => cosignLayer(OTHER, simplePayload(digest)),
  'over another payload': (digest) =>
    cosignLayer(RELEASE, simplePayload(digest), () => signatureOf(RELEASE, Buffer.from('x')).toString('base64')),
  'over another digest': () => cosignLayer(RELEASE, simplePayload(`sha256:${'0'.repeat(64)}` as Digest)),
  'of another type': (digest) =>
    cosignLayer(RELEASE, JSON.stringify(simplePayload(digest)).replace('cosign container', 'other container')),
  'with the digest twice': (digest) =>
    cosignLayer(
      RELEASE,
      JSON.stringify(simplePayload(digest)).replace(
        '"docker-manifest-digest"',
        '"docker-manifest-digest":"sha256:0","docker-manifest-digest"',
      ),
    ),
  'with the digest in another case': (digest) =>
    cosignLayer(RELEASE, JSON.stringify(simplePayload(digest)).replace('"docker-manifest', '"Docker-manifest')),
  'with a byte-order mark': (digest) => cosignLayer(RELEASE, `\u{FEFF}${JSON.stringify(simplePayload(digest))}`),
  'in base64 with a line break': (digest) =>
    cosignLayer(RELEASE, simplePayload(digest), (bytes) => `${signatureOf(RELEASE, bytes).toString('base64')}\n`),
  'in base64 without padding': (digest) => cosignLayer(RELEASE, simplePayload(digest), (bytes) => unpadded(bytes)),
  'in base64 with spare bits': (digest) => cosignLayer(RELEASE, simplePayload(digest), (bytes) => spareBits(bytes)),
  'with bytes behind the DER': (digest) =>
    cosignLayer(RELEASE, simplePayload(digest), (bytes) =>
      Buffer.concat([signatureOf(RELEASE, bytes), Buffer.alloc(1)]).toString('base64'),
    ),
  empty: (digest) => cosignLayer(RELEASE, simplePayload(digest), () => ''),
  'a bundle with two signatures': (digest) => {
    const payload = Buffer.from(JSON.stringify(statement(digest, SIGNED)));
    return { mediaType: BUNDLE, bytes: JSON.stringify(bundle(RELEASE, envelope([RELEASE, RELEASE], payload))) };
  },
  'a bundle without a signature': (digest) => {
    const payload = Buffer.from(JSON.stringify(statement(digest, SIGNED)));
    return { mediaType: BUNDLE, bytes: JSON.stringify(bundle(RELEASE, envelope([], payload))) };
  },
  'a bundle with key and certificate': (digest) =>
    bundleLayer(RELEASE, statement(digest, SIGNED), {
      verificationMaterial: { publicKey: { hint: '' }, certificate: {} },
    }),
  'an envelope of another payload type': (digest) =>
    dsseLayer([RELEASE], statement(digest, SIGNED), 'application/json'),
  'a statement without subjects': (digest) => bundleLayer(RELEASE, { ...statement(digest, SIGNED), subject: [] }),
  'a statement whose digest is in upper case': (digest) =>
    bundleLayer(RELEASE, {
      ...statement(digest, SIGNED),
      subject: [{ digest: { sha256: digest.slice(7).toUpperCase() } }],
    }),
};

function unpadded(bytes: Buffer): string {
  for (;;) {
    const text = signatureOf(RELEASE, bytes).toString('base64');
    if (text.endsWith('=')) return text.replace(/=+$/, '');
  }
}

/** The same signature with bits set that mean nothing: Node's decoder takes it. */
function spareBits(bytes: Buffer): string {
  for (;;) {
    const text = signatureOf(RELEASE, bytes).toString('base64');
    const last = text.at(-2);
    if (!text.endsWith('=') || text.endsWith('==') || last === undefined) continue;
    const changed = `${text.slice(0, -2)}${String.fromCodePoint((last.codePointAt(0) ?? 0) + 1)}=`;
    if (Buffer.from(changed, 'base64').equals(Buffer.from(text, 'base64'))) return changed;
  }
}

for (const [what, layerOf] of Object.entries(REFUSED)) {
  test(`takes no signature ${what}`, async () => {
    const built = example();
    const record = signatureRecord(built.blobs, built.root, layerOf(built.root.digest), 'a tag');
    const report = await reportOf(built, [record]);
    assert.equal(report.decision, 'denied', what);
    assert.ok(report.signatures.every(({ state }) => state !== 'valid'));
    assert.ok(report.signatures.every(({ reason = '' }) => reason !== ''));
    // A good one beside it is enough.
    const good = signatureRecord(
      built.blobs,
      built.root,
      cosignLayer(RELEASE, simplePayload(built.root.digest)),
      'a referrer',
    );
    assert.equal((await reportOf(built, [record, good])).decision, 'allowed');
  });
}

test('passes over a bundle whose hint names another key, and trusts no hint', async () => {
  const built = example();
  const said = statement(built.root.digest, SIGNED);
  const hinted = (hint: string, by: Signer): SignatureLayer =>
    bundleLayer(by, said, { verificationMaterial: { publicKey: { hint } } });
  const state = async (layer: SignatureLayer): Promise<string | undefined> =>
    (await reportOf(built, [signatureRecord(built.blobs, built.root, layer, 'a tag')])).signatures[0]?.state;
  assert.equal(await state(hinted(OTHER.publicKey.id, RELEASE)), 'other-key');
  assert.equal(await state(hinted(RELEASE.publicKey.id, OTHER)), 'invalid');
});

test('refuses more than 1 000 manifests that say they sign one digest', async () => {
  const built = example();
  const manifests = Array.from({ length: 1001 }, (_, at) => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest: `sha256:${createHash('sha256').update(String(at)).digest('hex')}`,
    size: 9,
  }));
  const index = built.blobs.document(
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests },
    MEDIA_TYPES.ociIndex,
  );
  const record = { name: `docker.io/example/app:${built.root.digest.replace(':', '-')}`, descriptor: index };
  await assert.rejects(reportOf(built, [record]), { code: 'ERR_LIMIT_DESCRIPTORS' });
});

test('passes over a payload that is too large, and tells that', async () => {
  const built = example();
  const payload = { ...simplePayload(built.root.digest), optional: { x: 'x'.repeat(1024 * 1024) } };
  const report = await reportOf(built, [
    signatureRecord(built.blobs, built.root, cosignLayer(RELEASE, payload), 'a tag'),
  ]);
  assert.equal(report.decision, 'denied');
  assert.match(report.signatures[0]?.reason ?? '', /too large/);
});

onEachStore('looks at every image but those that are signatures', async (open) => {
  const built = example();
  const store = await open();
  const signature = signatureRecord(
    built.blobs,
    built.root,
    cosignLayer(RELEASE, simplePayload(built.root.digest)),
    'a tag',
  );
  await fill(store, [{ name: NAME, descriptor: built.root }, signature], built.blobs);
  const reports = await verifyTrust(store, [], { keys: [RELEASE.publicKey] });
  assert.deepEqual(
    reports.map(({ name, decision }) => [name, decision]),
    [[NAME, 'allowed']],
  );
});
