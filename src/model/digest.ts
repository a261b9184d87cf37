import { createHash, hash, type Hash } from 'node:crypto';
import { LadingError, quote } from './errors.js';
import { BYTES, check, oneOf, TEXT, textOr } from './rules.js';

declare const brand: unique symbol;

/** A validated content digest, `algorithm:hex` (OCI image-spec, "Digests"). Safe as part of a path or URL. */
export type Digest = string & { readonly [brand]: 'Digest' };

/** The registered algorithms that we verify. */
export type DigestAlgorithm = 'sha256' | 'sha384' | 'sha512';

/** Each algorithm with its number of hex characters. */
const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;

/** Whether the text is a digest of a known algorithm in its one valid spelling. */
export function isDigest(text: string): text is Digest {
  return DIGEST.test(text);
}

/** The text as a Digest. Throws ERR_DIGEST_INVALID. */
export function parseDigest(text: string): Digest {
  TEXT(text, 'text');
  if (isDigest(text)) return text;
  throw new LadingError('ERR_DIGEST_INVALID', `${quote(text)} is not a sha256, sha384 or sha512 digest`);
}

/** The algorithm of a digest. */
export function algorithmOf(digest: Digest): DigestAlgorithm {
  TEXT(digest, 'digest');
  return digest.slice(0, digest.indexOf(':')) as DigestAlgorithm;
}

/** The hex part of a digest. */
export function encodedOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

const DIGEST_ARGUMENTS = { bytes: textOr(BYTES), algorithm: oneOf('sha256', 'sha384', 'sha512') };

/** The digest of bytes that are in memory. */
export function digestOf(bytes: Uint8Array | string, algorithm: DigestAlgorithm = 'sha256'): Digest {
  check(DIGEST_ARGUMENTS, { bytes, algorithm });
  return `${algorithm}:${hash(algorithm, bytes, 'hex')}` as Digest;
}

/** Counts and hashes bytes as they pass. */
export class Digester {
  readonly algorithm: DigestAlgorithm;
  /** Created with the first bytes: an entry that is skipped or copied elsewhere needs no hash. */
  #hash: Hash | undefined;
  #digest: Digest | undefined;
  #size = 0;

  constructor(algorithm: DigestAlgorithm = 'sha256') {
    this.algorithm = algorithm;
  }

  /** Bytes seen so far. */
  get size(): number {
    return this.#size;
  }

  update(chunk: Uint8Array): this {
    BYTES(chunk, 'chunk');
    this.#hash ??= createHash(this.algorithm);
    this.#hash.update(chunk);
    this.#size += chunk.byteLength;
    return this;
  }

  /** The digest of all bytes seen. Ends the count: no update may follow. */
  digest(): Digest {
    this.#hash ??= createHash(this.algorithm);
    this.#digest ??= parseDigest(`${this.algorithm}:${this.#hash.digest('hex')}`);
    return this.#digest;
  }
}
