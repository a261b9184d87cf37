import assert from 'node:assert/strict';
import { generateKeyPairSync, X509Certificate, type KeyObject } from 'node:crypto';
import { test } from 'node:test';
import { parsePublicKey } from '../../src/trust/public-key.js';
import { makeCertificates } from '../fixtures/certificates.js';

const pemOf = (key: KeyObject): string => key.export({ type: 'spki', format: 'pem' }).toString();
const elliptic = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });
const rsa = (modulusLength: number, publicExponent = 65_537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent });

const P256 = elliptic('P-256');

test('takes each kind of key with the hash that belongs to it', () => {
  const cases = [
    [P256.publicKey, 'sha256'],
    [elliptic('P-384').publicKey, 'sha384'],
    [elliptic('P-521').publicKey, 'sha512'],
    [generateKeyPairSync('ed25519').publicKey, null],
    [rsa(2048).publicKey, 'sha256'],
  ] as const;
  for (const [key, hash] of cases) assert.equal(parsePublicKey(pemOf(key), 'a.pub').hash, hash);
});

test('takes an RSA key in its own form, and text around the block', () => {
  const { publicKey } = rsa(2048);
  const pkcs1 = publicKey.export({ type: 'pkcs1', format: 'pem' }).toString();
  assert.equal(parsePublicKey(pkcs1, 'a').id, parsePublicKey(pemOf(publicKey), 'b').id);
  assert.equal(parsePublicKey(`our key:\n${pemOf(publicKey)}\n`, 'c').id, parsePublicKey(pkcs1, 'd').id);
});

test('takes the key of a certificate', async (t) => {
  const { text } = await makeCertificates(t);
  const { publicKey } = new X509Certificate(text('server.pem'));
  assert.equal(parsePublicKey(text('server.pem'), 'a').id, parsePublicKey(pemOf(publicKey), 'b').id);
});

const REFUSED: Readonly<Record<string, () => string>> = {
  'a private key': () => P256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  'an old private key': () => P256.privateKey.export({ type: 'sec1', format: 'pem' }).toString(),
  'two keys': () => pemOf(P256.publicKey) + pemOf(P256.publicKey),
  'a public key and a private one': () =>
    pemOf(P256.publicKey) + P256.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  'RSA with 1 024 bits': () => pemOf(rsa(1024).publicKey),
  secp256k1: () => pemOf(elliptic('secp256k1').publicKey),
  'RSA for PSS alone': () => pemOf(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).publicKey),
  X25519: () => pemOf(generateKeyPairSync('x25519').publicKey),
  nothing: () => '',
  text: () => 'ssh-ed25519 AAAA',
  'a block that is no key': () => '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n',
  'a block that is cut': () => pemOf(P256.publicKey).slice(0, -30),
};

for (const [what, pem] of Object.entries(REFUSED)) {
  test(`refuses as a key: ${what}`, () => {
    assert.throws(() => parsePublicKey(pem(), 'release.pub'), { code: 'ERR_KEY_INVALID', message: /"release\.pub"/ });
  });
}
