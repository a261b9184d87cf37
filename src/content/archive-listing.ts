import { DOCKER_MANIFEST_ENTRY, INDEX_ENTRY, LAYOUT_ENTRY } from '../model/archive-layout.js';
import { followLinks } from '../model/archive-links.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import type { ImageIndex } from '../model/image-index.js';
import { DockerListing } from './docker-listing.js';
import { LearnedDocuments, type LearnedDocumentsOptions, type SeenBlobs } from './learned-documents.js';

/** What may be kept until `manifest.json` comes, if the index lists images. */
const MAX_WAITING = { count: 1000, bytes: 1024 ** 3 };

/**
 * What the documents of an archive ask for, as far as they were read: `index.json` and what it leads to, and
 * `manifest.json`. Holds what `LearnedDocuments` and `DockerListing` hold.
 */
export class ArchiveListing {
  readonly documents: LearnedDocuments;
  readonly docker: DockerListing;
  readonly #options: LearnedDocumentsOptions;
  readonly #read = new Map<string, Digest>();
  /** The links so far, and the names that they lead to. `EntryLedger` limits both. */
  readonly #links = new Map<string, string>();
  readonly #linked = new Set<string>();
  /** The files that the images of a docker-archive that are meant need. */
  #files: ReadonlySet<string> | undefined;
  #listsNothing = false;
  /** Whether every image that is meant is a root of the index. */
  #hasChosen = false;
  #waiting = { count: 0, bytes: 0 };

  constructor(options: LearnedDocumentsOptions, seen: SeenBlobs) {
    this.#options = options;
    this.documents = new LearnedDocuments(options, seen);
    this.docker = new DockerListing(options);
  }

  /** Learns from `oci-layout`, `index.json` or `manifest.json`. Returns the index, parsed. */
  async learn(name: string, bytes: Buffer): Promise<ImageIndex | undefined> {
    this.#read.set(name, digestOf(bytes));
    if (name === DOCKER_MANIFEST_ENTRY) await this.#learnDocker(bytes);
    if (name !== INDEX_ENTRY) return undefined;
    const index = await this.documents.learnLayout(bytes);
    this.#listsNothing = index.manifests.length === 0;
    this.#hasChosen = this.#options.choice?.areRootsMeant(index.manifests) ?? false;
    return index;
  }

  /** The digest of one of these documents, once it was read. */
  digestOf(name: string): Digest | undefined {
    return this.#read.get(name);
  }

  isEmpty(): boolean {
    return this.#read.size === 0;
  }

  isLayout(): boolean {
    return this.#read.has(LAYOUT_ENTRY) && this.#read.has(INDEX_ENTRY);
  }

  /** The descriptor of a blob that the images of the layout need. */
  find(digest: Digest): Descriptor | undefined {
    return this.documents.wanted.find(digest);
  }

  /** Whether an image needs the blob, or a document that was not read yet may ask for it. */
  mayWant(digest: Digest): boolean {
    return this.find(digest) !== undefined || this.docker.wants(digest) || !this.isEverythingKnown();
  }

  /** Notes a link. */
  enterLink(name: string, target: string): void {
    this.#links.set(name, target);
    this.#linked.add(target);
  }

  /** Whether a link that came leads to this name. */
  isLinked(name: string): boolean {
    return this.#linked.has(name);
  }

  /** Whether no image of a docker-archive that is meant needs this file, once all of the archive's links are known. */
  isOfOthers(name: string): boolean {
    const isDocker = this.#read.has(DOCKER_MANIFEST_ENTRY) && !this.isLayout();
    if (!isDocker || this.#options.choice === undefined) return false;
    this.#files ??= new Set([...this.docker.names].map((wanted) => followLinks(wanted, { links: this.#links })));
    return !this.#files.has(name);
  }

  isEverythingKnown(): boolean {
    return this.isLayout() && this.documents.wanted.isComplete() && this.docker.isComplete();
  }

  /**
   * Whether to keep so many bytes that nobody asked for, since a `manifest.json` may follow that lists what `index.json`
   * does not. It is not waited for with a filter. If the index lists images, only a certain amount is kept: an archive
   * may have a spare blob of many gigabytes, or two hundred thousand of them.
   */
  waitsWith(bytes: number): boolean {
    const { platforms, referrers } = this.#options;
    const isUnfiltered = platforms.wantsAll && referrers === 'follow' && !this.#hasChosen;
    if (this.#read.has(DOCKER_MANIFEST_ENTRY) || !isUnfiltered) return false;
    this.#waiting = { count: this.#waiting.count + 1, bytes: this.#waiting.bytes + bytes };
    const { count, bytes: all } = this.#waiting;
    return this.#listsNothing || (count <= MAX_WAITING.count && all <= MAX_WAITING.bytes);
  }

  /** Configs that were passed on as candidates are here once they are stored. */
  async #learnDocker(bytes: Buffer): Promise<void> {
    if (!this.#options.platforms.wantsAll) await this.#options.untilStored();
    await this.docker.learn(bytes, this.#options.present);
  }
}
