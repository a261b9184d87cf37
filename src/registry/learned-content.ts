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

/**
 * What the documents read so far say of other content: its size, type and repository. Holds one record for each. At the
 * limit it fails, or, if it `forgets`, drops what was not looked up since as much as the limit was learned.
 */
export class LearnedContent {
  readonly #limits: Limits;
  readonly #forgets: boolean;
  #content = new Map<Digest, Learned>();
  #older: ReadonlyMap<Digest, Learned> = new Map();

  constructor(limits: Limits, { forgets = false }: { readonly forgets?: boolean } = {}) {
    this.#limits = limits;
    this.#forgets = forgets;
  }

  sizeOf(digest: Digest): number | undefined {
    return this.#find(digest)?.size;
  }

  typeOf(digest: Digest): string | undefined {
    return this.#find(digest)?.mediaType;
  }

  repositoryOf(digest: Digest): Repository | undefined {
    return this.#find(digest)?.repository;
  }

  #find(digest: Digest): Learned | undefined {
    const known = this.#content.get(digest);
    if (known !== undefined) return known;
    const older = this.#older.get(digest);
    if (older !== undefined) this.#content.set(digest, older);
    return older;
  }

  /** Learns from a descriptor. Throws ERR_DESCRIPTOR_INVALID for content that was named with another size before. */
  add({ digest, size, mediaType }: Descriptor, repository: Repository): void {
    const known = this.#find(digest);
    if (known === undefined) {
      this.#makeRoom();
      this.#content.set(digest, { size, mediaType, repository });
      return;
    }
    // In a place that lasts, the newest repository is the one that surely has it.
    if (known.size === size && this.#forgets) this.#content.set(digest, { ...known, repository });
    if (known.size === size) return;
    const message = `${digest} is named with ${known.size} bytes and with ${size} bytes; do not trust this image`;
    throw new LadingError('ERR_DESCRIPTOR_INVALID', message, { details: { digest } });
  }

  #makeRoom(): void {
    const { maxDescriptors } = this.#limits;
    if (this.#content.size < maxDescriptors) return;
    if (!this.#forgets)
      throw new LadingError('ERR_LIMIT_DESCRIPTORS', `the registry lists more than ${maxDescriptors} blobs`);
    [this.#older, this.#content] = [this.#content, new Map()];
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
