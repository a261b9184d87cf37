import { checkDocument, damageOf, readAll } from '../content/check-document.js';
import { DockerListing } from '../content/docker-listing.js';
import { sizeMismatch } from '../content/mismatch.js';
import { LearnedDocuments } from '../content/learned-documents.js';
import { refuseOtherBytes } from '../content/repeated-entry.js';
import { bodyOf, drain } from '../flow/bodies.js';
import { Stage } from '../flow/stage.js';
import {
  digestOfEntry,
  DOCKER_MANIFEST_ENTRY,
  INDEX_ENTRY,
  LAYOUT_ENTRY,
  plainEntryName,
} from '../model/archive-layout.js';
import { contentKindOf } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import { EntryLedger, isMetadataEntry } from '../model/entry-ledger.js';
import { badEntry, linkTarget } from '../model/entry-name.js';
import { LadingError } from '../model/errors.js';
import { ALL_LIMITS } from '../model/limits.js';
import { checkStaged } from '../model/not-an-image.js';
import { CALLBACK, check, FLAG, oneOf, optionsOf, withMethods } from '../model/rules.js';
import type { WantedBlobs } from '../model/wanted-blobs.js';
import { READER } from '../stores/port-rules.js';
import { ENTRY, type ArchiveEntry, type Body, type SelectedEntry, type SelectEntriesOptions } from './records.js';

const RULES = {
  present: READER,
  platforms: withMethods('a PlatformSet', ['wants', 'note']),
  referrers: oneOf('follow', 'drop'),
  limits: ALL_LIMITS,
  damage: oneOf('fatal', 'later'),
  passesAll: FLAG,
  untilStored: CALLBACK,
};
const ARGUMENTS = {
  options: optionsOf<SelectEntriesOptions>(RULES, Object.keys(RULES) as (keyof SelectEntriesOptions)[]),
};

/** The entries that were not passed on: blobs that the store has, and blobs that no image needs. */
export interface SkippedEntries {
  readonly present: ReadonlySet<Digest>;
  readonly skipped: { readonly count: number; readonly bytes: number };
  /** Layout documents that the archive also has under a name in another case; that second file was not read. */
  readonly lookalikes: readonly string[];
}

/**
 * Passes on the entries that the load needs and drains the others, as far as the documents read so far can tell. Once
 * it has read all documents, only wanted blobs pass; before that every blob is a candidate. It never passes too little,
 * and may pass too much; the survey at the end of the load is exact. Holds one document, and one digest for each blob.
 */
export class SelectEntries extends Stage<ArchiveEntry, SelectedEntry> {
  readonly #options: SelectEntriesOptions;
  readonly #documents: LearnedDocuments;
  readonly #ledger: EntryLedger;
  readonly #wanted: WantedBlobs;
  readonly #docker: DockerListing;
  readonly #passed = new Set<Digest>();
  readonly #present = new Set<Digest>();
  readonly #metadata = new Map<string, Digest>();
  /** The first name that starts with a slash. Only a docker-archive may have one. */
  #absolute: string | undefined;
  #stagedBytes = 0;
  #skipped = { count: 0, bytes: 0 };
  #listsNothing = false;

  protected override readonly rule = ENTRY;

