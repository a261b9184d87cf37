import {
  DOCKER_MANIFEST_ENTRY,
  INDEX_ENTRY,
  isMixed,
  LAYOUT_ENTRY,
  THIN_ENTRY,
  THIN_INDEX_ENTRY,
} from '../model/archive-layout.js';
import { followLinks } from '../model/archive-links.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageIndex } from '../model/image-index.js';
import type { ThinList } from '../model/thin-list.js';
import { DockerListing } from './docker-listing.js';
import { parseThinList } from './parse-document.js';
import { LearnedDocuments, type LearnedDocumentsOptions, type SeenBlobs } from './learned-documents.js';

/** An entry of the archive. `part` is set if it is read by position. */
interface ListedEntry {
  readonly name: string;
  readonly size: number;
  readonly part?: object;
}

/** What may be kept until `manifest.json` comes, if the index lists images. */
const MAX_WAITING = { count: 1000, bytes: 1024 ** 3 };

/** What was read of a document of the archive itself. */
export interface LearnedEntry {
  readonly index?: ImageIndex;
  readonly thin?: ThinList;
}

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

  /**
   * Learns from a document of the archive itself, and returns it parsed if it is a list. Throws ERR_ARCHIVE_FORMAT for an
   * archive that is thin and whole at once.
   */
  async learn(name: string, bytes: Buffer): Promise<LearnedEntry> {
    this.#read.set(name, digestOf(bytes));
    if (isMixed(new Set(this.#read.keys()))) throw mixed(name);
    if (name === DOCKER_MANIFEST_ENTRY) await this.#learnDocker(bytes);
    if (name === THIN_ENTRY) return { thin: await this.#learnThin(bytes) };
    return name === INDEX_ENTRY || name === THIN_INDEX_ENTRY ? { index: await this.#learnIndex(bytes) } : {};
  }

  async #learnIndex(bytes: Buffer): Promise<ImageIndex> {
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
    const has = (name: string): boolean => this.#read.has(name);
    return (has(LAYOUT_ENTRY) && has(INDEX_ENTRY)) || (has(THIN_ENTRY) && has(THIN_INDEX_ENTRY));
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

  /** Whether an image may need a file that is no blob, under its name, or by a link that leads to it. */
  isFileOfImage(entry: ListedEntry): boolean {
    return !this.isLayout() || this.docker.namesFiles || this.#mayBeBehindLink(entry) || this.#waitsWith(entry);
  }

  /** Whether no image needs a blob that nothing lists, under its name or another. */
  isSpare(entry: ListedEntry, digest: Digest): boolean {
    return !this.mayWant(digest) && !this.isLinked(entry.name) && !this.#waitsWith(entry);
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
    if (this.#read.has(DOCKER_MANIFEST_ENTRY) || this.#read.has(THIN_ENTRY) || !isUnfiltered) return false;
    this.#waiting = { count: this.#waiting.count + 1, bytes: this.#waiting.bytes + bytes };
    const { count, bytes: all } = this.#waiting;
    return this.#listsNothing || (count <= MAX_WAITING.count && all <= MAX_WAITING.bytes);
  }

  /** What a thin archive counts on is claimed before it is looked up. */
  async #learnThin(bytes: Buffer): Promise<ThinList> {
    const thin = await parseThinList(bytes, this.#options.limits);
    await this.#options.present.claim([...thin.base.keys()]);
    return thin;
  }

  /**
   * Whether a blob may be a link to this file, in a stream: the link may come later, and lead through other links. Then
   * the file has the size of a blob that is wanted. By position links were followed before.
   */
  #mayBeBehindLink({ name, size, part }: ListedEntry): boolean {
    const mayBe = this.isLinked(name) || !this.isEverythingKnown() || this.documents.wanted.hasSize(size);
    return part === undefined && mayBe;
  }

  /** Entries that are read by position come after every document of the layout. */
  #waitsWith({ size, part }: ListedEntry): boolean {
    return part === undefined && this.waitsWith(size);
  }

  /** Configs that were passed on as candidates are here once they are stored. */
  async #learnDocker(bytes: Buffer): Promise<void> {
    if (!this.#options.platforms.wantsAll) await this.#options.untilStored();
    await this.docker.learn(bytes, this.#options.present);
  }
}

function mixed(name: string): LadingError {
  const message = `the archive is a thin one and a whole one at once: it has ${name} too`;
  return new LadingError('ERR_ARCHIVE_FORMAT', message);
}
