import { ArchiveListing } from '../content/archive-listing.js';
import { checkDocument, checkLayoutDocumentSize, damageOf, readAll } from '../content/check-document.js';
import type { FoundBlob } from '../content/content-provider.js';
import { DamagedBlobs } from '../content/damaged-blobs.js';
import { digestMismatch, sizeMismatch } from '../content/mismatch.js';
import { refuseOtherBytes } from '../content/repeated-entry.js';
import { bodyOf, drain } from '../flow/bodies.js';
import { Stage } from '../flow/stage.js';
import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import { contentKindOf } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, digestOf, type Digest } from '../model/digest.js';
import { EntryLedger, isMetadataEntry } from '../model/entry-ledger.js';
import { badEntry, linkTarget } from '../model/entry-name.js';
import { ImageChoice } from '../model/image-choice.js';
import { checkStaged } from '../model/not-an-image.js';
import { check } from '../model/rules.js';
import type { ThinList } from '../model/thin-list.js';
import { ENTRY, type ArchiveEntry, type Body, type SelectedEntry, type SelectEntriesOptions } from './records.js';
import { SELECT_ARGUMENTS } from './select-rules.js';

/** A blob up to this size is read before it is known to be needed. */
const SMALL_BYTES = 64 * 1024;

/** The entries that were not passed on: blobs that the store has, and blobs that no image needs. */
export interface SkippedEntries {
  readonly present: ReadonlySet<Digest>;
  readonly skipped: { readonly count: number; readonly bytes: number };
  /** Layout documents that the archive also has under a name in another case; that second file was not read. */
  readonly lookalikes: readonly string[];
  /** Damaged blobs that nothing had asked for yet. The load fails only if an image needs one. */
  readonly damaged: ReadonlyMap<Digest, Required<Omit<FoundBlob, 'mountedFrom'>>>;
}

/**
 * Passes on the entries that the load needs and drains the others, as far as the documents read so far can tell. Once
 * it has read all documents, only wanted blobs pass; before that every blob is a candidate. It never passes too little,
 * and may pass too much; the survey at the end of the load is exact. Holds one document, one digest for each blob, and
 * the names of the other files.
 */
export class SelectEntries extends Stage<ArchiveEntry, SelectedEntry> {
  readonly #options: SelectEntriesOptions;
  readonly #listing: ArchiveListing;
  readonly #ledger: EntryLedger;
  readonly #passed = new Set<Digest>();
  readonly #present = new Set<Digest>();
  /** The first name, or target of a hard link, that starts with a slash. Only a docker-archive may have one. */
  #absolute: string | undefined;
  /** Files that were not passed on. `EntryLedger` limits them. */
  readonly #left = new Set<string>();
  readonly #damaged = new DamagedBlobs();
  #stagedBytes = 0;
  /** The list of a thin archive, until its documents are known. */
  #thin: ThinList | undefined;
  #skipped = { count: 0, bytes: 0 };

  protected override readonly rule = ENTRY;

