import { parseIndexBytes, parseManifestBytes } from '../content/parse-document.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { Limits } from '../model/limits.js';
import { isIndexType } from '../model/media-types.js';
import type { Repository } from './repository.js';

interface Learned {
  readonly size: number;
  readonly mediaType: string;
  readonly repository: Repository;
}

/** What the documents read so far say of other content: its size, type and repository. Holds one record for each. */
export class LearnedContent {
  readonly #limits: Limits;
  readonly #content = new Map<Digest, Learned>();

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  sizeOf(digest: Digest): number | undefined {
    return this.#content.get(digest)?.size;
  }

  typeOf(digest: Digest): string | undefined {
    return this.#content.get(digest)?.mediaType;
  }

  repositoryOf(digest: Digest): Repository | undefined {
    return this.#content.get(digest)?.repository;
  }

  /** Learns from a descriptor. Throws ERR_DESCRIPTOR_INVALID for content that was named with another size before. */
  add({ digest, size, mediaType }: Descriptor, repository: Repository): void {
    const known = this.#content.get(digest);
    if (known === undefined) {
      if (this.#content.size >= this.#limits.maxDescriptors)
        throw new LadingError(
          'ERR_LIMIT_DESCRIPTORS',
          `the registry lists more than ${this.#limits.maxDescriptors} blobs`,
        );
      this.#content.set(digest, { size, mediaType, repository });
      return;
    }
    if (known.size === size) return;
    const message = `${digest} is named with ${known.size} bytes and with ${size} bytes; do not trust this image`;
    throw new LadingError('ERR_DESCRIPTOR_INVALID', message, { details: { digest } });
  }

  /** Learns from a document. A document that cannot be parsed teaches nothing; its reader says what is wrong. */
  async learn({ mediaType }: Descriptor, bytes: Buffer, repository: Repository): Promise<void> {
    for (const one of await childrenIn(bytes, mediaType, this.#limits)) this.add(one, repository);
  }
}

async function childrenIn(bytes: Buffer, mediaType: string, limits: Limits): Promise<readonly Descriptor[]> {
  try {
    if (isIndexType(mediaType)) return (await parseIndexBytes(bytes, 'an index', limits, mediaType)).manifests;
    const { config, layers } = await parseManifestBytes(bytes, 'a manifest', limits, mediaType);
    return [config, ...layers];
  } catch {
    return [];
  }
}
