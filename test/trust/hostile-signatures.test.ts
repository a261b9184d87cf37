import assert from 'node:assert/strict';
import { constants, generateKeyPairSync, sign } from 'node:crypto';
import { test } from 'node:test';
import * as fc from 'fast-check';
import type { Descriptor } from '../../src/model/descriptor.js';
import type { Digest } from '../../src/model/digest.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import { parsePublicKey } from '../../src/trust/public-key.js';
import type { TrustReport } from '../../src/trust/trust-report.js';
import { verifyTrust } from '../../src/trust/verify-trust.js';
import { example, NAME, type Example } from '../fixtures/example.js';
import { asListed } from '../fixtures/referrers.js';
import {
  bundle,
  BUNDLE,
  bundleLayer,
  companionName,
  cosignLayer,
  DSSE,
  envelope,
  SIGNED,
  signatureManifest,
  signatureOf,
  signatureRecord,
  signer,
  simplePayload,
  statement,
  type SignatureLayer,
} from '../fixtures/signatures.js';
import { fill } from '../fixtures/stores.js';

const RELEASE = signer('release');

async function judge(built: Example, records: readonly ImageRecord[], key = RELEASE.publicKey): Promise<TrustReport> {
  const store = new MemoryStore();
  await fill(store, [{ name: NAME, descriptor: built.root }, ...records], built.blobs);
  const [report] = await verifyTrust(store, [NAME], { keys: [key] });
  assert.ok(report);
  return report;
}

/** Signatures whose bytes are of another form than the key demands. */
const FORMS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  'raw r and s': (bytes) => sign('sha256', bytes, { key: RELEASE.privateKey, dsaEncoding: 'ieee-p1363' }),
  'r and s of 0': () => Buffer.from('3006020100020100', 'hex'),
  'another hash': (bytes) => sign('sha512', bytes, RELEASE.privateKey),
};

for (const [what, form] of Object.entries(FORMS)) {
  test(`takes no signature in the form of ${what}`, async () => {
    const built = example();
    const layer = cosignLayer(RELEASE, simplePayload(built.root.digest), (bytes) => form(bytes).toString('base64'));
    assert.equal((await judge(built, [signatureRecord(built.blobs, built.root, layer)])).decision, 'denied');
  });
}

test('takes no signature in URL-safe base64, and no PSS for PKCS#1', async () => {
  const built = example();
  for (;;) {
    const layer = cosignLayer(RELEASE, simplePayload(built.root.digest));
    const text = layer.annotations?.['dev.cosignproject.cosign/signature'] ?? '';
    const safe = text.replaceAll('+', '-').replaceAll('/', '_');
    if (safe === text) continue;
    const annotations = { 'dev.cosignproject.cosign/signature': safe };
    const record = signatureRecord(built.blobs, built.root, { ...layer, annotations });
    assert.equal((await judge(built, [record])).decision, 'denied');
    break;
  }
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const key = parsePublicKey(publicKey.export({ type: 'spki', format: 'pem' }).toString(), 'rsa.pub');
  const padded = (padding: number) => (bytes: Buffer) =>
    sign('sha256', bytes, { key: privateKey, padding }).toString('base64');
  const decisions: string[] = [];
  for (const padding of [constants.RSA_PKCS1_PSS_PADDING, constants.RSA_PKCS1_PADDING]) {
    const layer = cosignLayer(RELEASE, simplePayload(built.root.digest), padded(padding));
    decisions.push((await judge(built, [signatureRecord(built.blobs, built.root, layer)], key)).decision);
  }
  assert.deepEqual(decisions, ['denied', 'allowed']);
});