  constructor(options: SelectEntriesOptions) {
    super({ highWaterMark: 1 });
    check(SELECT_ARGUMENTS, { options });
    this.#options = options;
    this.#listing = new ArchiveListing(
      { ...options, choice: ImageChoice.of(options.images) },
      {
        isPassed: (digest) => this.#passed.has(digest),
        isPresent: (digest) => this.#present.has(digest),
      },
    );
    this.#ledger = new EntryLedger(options.limits);
  }

  /** The entries that were not passed on so far. */
  get skipped(): SkippedEntries {
    const { lookalikes } = this.#ledger;
    return { present: this.#present, skipped: this.#skipped, lookalikes, damaged: this.#damaged.blobs };
  }

  /** The documents that an image needs and that did not come so far. */
  get unread(): ReadonlySet<Digest> {
    return this.#listing.documents.wanted.unread;
  }

  /** Whether a blob would be looked up in the store if it came now. */
  mayNeed(digest: Digest): boolean {
    return !this.#options.passesAll && this.#listing.mayWant(digest);
  }

  /** Whether the load may need the blob, as far as the documents read so far can tell. */
  wants(digest: Digest): boolean {
    return this.#options.passesAll || this.#listing.mayWant(digest);
  }

  /** What the documents list a blob as. */
  descriptorOf(digest: Digest): Descriptor | undefined {
    return this.#listing.find(digest);
  }

  /** Whether a blob came as a file of the archive. */
  hasCome(digest: Digest): boolean {
    return this.#ledger.hasFile(digest);
  }

  /** The descriptors of all blobs that are wanted so far. */
  get wanted(): Iterable<Descriptor> & { readonly count: number } {
    return this.#listing.documents.wanted;
  }

  /** Whether a blob that is not wanted now never will be. */
  isEverythingKnown(): boolean {
    return this.#listing.isEverythingKnown();
  }

  /** Whether a file with this plain name came and was not passed on. */
  hasLeft(name: string): boolean {
    const digest = digestOfEntry(name);
    return this.#left.has(name) || (digest !== undefined && this.#ledger.hasFile(digest) && !this.#passed.has(digest));
  }

  protected override async *each(entry: ArchiveEntry): AsyncGenerator<SelectedEntry> {
    const name = plainEntryName(entry.name);
    const digest = entry.digest ?? digestOfEntry(name);
    const named = { ...entry, name, kind: 'blob' } as const;
    if (entry.type === 'directory') return;
    this.#absolute ??= [entry.name, entry.linkname].find((text) => text?.startsWith('/'));
    const isRepeat = this.#ledger.enter({ ...entry, name, type: entry.type, ...(digest && { digest }) });
    if (this.#listing.isEmpty()) checkStaged((this.#stagedBytes += entry.size), this.#options.limits);
    if (isRepeat) await this.#skipRepeat(named, digest ?? this.#listing.digestOf(name));
    else if (entry.type !== 'file')
      yield this.#takeLink({ ...named, linkname: linkTarget(name, entry.type, entry.linkname ?? '') });
    else if (isMetadataEntry(name)) yield await this.#takeMetadata(named);
    // By position every document and every link of a docker-archive comes before its files.
    else if (entry.part !== undefined && entry.size > 0 && this.#listing.isOfOthers(name)) await this.#leave(named);
    else if (digest !== undefined) yield* await this.#takeBlob({ ...named, digest }, digest);
    // Until both files of a layout have come, this may be a docker-archive, whose layers have other names.
    else if (this.#listing.isFileOfImage(named)) yield { ...named, use: 'candidate' };
    else await this.#leave(named);
  }

  protected override atEnd(): readonly SelectedEntry[] {
    if (this.#listing.isLayout() && this.#absolute !== undefined)
      throw badEntry(this.#absolute, 'has an absolute name');
    return [];
  }

  #takeLink(entry: Omit<SelectedEntry, 'use'> & { readonly linkname: string }): SelectedEntry {
    this.#listing.enterLink(entry.name, entry.linkname);
    return { ...entry, use: 'link' };
  }

  async #leave(entry: ArchiveEntry): Promise<void> {
    this.#left.add(entry.name);
    await drain(entry);
  }

  async #takeMetadata(entry: Omit<SelectedEntry, 'use'>): Promise<SelectedEntry> {
    checkLayoutDocumentSize(entry.name, entry.size, this.#options.limits);
    const bytes = await readAll(entry.body, entry.size);
    const { index, thin } = await this.#listing.learn(entry.name, bytes);
    if (index !== undefined) this.#options.watcher?.listed(index);
    if (thin !== undefined) this.#options.thin?.listed(thin);
    this.#thin ??= thin;
    return { ...entry, body: bodyOf(bytes), use: 'metadata', ...(index && { index }), ...(thin && { thin }) };
  }

  async #takeBlob(entry: Omit<SelectedEntry, 'use'>, digest: Digest): Promise<readonly SelectedEntry[]> {
    if (this.#thin !== undefined && this.#listing.isEverythingKnown()) await this.#tellThin(this.#thin);
    if (this.#options.passesAll) return [{ ...entry, use: 'candidate' }];
    const isFatal = this.#options.damage === 'fatal';
    const wanted = this.#listing.find(digest);
    const kind = wanted === undefined ? 'blob' : contentKindOf(wanted);
    const fits = wanted === undefined || wanted.size === entry.size;
    if (!fits && isFatal) throw sizeMismatch(wanted, entry.size);
    if (this.#listing.docker.isUnread(digest)) return [await this.#takeConfig({ ...entry, kind }, digest)];
    if (wanted === undefined && this.#listing.isSpare(entry, digest)) return await this.#skip(entry);
    const isEarly = wanted === undefined && entry.part === undefined && entry.size <= SMALL_BYTES;
    const body = isEarly ? await this.#readSound(entry, digest) : entry.body;
    if (body === undefined) return [];
    if (!this.#isUnread(digest) && (await this.#options.present.stat(digest, kind))?.size === entry.size)
      return await this.#skipPresent(entry, digest);
    this.#passed.add(digest);
    if (wanted === undefined || !fits) return [{ ...entry, kind, body, use: 'candidate' }];
    return [{ ...entry, kind, body: await this.#read(body, wanted), use: isFatal ? 'needed' : 'candidate' }];
  }

  async #tellThin(thin: ThinList): Promise<void> {
    this.#thin = undefined;
    await this.#options.thin?.known(thin);
  }

  async #skip(entry: ArchiveEntry): Promise<readonly SelectedEntry[]> {
    this.#countSkipped(entry);
    this.#options.watcher?.passedOver(entry, 'skipped');
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
    this.#options.watcher?.passedOver(entry, 'present');
    await drain(entry);
    return [];
  }

  #isUnread(digest: Digest): boolean {
    return this.unread.has(digest);
  }

  /**
   * Reads a small blob before it is looked up. A damaged one is only noted: an archive may have hundreds of thousands,
   * and each look-up, error and file takes time.
   */
  async #readSound({ body, size }: Omit<SelectedEntry, 'use'>, digest: Digest): Promise<Body | undefined> {
    const bytes = await readAll(body, size);
    const actual = digestOf(bytes, algorithmOf(digest));
    if (actual === digest) return bodyOf(bytes);
    this.#passed.add(digest);
    this.#damaged.add(digest, size, 'ERR_DIGEST_MISMATCH', () => digestMismatch(digest, actual));
    return undefined;
  }

  /** Reads a wanted document at once, to learn what it lists. The body that is passed on has its verified bytes. */
  async #read(body: Body, wanted: Descriptor): Promise<Body> {
    if (!this.#isUnread(wanted.digest)) return body;
    const bytes = await readAll(body, wanted.size);
    // The next stages find the same damage, and remember it for the end of the load.
    if (this.#options.damage === 'later' && damageOf(bytes, wanted) !== undefined) return bodyOf(bytes);
    await this.#listing.documents.learn(checkDocument(bytes, wanted), wanted);
    return bodyOf(bytes);
  }

  /** Reads a config of `manifest.json` as it passes. The next stages find its damage. */
  async #takeConfig(entry: Omit<SelectedEntry, 'use'>, digest: Digest): Promise<SelectedEntry> {
    this.#passed.add(digest);
    if (entry.size > this.#options.limits.maxDocumentBytes) return { ...entry, use: 'candidate' };
    const bytes = await readAll(entry.body, entry.size);
    await this.#listing.docker.learnConfig(digest, bytes);
    return { ...entry, body: bodyOf(bytes), use: 'candidate' };
  }
}
