import type { Digest } from '../model/digest.js';

/** The most bytes of documents that are kept. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Verified documents by digest, the ones used last. Holds up to 64 MiB of text. */
export class DocumentCache {
  readonly #documents = new Map<Digest, Buffer>();
  #bytes = 0;

  get(digest: Digest): Buffer | undefined {
    const bytes = this.#documents.get(digest);
    if (bytes === undefined) return undefined;
    // The first of a Map is the one that was set longest ago.
    this.#documents.delete(digest);
    this.#documents.set(digest, bytes);
    return bytes;
  }

  add(digest: Digest, bytes: Buffer): void {
    if (this.#documents.has(digest)) return;
    this.#documents.set(digest, bytes);
    this.#bytes += bytes.length;
    for (const [oldest, { length }] of this.#documents) {
      if (this.#bytes <= MAX_BYTES || oldest === digest) break;
      this.#documents.delete(oldest);
      this.#bytes -= length;
    }
  }
}
