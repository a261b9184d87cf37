import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, parseDigest, type Digest } from '../../src/model/digest.js';
import { judgeSignature } from '../../src/trust/judge-signature.js';
import { parsePublicKey, type PublicKey } from '../../src/trust/public-key.js';
import type { FoundSignature } from '../../src/trust/signatures-in.js';
import { BUNDLE, signer, SIMPLE_SIGNING } from '../fixtures/signatures.js';

/* Signatures that cosign itself has made. Nobody of this project has their private keys. */

/** What cosign stored for an image, with the public key, and where that was published. */
interface RealSignature {
  readonly source: string;
  readonly pem: string;
  readonly digest: Digest;
  readonly reference?: string;
  readonly layer: { readonly kind: 'cosign' | 'bundle'; readonly bytes: Buffer; readonly signature?: string };
}

function pemOf(base64: string): string {
  return `-----BEGIN PUBLIC KEY-----\n${base64}\n-----END PUBLIC KEY-----\n`;
}

function simple(payload: string, signature: string): RealSignature['layer'] {
  return { kind: 'cosign', bytes: Buffer.from(payload, 'base64'), signature };
}

const REAL: Readonly<Record<string, RealSignature>> = {
  'a simple signing of cosign 2 (`cosign sign -y --key`)': {
    source: 'github.com/stackrox/stackrox, pkg/signatures, test of signature integrations',
    pem: pemOf(
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEwz6a8oxByJq9s8kCxvk7RStygmDV\n0uXX5qYHbN5sxY8lblhLk9uOr1nFOhNAJua95zL6EwCI2wFykRwqgF1BLg==',
    ),
    digest: parseDigest('sha256:f2e98ad37e4970f48e85946972ac4acb5574c39f27c624efbd9b17a3a402bfe4'),
    reference: 'ttl.sh/88795dd4-270c-4eb7-b3d4-50241d5bc04c',
    layer: simple(
      'eyJjcml0aWNhbCI6eyJpZGVudGl0eSI6eyJkb2NrZXItcmVmZXJlbmNlIjoidHRsLnNoLzg4Nzk1ZGQ0LTI3MGMtNGViNy1iM2Q0LTUwMjQxZDViYzA0YyJ9LCJpbWFnZSI6eyJkb2NrZXItbWFuaWZlc3QtZGlnZXN0Ijoic2hhMjU2OmYyZTk4YWQzN2U0OTcwZjQ4ZTg1OTQ2OTcyYWM0YWNiNTU3NGMzOWYyN2M2MjRlZmJkOWIxN2EzYTQwMmJmZTQifSwidHlwZSI6ImNvc2lnbiBjb250YWluZXIgaW1hZ2Ugc2lnbmF0dXJlIn0sIm9wdGlvbmFsIjpudWxsfQ==',
      'MEQCIDsFckfIg/uxqSGvf4UC4c9MzAVhuHwzq3NnYovbobYfAiAw31/xz56hS9xRl/xhRV7+RqOl3hXYi7UKO+q7q+kOxQ==',
    ),
  },
  'a simple signing of an earlier cosign': {
    source: 'github.com/stackrox/stackrox, pkg/signatures, public_key_verifier_test.go',
    pem: pemOf(
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE04soAoNygRhaytCtygPcwsP+6Ein\nYoDv/BJx1T9WmtsANh2HplRR66Fbm+3OjFuah2IhFufPhDl6a85I3ymVYw==',
    ),
    digest: parseDigest('sha256:ee89b00528ff4f02f2405e4ee221743ebc3f8e8dd0bfd5c4c20a2fa2aaa7ede3'),
    reference: 'ttl.sh/d8d3892d-48bd-4671-a546-2e70a900b702',
    layer: simple(
      'eyJjcml0aWNhbCI6eyJpZGVudGl0eSI6eyJkb2NrZXItcmVmZXJlbmNlIjoidHRsLnNoL2Q4ZDM4OTJkLTQ4YmQtNDY3MS1hNTQ2LTJlNzBhOTAwYjcwMiJ9LCJpbWFnZSI6eyJkb2NrZXItbWFuaWZlc3QtZGlnZXN0Ijoic2hhMjU2OmVlODliMDA1MjhmZjRmMDJmMjQwNWU0ZWUyMjE3NDNlYmMzZjhlOGRkMGJmZDVjNGMyMGEyZmEyYWFhN2VkZTMifSwidHlwZSI6ImNvc2lnbiBjb250YWluZXIgaW1hZ2Ugc2lnbmF0dXJlIn0sIm9wdGlvbmFsIjpudWxsfQ==',
      'MEUCIDGMmJyxVKGPxvPk/QlRzMSGzcI8pYCy+MB7RTTpegzTAiEArssqWntVN8oJOMV0Aey0zhsNqRmEVQAYZNkn8hkAnXI=',
    ),
  },
  'a bundle of cosign 3, of an image in ttl.sh': {
    source: 'bytes of a cosign 3 session of 2026-06-09, in the test of a public verifier in Go for cosign bundles',
    pem: pemOf(
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEoJmXprHRCRJdqHnRaPDkVssbQNO1\nis6XUr+/ApqnDi8HvBCRPbwU2P8jgkgtOOggNUf03tvJe0/9eZOb04aDbQ==',
    ),
    digest: parseDigest('sha256:5099b89d7666cc2186cad769ddc262ddc7c335b33f5fe79f9ffe50a01282b23e'),
    layer: {
      kind: 'bundle',
      bytes: Buffer.from(
        '{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json", "verificationMaterial":{"publicKey":{"hint":"h162TZsIBy5Y8U9qYWcmpVAp5dKpXhR7gnz8sNfZjV4="}}, "dsseEnvelope":{"payload":"eyJfdHlwZSI6Imh0dHBzOi8vaW4tdG90by5pby9TdGF0ZW1lbnQvdjEiLCAic3ViamVjdCI6W3siZGlnZXN0Ijp7InNoYTI1NiI6IjUwOTliODlkNzY2NmNjMjE4NmNhZDc2OWRkYzI2MmRkYzdjMzM1YjMzZjVmZTc5ZjlmZmU1MGEwMTI4MmIyM2UifSwgImFubm90YXRpb25zIjp7fX1dLCAicHJlZGljYXRlVHlwZSI6Imh0dHBzOi8vc2lnc3RvcmUuZGV2L2Nvc2lnbi9zaWduL3YxIiwgInByZWRpY2F0ZSI6e319", "payloadType":"application/vnd.in-toto+json", "signatures":[{"sig":"MEUCIBs2jKDupMmrqsjzI3W2oiID2y0P7n4UKT/RZHFeUOuhAiEA4SWsNDZXQBFqaA1/npF+HOGAaG2iuA52mxgPFCpgQog="}]}}',
      ),
    },
  },
};

