import { checkDocument, checkDocumentSize, damageOf, readAll } from '../content/check-document.js';
import { Documents, type OnDamage } from '../content/documents.js';
import { sizeMismatch } from '../content/mismatch.js';
import { parseIndexBytes, parseLayoutIndex, parseManifestBytes } from '../content/parse-document.js';
import { refuseOtherBytes } from '../content/repeated-entry.js';
import { Stage } from '../flow/stage.js';
import { digestOfEntry, INDEX_ENTRY, LAYOUT_ENTRY, plainEntryName } from '../model/archive-layout.js';
import { contentKindOf } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import { digestOf, type Digest } from '../model/digest.js';
import { EntryLedger, isMetadataEntry } from '../model/entry-ledger.js';
import { badEntry, linkTarget } from '../model/entry-name.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { ALL_LIMITS, type Limits } from '../model/limits.js';
import { isIndexType } from '../model/media-types.js';
import { checkStaged } from '../model/not-an-image.js';
import type { PlatformSet } from '../model/platform-set.js';
import { CALLBACK, check, FLAG, oneOf, optionsOf, withMethods } from '../model/rules.js';
import { WantedBlobs, type ReferrerPolicy } from '../model/wanted-blobs.js';
import { READER } from '../stores/port-rules.js';
import type { SourceReader } from '../stores/store.js';
import { ENTRY, type ArchiveEntry, type Body, type SelectedEntry } from './records.js';

/** Which entries to keep, and where to look for content that is stored already. */
export interface SelectEntriesOptions {
  /** Looks up what the destination has. */
  readonly present: SourceReader;
  readonly platforms: PlatformSet<ImageRecord>;
  readonly referrers: ReferrerPolicy;
  readonly limits: Limits;
  /**
   * When a damaged wanted blob ends the load. `fatal`: at once, for a load whose filter drops nothing. `later`: at the
   * end of the load, if the blob turns out to be needed.
   */
  readonly damage: 'fatal' | 'later';
  /** Passes every blob on, wanted or not: to verify an archive, not to load it. */
  readonly passesAll: boolean;
  /** Waits until all entries passed on so far are stored, so that a document that came before its index can be read. */
  readonly untilStored: () => Promise<void>;
}

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
  readonly #documents: Documents;
  readonly #ledger: EntryLedger;
  readonly #wanted: WantedBlobs;
  readonly #passed = new Set<Digest>();
  readonly #present = new Set<Digest>();
  readonly #metadata = new Map<string, Digest>();
  /** The first name that starts with a slash. Only a docker-archive may have one. */
  #absolute: string | undefined;
  #stagedBytes = 0;
  #skipped = { count: 0, bytes: 0 };

  protected override readonly rule = ENTRY;

  constructor(options: SelectEntriesOptions) {
    super({ highWaterMark: 1 });
    check(ARGUMENTS, { options });
    const { present, limits } = options;
    this.#options = options;
    // A damaged stored document counts as missing: a good one may still come, unless this archive has brought its own.
    const onDamage: OnDamage = (error, digest) => {
      if (this.#passed.has(digest) || this.#present.has(digest)) throw error;
    };
    this.#documents = new Documents(present, { limits, onDamage });
    this.#ledger = new EntryLedger(limits);
    this.#wanted = new WantedBlobs(options);
  }

  /** The entries that were not passed on so far. */
  get skipped(): SkippedEntries {
    return { present: this.#present, skipped: this.#skipped, lookalikes: this.#ledger.lookalikes };
  }

  /** Whether a blob would be looked up in the store if it came now. */
  mayNeed(digest: Digest): boolean {
    return !this.#options.passesAll && (this.#wanted.find(digest) !== undefined || !this.#isEverythingKnown());
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
    else if (this.#isLayout()) await drain(entry);
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
    if (entry.name === INDEX_ENTRY) await this.#learnLayout(bytes);
    return { ...entry, body: bodyOf(bytes), use: 'metadata' };
  }

  async #takeBlob(entry: Omit<SelectedEntry, 'use'>, digest: Digest): Promise<readonly SelectedEntry[]> {
    if (this.#options.passesAll) return [{ ...entry, use: 'candidate' }];
    const isFatal = this.#options.damage === 'fatal';
    const wanted = this.#wanted.find(digest);
    const kind = wanted === undefined ? 'blob' : contentKindOf(wanted);
    const fits = wanted === undefined || wanted.size === entry.size;
    if (!fits && isFatal) throw sizeMismatch(wanted, entry.size);
    if (wanted === undefined && this.#isEverythingKnown()) return await this.#skip(entry);
    if (!this.#wanted.isUnread(digest) && (await this.#options.present.stat(digest, kind))?.size === entry.size)
      return await this.#skipPresent(entry, digest);
    this.#passed.add(digest);
    if (wanted === undefined || !fits) return [{ ...entry, kind, use: 'candidate' }];
    return [{ ...entry, kind, body: await this.#read(entry.body, wanted), use: isFatal ? 'needed' : 'candidate' }];
  }

  #isEverythingKnown(): boolean {
    return this.#isLayout() && this.#wanted.isComplete();
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
    await this.#lookUp(await this.#learn(checkDocument(bytes, wanted), wanted));
    return bodyOf(bytes);
  }

  async #learnLayout(bytes: Buffer): Promise<void> {
    const index = parseLayoutIndex(bytes, this.#options.limits);
    await this.#claim(index.manifests);
    await this.#lookUp(this.#wanted.learnLayout(index));
  }

  async #learn(bytes: Buffer, descriptor: Descriptor): Promise<readonly Descriptor[]> {
    const { digest, mediaType } = descriptor;
    const { limits } = this.#options;
    if (!isIndexType(mediaType)) {
      const manifest = parseManifestBytes(bytes, `manifest ${digest}`, limits, mediaType);
      return this.#wanted.learnManifest(descriptor, manifest);
    }
    const index = parseIndexBytes(bytes, `index ${digest}`, limits, mediaType);
    await this.#claim(index.manifests);
    return this.#wanted.learnIndex(descriptor, index);
  }

  async #claim(descriptors: readonly Descriptor[]): Promise<void> {
    await this.#options.present.claim(descriptors.map(({ digest }) => digest));
  }

  /** Reads the documents that the store has. One that was passed on as a candidate is there once it is stored. */
  async #lookUp(documents: readonly Descriptor[]): Promise<void> {
    const queue = [...documents];
    for (const descriptor of queue) {
      checkDocumentSize(descriptor, this.#options.limits);
      if (this.#passed.has(descriptor.digest)) await this.#options.untilStored();
      const stored = await this.#options.present.stat(descriptor.digest, contentKindOf(descriptor));
      if (stored?.size !== descriptor.size) continue;
      const bytes = await this.#documents.bytes(descriptor);
      if (bytes === undefined) continue;
      for (const document of await this.#learn(bytes, descriptor)) queue.push(document);
    }
  }
}

async function drain({ body, skip }: ArchiveEntry): Promise<void> {
  if (skip !== undefined) return skip();
  for await (const _ of body);
}

function bodyOf(bytes: Uint8Array): Body {
  return {
    async *[Symbol.asyncIterator]() {
      yield bytes;
    },
  };
}
