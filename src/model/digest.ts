import { createHash, type Hash } from 'node:crypto';
import { LadingError, quote } from './errors.js';

declare const brand: unique symbol;

/** A validated content digest, `algorithm:hex` (OCI image-spec, "Digests"). Safe as part of a path or URL. */
export type Digest = string & { readonly [brand]: 'Digest' };

/** The registered algorithms that we verify. */
export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** Hex characters of each algorithm's encoded part. */
const ENCODED_LENGTH: Readonly<Record<DigestAlgorithm, number>> = { sha256: 64, sha384: 96, sha512: 128 };

const DIGEST = /^(sha256|sha384|sha512):([0-9a-f]+)$/;

/** Whether the text is a digest of a known algorithm in its one valid spelling. */
export function isDigest(text: string): text is Digest {
  const match = DIGEST.exec(text);
  // `$` also matches before a final newline only with the m flag, so the length check is the last word on it.
  return match !== null && match[2]?.length === ENCODED_LENGTH[match[1] as DigestAlgorithm];
}

/** The text as a Digest. Throws ERR_DIGEST_INVALID. */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new LadingError('ERR_DIGEST_INVALID', `${quote(text)} is not a sha256, sha384 or sha512 digest`);
}

/** The algorithm of a digest. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm;
}

/** The hex part of a digest. */
export function encodedOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

/** The digest of bytes that are in memory. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  return new Digester(algorithm).update(typeof bytes === 'string' ? Buffer.from(bytes) : bytes).digest();
}

/** Counts and hashes bytes as they pass. */
export class Digester {
  readonly algorithm: DigestAlgorithm;
  readonly #hash: Hash;
  #digest: Digest | undefined;
  #size = 0;

  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.algorithm = algorithm;
    this.#hash = createHash(algorithm);
  }

  /** Bytes seen so far. */
  get size(): number {
    return this.#size;
  }

  update(chunk: Uint8Array): this {
    this.#hash.update(chunk);
    this.#size += chunk.byteLength;
    return this;
  }

  /** The digest of all bytes seen. Ends the count: no update may follow. */
  digest(): Digest {
    this.#digest ??= parseDigest(`${this.algorithm}:${this.#hash.digest('hex')}`);
    return this.#digest;
  }
}
