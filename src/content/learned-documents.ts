import { inTurns } from '../flow/in-turns.js';
import { contentKindOf } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import type { ImageIndex } from '../model/image-index.js';
import type { Limits } from '../model/limits.js';
import { isIndexType } from '../model/media-types.js';
import { WantedBlobs, type WantedOptions } from '../model/wanted-blobs.js';
import { checkDocumentSize } from './check-document.js';
import type { ContentProvider } from './content-provider.js';
import { Documents, type OnDamage } from './documents.js';
import { parseIndexBytes, parseLayoutIndex, parseManifestBytes } from './parse-document.js';

/** What is wanted, the limits for documents, and where to look for those that are stored already. */
export interface LearnedDocumentsOptions extends WantedOptions {
  readonly limits: Limits;
  readonly present: ContentProvider & { claim(digests: readonly Digest[]): Promise<void> };
  /** Waits until all blobs that were passed on are stored. */
  readonly untilStored: () => Promise<void>;
}

/** Which blobs of the archive were seen. */
export interface SeenBlobs {
  /** Whether the blob was passed on, so that it is stored soon. */
  readonly isPassed: (digest: Digest) => boolean;
  /** Whether the blob was left, since the store has it. */
  readonly isPresent: (digest: Digest) => boolean;
}

/**
 * The documents of a layout that were read, and what they ask for. A document that the store has is read as soon as
 * another one lists it. Claims what an index lists. Holds one document, and what `WantedBlobs` holds.
 */
export class LearnedDocuments {
  readonly wanted: WantedBlobs;
  readonly #options: LearnedDocumentsOptions;
  readonly #seen: SeenBlobs;
  readonly #documents: Documents;

  constructor(options: LearnedDocumentsOptions, seen: SeenBlobs) {
    const { present, limits } = options;
    this.#options = options;
    this.#seen = seen;
    this.wanted = new WantedBlobs(options);
    // A damaged stored document counts as missing: a good one may still come, unless this archive has brought its own.
    const onDamage: OnDamage = (error, digest) => {
      if (seen.isPassed(digest) || seen.isPresent(digest)) throw error;
    };
    this.#documents = new Documents(present, { limits, onDamage });
  }

  /** Learns from the bytes of `index.json`. */
  async learnLayout(bytes: Buffer): Promise<ImageIndex> {
    const index = await parseLayoutIndex(bytes, this.#options.limits);
    await this.#claim(index.manifests);
    await this.#lookUp(this.wanted.learnLayout(index));
    return index;
  }

  /** Learns from the verified bytes of a wanted document. */
  async learn(bytes: Buffer, descriptor: Descriptor): Promise<void> {
    await this.#lookUp(await this.#learn(bytes, descriptor));
  }

  async #learn(bytes: Buffer, descriptor: Descriptor): Promise<readonly Descriptor[]> {
    const { digest, mediaType } = descriptor;
    const { limits } = this.#options;
    if (!isIndexType(mediaType)) {
      const manifest = await parseManifestBytes(bytes, `manifest ${digest}`, limits, mediaType);
      return this.wanted.learnManifest(descriptor, manifest);
    }
    const index = await parseIndexBytes(bytes, `index ${digest}`, limits, mediaType);
    await this.#claim(index.manifests);
    return this.wanted.learnIndex(descriptor, index);
  }

  async #claim(descriptors: readonly Descriptor[]): Promise<void> {
    await this.#options.present.claim(descriptors.map(({ digest }) => digest));
  }

  /** Reads the documents that the store has. One that was passed on as a candidate is there once it is stored. */
  async #lookUp(documents: readonly Descriptor[]): Promise<void> {
    const queue = [...documents];
    for await (const descriptor of inTurns(queue)) {
      checkDocumentSize(descriptor, this.#options.limits);
      if (this.#seen.isPassed(descriptor.digest)) await this.#options.untilStored();
      const stored = await this.#options.present.stat(descriptor.digest, contentKindOf(descriptor));
      if (stored?.size !== descriptor.size) continue;
      const bytes = await this.#documents.bytes(descriptor);
      if (bytes === undefined) continue;
      for (const document of await this.#learn(bytes, descriptor)) queue.push(document);
    }
  }
}