test('takes a statement with 10 000 subjects, and no envelope with 17 signatures', async () => {
  const built = example();
  const own = statement(built.root.digest, SIGNED) as { subject: readonly object[] };
  const others = Array.from({ length: 10_000 }, (_, at) => ({ name: `${at}`, digest: { sha256: 'a'.repeat(64) } }));
  const many = bundleLayer(RELEASE, { ...own, subject: [...others, ...own.subject] });
  assert.equal((await judge(built, [signatureRecord(built.blobs, built.root, many)])).decision, 'allowed');
  const payload = Buffer.from(JSON.stringify(own));
  for (const [count, decision] of [
    [16, 'allowed'],
    [17, 'denied'],
  ] as const) {
    const bytes = JSON.stringify(
      envelope(
        Array.from({ length: count }, () => RELEASE),
        payload,
      ),
    );
    const record = signatureRecord(built.blobs, built.root, { mediaType: DSSE, bytes });
    assert.equal((await judge(built, [record])).decision, decision);
  }
});

test('passes over a bundle of an unknown version', async () => {
  const built = example();
  const mediaType = 'application/vnd.dev.sigstore.bundle.v0.9+json';
  const layer = bundleLayer(RELEASE, statement(built.root.digest, SIGNED), { mediaType });
  const report = await judge(built, [signatureRecord(built.blobs, built.root, layer)]);
  assert.deepEqual(
    [report.decision, report.signatures[0]?.state, report.signatures[0]?.reason],
    ['denied', 'unsupported', 'a bundle of another version'],
  );
});

test('looks at 4 096 signatures of an image, in turns with other work, and at no more', async () => {
  const built = example({ platforms: ['linux/amd64'] });
  const { blobs, root } = built;
  const stranger = signer('stranger');
  const bad = cosignLayer(stranger, simplePayload(root.digest));
  const good = cosignLayer(RELEASE, simplePayload(root.digest));
  /** So many signatures in one manifest, of which the last one is good. */
  const manifestOf = (count: number): Descriptor => {
    const layers = Array.from({ length: count }, (_, at) => {
      const { mediaType, bytes, annotations } = at + 1 === count ? good : bad;
      return blobs.descriptor(bytes, mediaType, { annotations: { ...annotations, at: String(at) } });
    });
    const config = blobs.document({}, MEDIA_TYPES.ociConfig);
    return blobs.document(
      { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers },
      MEDIA_TYPES.ociManifest,
    );
  };
  const recordOf = (count: number, suffix: 'sig' | 'att'): ImageRecord => ({
    name: companionName(root.digest, suffix),
    descriptor: manifestOf(count),
  });
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 0);
  const report = await judge(built, [recordOf(4096, 'sig')]);
  clearInterval(timer);
  assert.deepEqual([report.decision, report.signatures.length], ['allowed', 4096]);
  assert.ok(turns > 0, 'other work had its turn');
  const tooMany = [recordOf(4096, 'sig'), recordOf(1, 'att')];
  await assert.rejects(judge(built, tooMany), { code: 'ERR_LIMIT_DESCRIPTORS' });
});

test('passes over a bundle of 17 MiB', async () => {
  const built = example();
  const own = bundleLayer(RELEASE, statement(built.root.digest, SIGNED));
  const bytes = `${String(own.bytes)}${' '.repeat(17 * 1024 * 1024)}`;
  const report = await judge(built, [signatureRecord(built.blobs, built.root, { ...own, bytes })]);
  assert.deepEqual([report.decision, /too large/.test(report.signatures[0]?.reason ?? '')], ['denied', true]);
});

test('takes no signature for a child that a signed index does not list', async () => {
  const built = example({ platforms: ['linux/amd64', 'linux/arm64'] });
  const record = signatureRecord(built.blobs, built.root, cosignLayer(RELEASE, simplePayload(built.root.digest)));
  const other = example({ seed: 'other', platforms: ['linux/amd64'] });
  for (const [digest, bytes] of other.blobs) built.blobs.set(digest, bytes);
  const index = JSON.parse(built.blobs.bytes(built.root.digest).toString()) as { manifests: readonly Descriptor[] };
  const swapped = [
    { ...index, manifests: [other.of('linux/amd64')] },
    { ...index, manifests: index.manifests.toReversed() },
  ];
  for (const changed of swapped) {
    const root = built.blobs.document(changed, built.root.mediaType);
    assert.equal((await judge({ ...built, root }, [record])).decision, 'denied');
  }
});

