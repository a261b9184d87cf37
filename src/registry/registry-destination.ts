import { isCompanionTag } from '../model/companion-tag.js';
import { companionSubject } from '../model/companion-tag.js';
import type { Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { DEFAULT_LIMITS } from '../model/limits.js';
import { parseReference } from '../model/reference.js';
import type { ImageDestination } from '../stores/store.js';
import { Manifests } from './manifests.js';
import { RegistrySession } from './registry-session.js';
import type { Repository } from './repository.js';

/** Where in the repository images go, and how many blobs go at once. */
export interface DestinationOptions {
  /** The tag of the one image; without it images keep their tags. */
  readonly tag?: string | undefined;
  /** The digest that the image must have. With it and without a tag, the image is not tagged. */
  readonly digest?: Digest | undefined;
  readonly blobJobs: number;
}

/** A repository as a place where images go to. Holds the descriptors of the tags that were asked about. */
export class RegistryDestination implements ImageDestination {
  readonly #repository: Repository;
  readonly #options: DestinationOptions;
  readonly #held = new Map<string, ImageRecord>();

  constructor(repository: Repository, options: DestinationOptions) {
    this.#repository = repository;
    this.#options = options;
  }

  /** The roots that the tags for these names have in the repository, by name. */
  async holders(names: readonly string[]): Promise<ReadonlyMap<string, Digest>> {
    const manifests = new Manifests(this.#repository, DEFAULT_LIMITS.maxDocumentBytes);
    const found = new Map<string, Digest>();
    for (const name of names) {
      const tag = this.#tagOfName(name);
      if (tag === undefined) continue;
      const descriptor = this.#held.get(name)?.descriptor ?? (await manifests.headToReplace(tag));
      if (descriptor === undefined) continue;
      this.#held.set(name, { name, descriptor });
      found.set(name, descriptor.digest);
    }
    return found;
  }

  /** Whether the repository has not all of these manifests. */
  async lacksAny(manifests: readonly Digest[]): Promise<boolean> {
    const asking = new Manifests(this.#repository, DEFAULT_LIMITS.maxDocumentBytes);
    for (const digest of manifests) if ((await asking.headToReplace(digest)) === undefined) return true;
    return false;
  }

  async session(): Promise<RegistrySession> {
    return new RegistrySession(this.#repository, {
      tagOf: (record) => this.#tagOf(record),
      holders: () => [...this.#held.values()],
      check: (records) => {
        this.checkNames(records);
        this.checkDigests(records.map(({ descriptor }) => descriptor.digest));
      },
      blobJobs: this.#options.blobJobs,
    });
  }

  /** Throws ERR_OPTION_INVALID if one tag or digest is named for several images. */
  checkNames(records: readonly ImageRecord[]): void {
    const { tag, digest } = this.#options;
    const own = records.filter((record) => companionSubject(record) === undefined);
    const count = new Set(own.map(({ descriptor }) => descriptor.digest)).size;
    if ((tag === undefined && digest === undefined) || count < 2) return;
    const label = `${this.#repository.label}${tag === undefined ? '' : `:${tag}`}`;
    const message = `there are ${count} images, and ${quote(label)} can name only one; choose one, or leave the tag out`;
    throw new LadingError('ERR_OPTION_INVALID', message);
  }

  /** Throws ERR_NAME_CONFLICT if the destination names another digest than the image will have. */
  checkDigests(roots: readonly Digest[]): void {
    const { digest } = this.#options;
    if (digest === undefined || roots.includes(digest)) return;
    const message = `the destination names ${digest}, the image would be ${roots.join(', ')}; leave the digest out, or copy the whole image`;
    throw new LadingError('ERR_NAME_CONFLICT', message, { details: { expected: digest, actual: roots } });
  }

  #tagOf(record: ImageRecord): string | undefined {
    return record.name === undefined ? (this.#fixedTag() ?? record.tag) : this.#tagOfName(record.name);
  }

  #tagOfName(name: string): string | undefined {
    const { tag } = parseReference(name);
    // Signatures and the like are found by their tags, whatever their image is called.
    if (tag !== undefined && isCompanionTag(tag)) return tag;
    return this.#options.digest === undefined ? (this.#fixedTag() ?? tag) : this.#fixedTag();
  }

  #fixedTag(): string | undefined {
    return this.#options.tag;
  }
}