async function judged({ layer }: RealSignature, over: Digest, key: PublicKey, bytes = layer.bytes) {
  const annotations = layer.signature === undefined ? {} : { 'dev.cosignproject.cosign/signature': layer.signature };
  const mediaType = layer.kind === 'cosign' ? SIMPLE_SIGNING : BUNDLE;
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length, annotations };
  const found: FoundSignature = { kind: layer.kind, over, layer: descriptor };
  return await judgeSignature(found, bytes, [key]);
}

for (const [what, real] of Object.entries(REAL)) {
  test(`takes ${what}, and nothing that was changed of it`, async () => {
    const key = parsePublicKey(real.pem, 'cosign.pub');
    const good = await judged(real, real.digest, key);
    assert.deepEqual([good.state, good.reason], ['valid', undefined], real.source);
    assert.deepEqual([good.said?.isSignature, good.said?.reference], [true, real.reference]);
    const other = await judged(real, digestOf(Buffer.from('another manifest')), key);
    assert.match(`${other.state}: ${other.reason}`, /^invalid: .*speaks of another digest/);
    const stranger = await judged(real, real.digest, signer('other').publicKey);
    assert.equal(stranger.state, real.layer.kind === 'bundle' ? 'other-key' : 'invalid');
    const changed = Buffer.from(real.layer.bytes.toString().replace(/ignature|Y2F0ZVR5/, (text) => text.toUpperCase()));
    const bad = await judged(real, real.digest, key, changed);
    assert.equal(bad.state, 'invalid');
    assert.equal(bad.said, undefined);
  });
}