  constructor(options: SelectEntriesOptions) {
    super({ highWaterMark: 1 });
    check(ARGUMENTS, { options });
    this.#options = options;
    this.#documents = new LearnedDocuments(options, {
      isPassed: (digest) => this.#passed.has(digest),
      isPresent: (digest) => this.#present.has(digest),
    });
    this.#ledger = new EntryLedger(options.limits);
    this.#wanted = this.#documents.wanted;
    this.#docker = new DockerListing(options);
  }

  /** The entries that were not passed on so far. */
  get skipped(): SkippedEntries {
    return { present: this.#present, skipped: this.#skipped, lookalikes: this.#ledger.lookalikes };
  }

  /** Whether a blob would be looked up in the store if it came now. */
  mayNeed(digest: Digest): boolean {
    const isWanted = this.#wanted.find(digest) !== undefined || this.#docker.wants(digest);
    return !this.#options.passesAll && (isWanted || !this.#isEverythingKnown());
  }

  protected override async *each(entry: ArchiveEntry): AsyncGenerator<SelectedEntry> {
    const name = plainEntryName(entry.name);
    const digest = entry.digest ?? digestOfEntry(name);
    const named = { ...entry, name, kind: 'blob' } as const;
    if (entry.type === 'directory') return;
    if (entry.name.startsWith('/')) this.#absolute ??= entry.name;
    const isRepeat = this.#ledger.enter({ ...entry, name, type: entry.type, ...(digest && { digest }) });
    if (this.#metadata.size === 0) checkStaged((this.#stagedBytes += entry.size), this.#options.limits);
    if (isRepeat) await this.#skipRepeat(named, digest ?? this.#metadata.get(name));
    else if (entry.type !== 'file')
      yield { ...named, linkname: linkTarget(name, entry.type, entry.linkname ?? ''), use: 'link' };
    else if (isMetadataEntry(name)) yield await this.#takeMetadata(named);
    else if (digest !== undefined) yield* await this.#takeBlob({ ...named, digest }, digest);
    else if (this.#isLayout() && !this.#docker.namesFiles && !this.#mayBeListedLater(entry)) await drain(entry);
    // Until both files of a layout have come, this may be a docker-archive, whose layers have other names.
    else yield { ...named, use: 'candidate' };
  }

  protected override atEnd(): readonly SelectedEntry[] {
    if (this.#isLayout() && this.#absolute !== undefined) throw badEntry(this.#absolute, 'has an absolute name');
    return [];
  }

  async #takeMetadata(entry: Omit<SelectedEntry, 'use'>): Promise<SelectedEntry> {
    const { limits } = this.#options;
    const maxBytes = entry.name === LAYOUT_ENTRY ? limits.maxLayoutBytes : limits.maxIndexBytes;
    if (entry.size > maxBytes) {
      throw new LadingError('ERR_LIMIT_DOCUMENT', `${entry.name} has ${entry.size} bytes, more than ${maxBytes}`);
    }
    const bytes = await readAll(entry.body, maxBytes);
    this.#metadata.set(entry.name, digestOf(bytes));
    const taken = { ...entry, body: bodyOf(bytes), use: 'metadata' } as const;
    if (entry.name === DOCKER_MANIFEST_ENTRY) await this.#learnDocker(bytes);
    if (entry.name !== INDEX_ENTRY) return taken;
    const index = await this.#documents.learnLayout(bytes);
    this.#listsNothing = index.manifests.length === 0;
    return { ...taken, index };
  }

  async #takeBlob(entry: Omit<SelectedEntry, 'use'>, digest: Digest): Promise<readonly SelectedEntry[]> {
    if (this.#options.passesAll) return [{ ...entry, use: 'candidate' }];
    const isFatal = this.#options.damage === 'fatal';
    const wanted = this.#wanted.find(digest);
    const kind = wanted === undefined ? 'blob' : contentKindOf(wanted);
    const fits = wanted === undefined || wanted.size === entry.size;
    if (!fits && isFatal) throw sizeMismatch(wanted, entry.size);
    if (this.#docker.isUnread(digest)) return [await this.#takeConfig({ ...entry, kind }, digest)];
    if (wanted === undefined && this.#isSpare(entry, digest)) return await this.#skip(entry);
    if (!this.#wanted.isUnread(digest) && (await this.#options.present.stat(digest, kind))?.size === entry.size)
      return await this.#skipPresent(entry, digest);
    this.#passed.add(digest);
    if (wanted === undefined || !fits) return [{ ...entry, kind, use: 'candidate' }];
    return [{ ...entry, kind, body: await this.#read(entry.body, wanted), use: isFatal ? 'needed' : 'candidate' }];
  }

  #isEverythingKnown(): boolean {
    return this.#isLayout() && this.#wanted.isComplete() && this.#docker.isComplete();
  }

  #isSpare(entry: ArchiveEntry, digest: Digest): boolean {
    return this.#isEverythingKnown() && !this.#docker.wants(digest) && !this.#mayBeListedLater(entry);
  }

  /**
   * Whether a `manifest.json` may follow that lists what `index.json` does not. Entries that are read by position come
   * after it. It is waited for only if the index lists nothing, and without a filter: an archive may have a spare blob
   * of many gigabytes, or two hundred thousand of them, and all would be held meanwhile.
   */
  #mayBeListedLater({ part }: ArchiveEntry): boolean {
    const isUnfiltered = this.#options.platforms.wantsAll && this.#options.referrers === 'follow';
    return this.#listsNothing && part === undefined && isUnfiltered && !this.#metadata.has(DOCKER_MANIFEST_ENTRY);
  }

  #isLayout(): boolean {
    return this.#metadata.has(LAYOUT_ENTRY) && this.#metadata.has(INDEX_ENTRY);
  }

  async #skip(entry: ArchiveEntry): Promise<readonly SelectedEntry[]> {
    this.#countSkipped(entry);
    await drain(entry);
    return [];
  }

  /** The same blob or document once more is harmless. */
  async #skipRepeat(entry: ArchiveEntry, digest: Digest | undefined): Promise<void> {
    this.#countSkipped(entry);
    if (digest !== undefined) await refuseOtherBytes(entry.name, entry.body, digest);
  }

  #countSkipped({ size }: ArchiveEntry): void {
    this.#skipped = { count: this.#skipped.count + 1, bytes: this.#skipped.bytes + size };
  }

  async #skipPresent(entry: ArchiveEntry, digest: Digest): Promise<readonly SelectedEntry[]> {
    this.#present.add(digest);
    await drain(entry);
    return [];
  }

  /** Reads a wanted document at once, to learn what it lists. The body that is passed on has its verified bytes. */
  async #read(body: Body, wanted: Descriptor): Promise<Body> {
    if (!this.#wanted.isUnread(wanted.digest)) return body;
    const bytes = await readAll(body, wanted.size);
    // The next stages find the same damage, and remember it for the end of the load.
    if (this.#options.damage === 'later' && damageOf(bytes, wanted) !== undefined) return bodyOf(bytes);
    await this.#documents.learn(checkDocument(bytes, wanted), wanted);
    return bodyOf(bytes);
  }

  /** Configs that were passed on as candidates are here once they are stored. */
  async #learnDocker(bytes: Buffer): Promise<void> {
    if (!this.#options.platforms.wantsAll) await this.#options.untilStored();
    await this.#docker.learn(bytes, this.#options.present);
  }

  /** Reads a config of `manifest.json` as it passes. The next stages find its damage. */
  async #takeConfig(entry: Omit<SelectedEntry, 'use'>, digest: Digest): Promise<SelectedEntry> {
    this.#passed.add(digest);
    if (entry.size > this.#options.limits.maxDocumentBytes) return { ...entry, use: 'candidate' };
    const bytes = await readAll(entry.body, entry.size);
    await this.#docker.learnConfig(digest, bytes);
    return { ...entry, body: bodyOf(bytes), use: 'candidate' };
  }
}