test('ends for an index of referrers that lists itself or is missing, and for a subject of another size', async () => {
  const built = example();
  const { root, blobs } = built;
  const name = `docker.io/example/app:${root.digest.replace(':', '-')}`;
  const far = { mediaType: MEDIA_TYPES.ociIndex, digest: `sha256:${'b'.repeat(64)}` as Digest, size: 9 };
  const nested = blobs.document(
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [far, root] },
    MEDIA_TYPES.ociIndex,
  );
  for (const descriptor of [far, nested, root])
    assert.equal((await judge(built, [{ name, descriptor }])).decision, 'denied');
  // Where a signature was found proves nothing, also where it is wrong about the size: the signed bytes count.
  const layer = cosignLayer(RELEASE, simplePayload(root.digest));
  const referrer = signatureManifest(blobs, layer, { ...root, size: root.size + 1 });
  assert.equal((await judge(built, [{ descriptor: asListed(referrer, root) }])).decision, 'allowed');
});

/** One change of a text: some of it is gone, and something else is there. */
function changed(text: string): fc.Arbitrary<string> {
  const cut = fc.tuple(
    fc.nat(text.length),
    fc.nat(12),
    fc.oneof(fc.string(), fc.constantFrom('"', '{', '=', 'null', '\u{feff}')),
  );
  return cut.map(([at, gone, put]) => text.slice(0, at) + put + text.slice(at + gone));
}

test('accepts no payload, envelope or bundle that is not signed as it stands, and never fails', async () => {
  const built = example({ platforms: ['linux/amd64'] });
  const { digest } = built.root;
  const stranger = signer('stranger');
  const said = Buffer.from(JSON.stringify(statement(digest, SIGNED)));
  const foreign = envelope([stranger], said);
  const texts = [
    JSON.stringify(foreign),
    JSON.stringify(bundle(RELEASE, foreign)),
    JSON.stringify(simplePayload(digest)),
  ];
  const signature = signatureOf(stranger, Buffer.from(texts[2] ?? '')).toString('base64');
  const layers: fc.Arbitrary<SignatureLayer> = fc.oneof(
    fc.oneof(changed(texts[0] ?? ''), fc.json()).map((bytes) => ({ mediaType: DSSE, bytes })),
    fc.oneof(changed(texts[1] ?? ''), fc.json()).map((bytes) => ({ mediaType: BUNDLE, bytes })),
    fc.tuple(changed(texts[2] ?? ''), changed(signature)).map(([bytes, text]) => ({
      mediaType: cosignLayer(RELEASE, bytes).mediaType,
      bytes,
      annotations: { 'dev.cosignproject.cosign/signature': text },
    })),
  );
  await fc.assert(
    fc.asyncProperty(layers, async (layer) => {
      const { decision, signatures } = await judge(built, [signatureRecord(built.blobs, built.root, layer)]);
      assert.equal(decision, 'denied');
      assert.ok(signatures.every(({ state }) => state !== 'valid'));
    }),
    { numRuns: 150 },
  );
});

test('reads nothing of a payload that no wanted key has signed', async () => {
  const built = example({ platforms: ['linux/amd64'] });
  const { digest } = built.root;
  const stranger = signer('stranger');
  const other = statement(`sha256:${'c'.repeat(64)}` as Digest, SIGNED);
  const layers = [
    cosignLayer(stranger, 'no JSON'),
    cosignLayer(stranger, simplePayload(`sha256:${'c'.repeat(64)}` as Digest)),
    cosignLayer(stranger, simplePayload(digest, 'registry.example.com/other')),
    bundleLayer(stranger, other, { verificationMaterial: { publicKey: {} } }),
  ];
  for (const layer of layers) {
    const report = await judge(built, [signatureRecord(built.blobs, built.root, layer)]);
    const [found] = report.signatures;
    assert.deepEqual(
      [found?.state, found?.reason, found?.identity],
      ['invalid', 'not signed by a wanted key', undefined],
    );
  }
});
