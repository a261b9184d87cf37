import { contentKindOf } from './content.js';
import { ANNOTATIONS, attestedBy, type Descriptor } from './descriptor.js';
import { isDigest, type Digest } from './digest.js';
import { LadingError } from './errors.js';
import type { ImageChoice } from './image-choice.js';
import type { ImageIndex } from './image-index.js';
import type { ImageManifest } from './image-manifest.js';
import type { Limits } from './limits.js';
import type { PlatformSet } from './platform-set.js';
import { isNamedPlatform, type Platform } from './platform.js';

/** What is wanted of the images of an archive. */
export interface WantedOptions {
  readonly platforms: Pick<PlatformSet<never>, 'wants' | 'wantsAll'>;
  readonly referrers: ReferrerPolicy;
  /** Only the images that it means. */
  readonly choice?: ImageChoice | undefined;
  readonly limits: Pick<Limits, 'maxDescriptors'>;
}

/** What becomes of attestations and referrers. `follow`: they go with their subject. `drop`: they are left out. */
export type ReferrerPolicy = 'follow' | 'drop';

/**
 * The blobs that the documents read so far ask for. Each method that learns from a document returns the documents that
 * are wanted from now on. Until they are read, any blob may be one that they ask for. Holds one descriptor for each
 * wanted blob, and one for each referrer whose subject is not wanted yet.
 */
export class WantedBlobs {
  readonly #options: WantedOptions;
  readonly #wanted = new Map<Digest, Descriptor>();
  readonly #sizes = new Set<number>();
  readonly #unread = new Set<Digest>();
  /** Referrers by subject, to be wanted as soon as the subject is. */
  readonly #bound = new Map<Digest, Descriptor[]>();
  readonly #inherited = new Map<Digest, Platform>();

  constructor(options: WantedOptions) {
    this.#options = options;
  }

  /** The descriptor of a wanted blob; undefined where nothing asked for it so far. */
  find(digest: Digest): Descriptor | undefined {
    return this.#wanted.get(digest);
  }

  /** The descriptors of all wanted blobs so far. */
  [Symbol.iterator](): Iterator<Descriptor> {
    return this.#wanted.values();
  }

  /** How many blobs are wanted so far. */
  get count(): number {
    return this.#wanted.size;
  }

  /** Whether a wanted blob has this size. */
  hasSize(size: number): boolean {
    return this.#sizes.has(size);
  }

  /** The wanted documents that were not read yet. */
  get unread(): ReadonlySet<Digest> {
    return this.#unread;
  }

  /** Whether every wanted document was read, so that a blob that is not wanted now never will be. */
  isComplete(): boolean {
    return this.#unread.size === 0;
  }

  /** Learns from `index.json`. */
  learnLayout({ manifests }: ImageIndex): readonly Descriptor[] {
    const roots = this.#options.choice?.rootsThatMayBe(manifests) ?? manifests;
    return roots.flatMap((listed) => {
      const subject = listed.annotations?.[ANNOTATIONS.subject];
      return this.#list(listed, subject !== undefined && isDigest(subject) ? subject : undefined);
    });
  }

  /** Learns from an index of an image. */
  learnIndex(descriptor: Descriptor, { manifests }: ImageIndex): readonly Descriptor[] {
    this.#unread.delete(descriptor.digest);
    const inherited = descriptor.platform ?? this.#inherited.get(descriptor.digest);
    return manifests.flatMap((child) => this.#list(child, attestedBy(child), inherited));
  }

  /** Learns from a manifest. Config and layers lead to no documents. */
  learnManifest(descriptor: Descriptor, { config, layers }: ImageManifest): readonly Descriptor[] {
    this.#unread.delete(descriptor.digest);
    for (const content of [config, ...layers]) {
      if (!this.#wanted.has(content.digest)) this.#set(content);
    }
    return [];
  }

  #list(descriptor: Descriptor, subject: Digest | undefined, inherited?: Platform): readonly Descriptor[] {
    if (subject !== undefined) return this.#listReferrer(descriptor, subject);
    const platform = descriptor.platform ?? inherited;
    if (isNamedPlatform(platform) && !this.#options.platforms.wants(platform)) return [];
    if (inherited !== undefined) this.#inherited.set(descriptor.digest, inherited);
    return this.#want(descriptor);
  }

  #listReferrer(descriptor: Descriptor, subject: Digest): readonly Descriptor[] {
    if (this.#options.referrers === 'drop') return [];
    const isFiltered = !this.#options.platforms.wantsAll || this.#options.choice !== undefined;
    if (!isFiltered || this.#wanted.has(subject)) return this.#want(descriptor);
    const bound = this.#bound.get(subject) ?? [];
    bound.push(descriptor);
    this.#bound.set(subject, bound);
    return [];
  }

  #want(descriptor: Descriptor): readonly Descriptor[] {
    const { digest } = descriptor;
    const { maxDescriptors } = this.#options.limits;
    const isDocument = contentKindOf(descriptor) === 'manifest';
    // What another image lists as a layer may be a document here.
    const known = this.#wanted.get(digest);
    if (known !== undefined && (!isDocument || contentKindOf(known) === 'manifest')) return [];
    if (this.#wanted.size >= maxDescriptors) {
      throw new LadingError('ERR_LIMIT_DESCRIPTORS', `the archive lists more than ${maxDescriptors} blobs`);
    }
    this.#set(descriptor);
    const referrers = this.#bound.get(digest) ?? [];
    this.#bound.delete(digest);
    if (isDocument) this.#unread.add(digest);
    return [...(isDocument ? [descriptor] : []), ...referrers.flatMap((referrer) => this.#want(referrer))];
  }

  #set(descriptor: Descriptor): void {
    this.#wanted.set(descriptor.digest, descriptor);
    this.#sizes.add(descriptor.size);
  }
}
