import type { Descriptor } from '../model/descriptor.js';
import type { Limits } from '../model/limits.js';
import { LadingError } from '../model/errors.js';
import { sizeMismatch, digestMismatch } from './mismatch.js';
import { Digester, algorithmOf } from '../model/digest.js';
import type { FoundBlob } from './content-provider.js';

/** Refuses a document that is larger than any may be, before a byte of it is read. ERR_LIMIT_DOCUMENT. */
export function checkDocumentSize({ digest, size }: Descriptor, limits: Limits): void {
  if (size <= limits.maxDocumentBytes) return;
  const message = `document ${digest} has ${size} bytes, more than ${limits.maxDocumentBytes}`;
  throw new LadingError('ERR_LIMIT_DOCUMENT', message, { details: { digest, size } });
}

/** The bytes, if size and digest are those of the descriptor. Throws ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH. */
export function checkDocument(bytes: Buffer, descriptor: Descriptor): Buffer {
  const damage = damageOf(bytes, descriptor);
  if (damage !== undefined) throw damage;
  return bytes;
}

/** What is wrong with the bytes of a document: their size, else their digest; undefined where nothing is. */
export function damageOf(bytes: Buffer, descriptor: Descriptor): LadingError | undefined {
  if (bytes.length !== descriptor.size) return sizeMismatch(descriptor, bytes.length);
  const actual = new Digester(algorithmOf(descriptor.digest)).update(bytes).digest();
  if (actual === descriptor.digest) return undefined;
  return digestMismatch('document', descriptor.digest, actual);
}

/**
 * What a provider found, as what the descriptor promises. The size is judged first, so that content which was cut gets the
 * same word from whoever meets it. Throws ERR_SIZE_MISMATCH, and what the provider knows to be wrong.
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
