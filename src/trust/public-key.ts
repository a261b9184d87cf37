import { createHash, createPublicKey, X509Certificate, type KeyObject } from 'node:crypto';
import { LadingError, quote } from '../model/errors.js';
import { check, fields, listOf, OBJECT, TEXT } from '../model/rules.js';

/** The hash that goes with each kind of key. The key alone decides it, never a hint in the signature. */
const HASHES = {
  'ec prime256v1': 'sha256',
  'ec secp384r1': 'sha384',
  'ec secp521r1': 'sha512',
  rsa: 'sha256',
  ed25519: null,
} as const;

type KeyKind = keyof typeof HASHES;

/** The most bytes of a key file: far more than any key or certificate has. */
export const MAX_KEY_BYTES = 64 * 1024;

/** The fewest bits of an RSA key. */
const MIN_RSA_BITS = 2048;

/** A public key that signatures are checked with. */
export interface PublicKey {
  /** How reports call it: the name of its file, or its name in a policy. */
  readonly name: string;
  /** SHA-256 of its SubjectPublicKeyInfo, as base64. Two keys with one id are the same key. */
  readonly id: string;
  readonly key: KeyObject;
  /** The hash that it signs; null for Ed25519, which signs the bytes themselves. */
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
}

/** Keys as an argument. */
export const KEYS = listOf(fields({ name: TEXT, id: TEXT, key: OBJECT }), 'a list of keys, made by parsePublicKey');

/**
 * Reads a public key in PEM: `PUBLIC KEY`, `RSA PUBLIC KEY`, or the key of a `CERTIFICATE`, whose dates are not judged.
 * ECDSA over P-256, P-384 or P-521, Ed25519, and RSA from 2 048 bits. `name` is used in reports and messages. Throws
 * ERR_KEY_INVALID, for a private key too: Node would take one without a word.
 */
export function parsePublicKey(pem: string, name: string): PublicKey {
  check({ pem: TEXT, name: TEXT }, { pem, name });
  const labels = [...pem.matchAll(/^-----BEGIN ([^\r\n]*?)-----/gm)].map(([, label]) => label);
  const [label = ''] = labels;
  if (labels.length !== 1) throw invalid(name, `has ${labels.length} PEM blocks instead of one`);
  if (label.includes('PRIVATE')) throw invalid(name, 'is a private key; give the public one');
  const key = keyIn(pem, label, name);
  const spki = key.export({ type: 'spki', format: 'der' });
  const id = createHash('sha256').update(spki).digest('base64');
  return { name, id, key, hash: HASHES[kindOf(key, name)] };
}

function keyIn(pem: string, label: string, name: string): KeyObject {
  try {
    if (label === 'CERTIFICATE') return new X509Certificate(pem).publicKey;
    if (label === 'PUBLIC KEY') return createPublicKey({ key: pem, format: 'pem', type: 'spki' });
    if (label === 'RSA PUBLIC KEY') return createPublicKey({ key: pem, format: 'pem', type: 'pkcs1' });
  } catch (cause) {
    throw invalid(name, 'cannot be read', cause);
  }
  throw invalid(name, `is ${quote(label)}, no public key`);
}

function kindOf(key: KeyObject, name: string): KeyKind {
  const { asymmetricKeyType: type = '', asymmetricKeyDetails: details = {} } = key;
  if (type === 'rsa') checkRsa(details, name);
  const kind = type === 'ec' ? `ec ${details.namedCurve}` : type;
  if (Object.hasOwn(HASHES, kind)) return kind as KeyKind;
  throw invalid(name, `is of the type ${quote(kind)}; known are ECDSA P-256, P-384, P-521, Ed25519 and RSA`);
}

function checkRsa(
  { modulusLength = 0, publicExponent = 0n }: KeyObject['asymmetricKeyDetails'] & {},
  name: string,
): void {
  if (modulusLength < MIN_RSA_BITS) throw invalid(name, `has ${modulusLength} bits; RSA needs ${MIN_RSA_BITS}`);
  if (publicExponent < 3n || publicExponent % 2n === 0n) throw invalid(name, `has the exponent ${publicExponent}`);
}

function invalid(name: string, why: string, cause?: unknown): LadingError {
  return new LadingError('ERR_KEY_INVALID', `key ${quote(name)} ${why}`, { cause, details: { key: name } });
}
