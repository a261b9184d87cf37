import { digestMismatch, sizeMismatch } from '../content/mismatch.js';
import type { Content } from '../model/content.js';
import { algorithmOf, Digester } from '../model/digest.js';

/** The most bytes that are kept back. */
const MAX_KEPT = 256 * 1024;

/**
 * Passes bytes on, and keeps back the last of them until all have the expected size and digest: a request that is
 * complete cannot be taken back, and a damaged source must never complete one. Throws ERR_SIZE_MISMATCH,
 * ERR_DIGEST_MISMATCH. Holds one chunk.
 */
export async function* heldBack(bytes: AsyncIterable<Uint8Array>, expected: Content): AsyncGenerator<Uint8Array> {
  const digester = new Digester(algorithmOf(expected.digest));
  let kept: Uint8Array | undefined;
  for await (const chunk of bytes) {
    digester.update(chunk);
    if (digester.size > expected.size) throw sizeMismatch(expected, digester.size);
    if (chunk.length === 0) continue;
    if (kept !== undefined) yield kept;
    const cut = Math.max(0, chunk.length - MAX_KEPT);
    if (cut > 0) yield chunk.subarray(0, cut);
    kept = chunk.subarray(cut);
  }
  if (digester.size !== expected.size) throw sizeMismatch(expected, digester.size);
  const actual = digester.digest();
  if (actual !== expected.digest) throw digestMismatch(expected.digest, actual);
  if (kept !== undefined) yield kept;
}
