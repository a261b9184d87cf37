import { parseStrictJson } from '../content/strict-json.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import type { Content } from '../model/content.js';
import { isDigest, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';

/** The most bytes of documents that wait together. */
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * Documents that wait until everything they name is in the registry, and the sizes that they tell of other content.
 * Holds up to 64 MiB of documents, and one number for each blob.
 */
export class HeldDocuments {
  readonly #documents = new Map<Digest, Buffer>();
  readonly #sizes = new Map<Digest, number>();
  #bytes = 0;

  get(digest: Digest): Buffer | undefined {
    return this.#documents.get(digest);
  }

  /** The size that a document tells of a blob. */
  sizeOf(digest: Digest): number | undefined {
    return this.#sizes.get(digest);
  }

  /** Throws ERR_LIMIT_BYTES if there are too many. */
  async hold({ digest, size }: Content, bytes: Buffer): Promise<void> {
    if (this.#documents.has(digest)) return;
    this.#bytes += size;
    if (this.#bytes > MAX_BYTES) {
      const message = `the documents have more than ${MAX_BYTES} bytes, too many to hold; load the archive into a store first, then push it`;
      throw new LadingError('ERR_LIMIT_BYTES', message);
    }
    this.#documents.set(digest, bytes);
    await this.#learn(bytes);
  }

  async #learn(bytes: Buffer): Promise<void> {
    let value: unknown;
    try {
      value = await parseStrictJson(bytes, 'a document', DEFAULT_LIMITS.maxJsonDepth);
    } catch {
      // What is wrong with it is for its reader to say.
      return;
    }
    const { config, layers } = (value ?? {}) as Readonly<Record<string, unknown>>;
    for (const one of [config, ...(Array.isArray(layers) ? (layers as readonly unknown[]) : [])]) {
      const { digest, size } = (one ?? {}) as Readonly<Record<string, unknown>>;
      if (typeof digest === 'string' && isDigest(digest) && typeof size === 'number') this.#sizes.set(digest, size);
    }
  }
}
