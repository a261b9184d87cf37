import { contentKindOf } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { isDamage, LadingError } from '../model/errors.js';
import type { ImageConfig } from '../model/image-config.js';
import type { ImageIndex } from '../model/image-index.js';
import { hasImageLayer, type ImageManifest } from '../model/image-manifest.js';
import { ALL_LIMITS, STORED_LIMITS, type Limits } from '../model/limits.js';
import { isImageConfigType, isIndexType, isManifestType } from '../model/media-types.js';
import { CALLBACK, check, optionsOf, withMethods } from '../model/rules.js';
import { checkDocument, checkDocumentSize, checkFound, readAll } from './check-document.js';
import type { ContentProvider } from './content-provider.js';
import { parseConfigBytes, parseIndexBytes, parseManifestBytes } from './parse-document.js';

/** Called with the error of damaged content, and the digest that the content should have. */
export type OnDamage = (error: LadingError, digest: Digest) => void;

/** The limits for documents, and what to do about damage. */
export interface DocumentsOptions {
  readonly limits: Limits;
  /** Called for damage, which then counts as missing. Without it damage is thrown. What it throws is passed on. */
  readonly onDamage?: OnDamage | undefined;
  /** Called for an index or manifest that states no version of its schema. */
  readonly onUnversioned?: ((digest: Digest) => void) | undefined;
}

const ARGUMENTS = {
  provider: withMethods('a provider of content', ['stat', 'open']),
  options: optionsOf<DocumentsOptions>({ limits: ALL_LIMITS, onDamage: CALLBACK, onUnversioned: CALLBACK }, ['limits']),
};

/**
 * Reads the documents of a provider. Each must be within the limits, have the size and digest of its descriptor, and be
 * strict JSON of the right shape; anything else is damage: ERR_LIMIT_DOCUMENT, ERR_LIMIT_DEPTH, ERR_SIZE_MISMATCH,
 * ERR_DIGEST_MISMATCH, ERR_DOCUMENT_INVALID, ERR_DESCRIPTOR_INVALID, ERR_MEDIA_TYPE. Returns undefined for a document
 * that is missing. Holds nothing.
 */
export class Documents {
  readonly #provider: ContentProvider;
  readonly limits: Limits;
  readonly #onDamage: OnDamage | undefined;
  readonly #onUnversioned: DocumentsOptions['onUnversioned'];

  constructor(provider: ContentProvider, options: DocumentsOptions) {
    check(ARGUMENTS, { provider, options });
    const { limits, onDamage, onUnversioned } = options;
    this.#onUnversioned = onUnversioned;
    this.#provider = provider;
    this.limits = limits;
    this.#onDamage = onDamage;
  }

  /** The same documents, where a damaged one counts as missing. */
  tolerant(): Documents {
    return new Documents(this.#provider, { limits: this.limits, onDamage: () => {} });
  }

  /**
   * The documents of a store, to decide what the store must keep: none is too large, and a damaged document has no
   * children. A document that cannot be read is a storage error, not damage, and is thrown.
   */
  static stored(provider: ContentProvider): Documents {
    return new Documents(provider, { limits: STORED_LIMITS, onDamage: () => {} });
  }

  async index(descriptor: Descriptor): Promise<ImageIndex | undefined> {
    const { digest, mediaType } = descriptor;
    return await this.#read(descriptor, async (bytes) =>
      this.#noted(digest, await parseIndexBytes(bytes, `index ${digest}`, this.limits, mediaType)),
    );
  }

  async manifest(descriptor: Descriptor): Promise<ImageManifest | undefined> {
    const { digest, mediaType } = descriptor;
    return await this.#read(descriptor, async (bytes) =>
      this.#noted(digest, await parseManifestBytes(bytes, `manifest ${digest}`, this.limits, mediaType)),
    );
  }

  async config(descriptor: Descriptor): Promise<ImageConfig | undefined> {
    return await this.#read(descriptor, async (bytes) => await this.#parseConfig(descriptor, bytes));
  }

  /**
   * The image config of a manifest. Undefined also for an artifact: its config has another type, or it has no image
   * layer and its config is no image config either.
   */
  async imageConfig(manifest: ImageManifest): Promise<ImageConfig | undefined> {
    const { config } = manifest;
    if (!isImageConfigType(config.mediaType)) return undefined;
    const isArtifact = (error: unknown): boolean => isNoConfig(error) && !hasImageLayer(manifest);
    return await this.#read(config, async (bytes) => await this.#parseConfig(config, bytes), isArtifact);
  }

  /** The verified bytes of a document, not parsed. */
  async bytes(descriptor: Descriptor): Promise<Buffer | undefined> {
    return await this.#read(descriptor, async (bytes) => bytes);
  }

  /** An index or manifest, by its media type; undefined for other content. */
  async document(descriptor: Descriptor): Promise<ImageIndex | ImageManifest | undefined> {
    if (isIndexType(descriptor.mediaType)) return await this.index(descriptor);
    return isManifestType(descriptor.mediaType) ? await this.manifest(descriptor) : undefined;
  }

  /** The digest in the `subject` of an index or manifest; undefined if it has none, and for other content. */
  async subject(descriptor: Descriptor): Promise<Digest | undefined> {
    return (await this.document(descriptor))?.subject?.digest;
  }

  /** Whether the content is here, in the size of its descriptor. Another size is damage. */
  async has(descriptor: Descriptor): Promise<boolean> {
    const found = await this.#provider.stat(descriptor.digest, contentKindOf(descriptor));
    if (found === undefined) return false;
    try {
      checkFound(found, descriptor);
      return true;
    } catch (error) {
      this.#report(error, descriptor.digest);
      return false;
    }
  }

  #noted<T extends ImageIndex | ImageManifest>(digest: Digest, document: T): T {
    if (document.schemaVersion === 0) this.#onUnversioned?.(digest);
    return document;
  }

  async #parseConfig({ digest }: Descriptor, bytes: Buffer): Promise<ImageConfig> {
    return await parseConfigBytes(bytes, `config ${digest}`, this.limits);
  }

  /** An error for which `isNone` is true means that there is no such document. */
  async #read<T>(
    descriptor: Descriptor,
    parse: (bytes: Buffer) => Promise<T>,
    isNone: (error: unknown) => boolean = () => false,
  ): Promise<T | undefined> {
    try {
      const bytes = await this.#find(descriptor);
      return bytes && (await parse(bytes));
    } catch (error) {
      if (!isNone(error)) this.#report(error, descriptor.digest);
      return undefined;
    }
  }

  async #find(descriptor: Descriptor): Promise<Buffer | undefined> {
    checkDocumentSize(descriptor, this.limits);
    const found = await this.#provider.stat(descriptor.digest, contentKindOf(descriptor));
    if (found === undefined) return undefined;
    checkFound(found, descriptor);
    // By range, so that a small document takes a small buffer and no read beyond its end.
    const range = { start: 0, end: descriptor.size };
    const body = this.#provider.open(descriptor.digest, { kind: contentKindOf(descriptor), range });
    return checkDocument(await readAll(body, descriptor.size), descriptor);
  }

  /** Throws what is not damage, and damage that is not to be tolerated. */
  #report(error: unknown, digest: Digest): void {
    if (this.#onDamage === undefined || !isDamage(error)) throw error;
    this.#onDamage(error, digest);
  }
}

/** A store that keeps only documents has the size of other content, but not its bytes. */
function isNoConfig(error: unknown): boolean {
  return error instanceof LadingError && ['ERR_DOCUMENT_INVALID', 'ERR_BLOB_MISSING'].includes(error.code);
}
