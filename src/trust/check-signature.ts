import { constants, verify } from 'node:crypto';
import type { PublicKey } from './public-key.js';

/** How the signed bytes are packed: a simple-signing payload as it stands, or a DSSE envelope's. */
export type SignedForm = 'simple' | 'dsse';

/**
 * Whether the key has signed the bytes. ECDSA signatures are DER. For simple signing, P-384 and P-521 may also have
 * signed the SHA-256 of the bytes: cosign assumes that hash there. Bytes that are no signature at all are none.
 */
export function isSignedBy({ key, hash }: PublicKey, bytes: Buffer, signature: Buffer, form: SignedForm): boolean {
  const hashes = form === 'simple' && hash !== null ? new Set([hash, 'sha256']) : [hash];
  return [...hashes].some((algorithm) => isValid(algorithm, bytes, key, signature));
}

function isValid(algorithm: string | null, bytes: Buffer, key: PublicKey['key'], signature: Buffer): boolean {
  const isRsa = key.asymmetricKeyType === 'rsa';
  try {
    return verify(algorithm, bytes, isRsa ? { key, padding: constants.RSA_PKCS1_PADDING } : key, signature);
  } catch {
    return false;
  }
}
