import type { Digest } from '../model/digest.js';

/** The most bytes of documents that are kept. */
const MAX_BYTES = 64 * 1024 * 1024;

/** Verified documents by digest, the ones used last. Holds up to 64 MiB of text, and the documents on their way. */
export class DocumentCache {
  readonly #documents = new Map<Digest, Buffer>();
  readonly #onTheirWay = new Map<Digest, Promise<Buffer | undefined>>();
  #bytes = 0;

  /** A document that is here, or that `fetch` brings; who asks meanwhile gets the same. */
  async read(digest: Digest, fetch: () => Promise<Buffer | undefined>): Promise<Buffer | undefined> {
    const known = this.get(digest) ?? this.#onTheirWay.get(digest);
    if (known !== undefined) return await known;
    const coming = fetch();
    this.#onTheirWay.set(digest, coming);
    try {
      return await coming;
    } finally {
      this.#onTheirWay.delete(digest);
    }
  }

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
