import { INDEX_ENTRY } from '../model/archive-layout.js';
import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, Digester } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { parseImageConfig, type ImageConfig } from '../model/image-config.js';
import { parseImageIndex, type ImageIndex } from '../model/image-index.js';
import { parseImageManifest, type ImageManifest } from '../model/image-manifest.js';
import { DEFAULT_LIMITS, type Limits } from '../model/limits.js';
import { isIndexType } from '../model/media-types.js';
import type { ContentProvider, FoundBlob } from './content-provider.js';
import { parseStrictJson } from './strict-json.js';

/*
 * The one place where JSON enters. Every document is capped, has the size and digest of its descriptor, and is strict JSON
 * of the right shape, or an error: ERR_LIMIT_DOCUMENT, ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH, ERR_DOCUMENT_INVALID,
 * ERR_DESCRIPTOR_INVALID, ERR_MEDIA_TYPE, ERR_LIMIT_DEPTH.
 */

/** An index, or undefined where the provider does not have it. */
export async function findIndex(
  provider: ContentProvider,
  descriptor: Descriptor,
  limits: Limits = DEFAULT_LIMITS,
): Promise<ImageIndex | undefined> {
  const bytes = await findDocument(provider, descriptor, limits);
  return bytes && parseIndexBytes(bytes, `index ${descriptor.digest}`, limits, descriptor.mediaType);
}

/** A manifest, or undefined where the provider does not have it. */
export async function findManifest(
  provider: ContentProvider,
  descriptor: Descriptor,
  limits: Limits = DEFAULT_LIMITS,
): Promise<ImageManifest | undefined> {
  const bytes = await findDocument(provider, descriptor, limits);
  return bytes && parseManifestBytes(bytes, `manifest ${descriptor.digest}`, limits, descriptor.mediaType);
}

/** An image config, or undefined where the provider does not have it. */
export async function findConfig(
  provider: ContentProvider,
  descriptor: Descriptor,
  limits: Limits = DEFAULT_LIMITS,
): Promise<ImageConfig | undefined> {
  const bytes = await findDocument(provider, descriptor, limits);
  return bytes && parseConfigBytes(bytes, `config ${descriptor.digest}`, limits);
}

/** Bytes that are in memory as an index. `mediaType` is what their descriptor said. */
export function parseIndexBytes(bytes: Uint8Array, where: string, limits: Limits, mediaType?: string): ImageIndex {
  return parseImageIndex(parseStrictJson(bytes, where, limits.maxJsonDepth), where, mediaType);
}

/** The bytes of a layout's `index.json`, which no descriptor describes. Throws ERR_LIMIT_DOCUMENT for a huge descriptor. */
export function parseLayoutIndex(bytes: Uint8Array, limits: Limits): ImageIndex {
  const index = parseIndexBytes(bytes, INDEX_ENTRY, limits);
  if (index.mediaType !== undefined && !isIndexType(index.mediaType)) {
    throw new LadingError('ERR_MEDIA_TYPE', `${INDEX_ENTRY}: ${quote(index.mediaType)} is not the type of an index`);
  }
  for (const descriptor of index.manifests) {
    const size = Buffer.byteLength(JSON.stringify(descriptor));
    if (size <= limits.maxDescriptorBytes) continue;
    const message = `${INDEX_ENTRY}: the descriptor of ${descriptor.digest} has more than ${limits.maxDescriptorBytes} bytes`;
    throw new LadingError('ERR_LIMIT_DOCUMENT', message, { details: { digest: descriptor.digest, size } });
  }
  return index;
}

/** Bytes that are in memory as a manifest. */
export function parseManifestBytes(
  bytes: Uint8Array,
  where: string,
  limits: Limits,
  mediaType?: string,
): ImageManifest {
  return parseImageManifest(parseStrictJson(bytes, where, limits.maxJsonDepth), where, mediaType);
}

/** Bytes that are in memory as an image config. */
export function parseConfigBytes(bytes: Uint8Array, where: string, limits: Limits): ImageConfig {
  return parseImageConfig(parseStrictJson(bytes, where, limits.maxJsonDepth), where);
}

/** The verified bytes of a document, or undefined where the provider does not have it. */
export async function findDocument(
  provider: ContentProvider,
  descriptor: Descriptor,
  limits: Limits,
): Promise<Buffer | undefined> {
  checkDocumentSize(descriptor, limits);
  const found = await provider.stat(descriptor.digest);
  if (found === undefined) return undefined;
  checkFound(found, descriptor);
  // By range, so that a small document takes a small buffer and no read beyond its end.
  const body = provider.open(descriptor.digest, { start: 0, end: descriptor.size });
  return checkDocument(await readAll(body, descriptor.size), descriptor);
}

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
  const message = `document ${descriptor.digest}: content hashes to ${actual}; it is damaged or was changed, fetch it again`;
  return new LadingError('ERR_DIGEST_MISMATCH', message, { details: { digest: descriptor.digest, actual } });
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

/** An ERR_SIZE_MISMATCH of content that has another size than its descriptor says. */
export function sizeMismatch({ digest, size }: Descriptor, actual: number): LadingError {
  const message = `blob ${digest}: its descriptor says ${size} bytes, it has ${actual}`;
  return new LadingError('ERR_SIZE_MISMATCH', message, { details: { digest, expected: size, size: actual } });
}
