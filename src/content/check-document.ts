import { LAYOUT_ENTRY } from '../model/archive-layout.js';
import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, Digester } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { Limits } from '../model/limits.js';
import type { FoundBlob } from './content-provider.js';
import { digestMismatch, sizeMismatch } from './mismatch.js';

/** Throws ERR_LIMIT_DOCUMENT for a document that is larger than the limit, before a byte of it is read. */
export function checkDocumentSize({ digest, size }: Descriptor, limits: Limits): void {
  if (size <= limits.maxDocumentBytes) return;
  const message = `document ${digest} has ${size} bytes, more than ${limits.maxDocumentBytes}`;
  throw new LadingError('ERR_LIMIT_DOCUMENT', message, { details: { digest, size } });
}

/** Throws ERR_LIMIT_DOCUMENT for `oci-layout`, `index.json` or `manifest.json` if it is larger than its limit. */
export function checkLayoutDocumentSize(name: string, size: number, limits: Limits): void {
  const maxBytes = name === LAYOUT_ENTRY ? limits.maxLayoutBytes : limits.maxIndexBytes;
  if (size > maxBytes) throw new LadingError('ERR_LIMIT_DOCUMENT', `${name} has ${size} bytes, more than ${maxBytes}`);
}

/** Returns the bytes if they have the descriptor's size and digest. Throws ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH. */
export function checkDocument(bytes: Buffer, descriptor: Descriptor): Buffer {
  const damage = damageOf(bytes, descriptor);
  if (damage !== undefined) throw damage;
  return bytes;
}

/** The error of bytes that have another size or digest than their descriptor; undefined if they are sound. */
export function damageOf(bytes: Buffer, descriptor: Descriptor): LadingError | undefined {
  if (bytes.length !== descriptor.size) return sizeMismatch(descriptor, bytes.length);
  const actual = new Digester(algorithmOf(descriptor.digest)).update(bytes).digest();
  if (actual === descriptor.digest) return undefined;
  return digestMismatch(descriptor.digest, actual);
}

/**
 * Checks what a provider found against the descriptor. The size comes first, so that truncated content has the same
 * error everywhere. Throws ERR_SIZE_MISMATCH, and the damage that the provider knows of.
 */
export function checkFound(found: FoundBlob, descriptor: Descriptor): void {
  if (found.size !== descriptor.size) throw sizeMismatch(descriptor, found.size);
  if (found.damage !== undefined) throw found.damage;
}

/** All bytes of a body. Throws ERR_LIMIT_DOCUMENT as soon as there are more than `maxBytes`. */
export async function readAll(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new LadingError('ERR_LIMIT_DOCUMENT', `a document has more than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
