import { digestOfEntry, INDEX_ENTRY, LAYOUT_ENTRY, plainEntryName } from '../model/archive-layout.js';
import { ANNOTATIONS, attestedBy, type Descriptor } from '../model/descriptor.js';
import { isDigest, type Digest } from '../model/digest.js';
import { EntryLedger, isMetadataEntry } from '../model/entry-ledger.js';
import { linkTarget } from '../model/entry-name.js';
import { LadingError } from '../model/errors.js';
import type { ImageManifest } from '../model/image-manifest.js';
import { DEFAULT_LIMITS, type Limits } from '../model/limits.js';
import { isIndexType, isManifestType } from '../model/media-types.js';
import type { PlatformSet } from '../model/platform-set.js';
import { isNamedPlatform, type Platform } from '../model/platform.js';
import type { SourceReader } from '../stores/store.js';
import { checkDocument, damageOf, checkDocumentSize, readAll } from '../content/check-document.js';
import { parseIndexBytes, parseLayoutIndex, parseManifestBytes } from '../content/parse-document.js';
import { sizeMismatch } from '../content/mismatch.js';
import type { ArchiveEntry, Body, ImageTarget, SelectedEntry } from './records.js';
import { Stage } from './stage.js';
import { Documents, type OnDamage } from '../content/documents.js';
import { contentKindOf } from '../model/content.js';

/** What is wanted, and where content may be already. */
export interface SelectEntriesOptions {
  /** What the store has. */
  readonly present: SourceReader;
  readonly platforms: PlatformSet<ImageTarget>;
  readonly referrers?: 'follow' | 'drop';
  /** Waits until what was passed on is in the store, so that a document which came before its index can be read there. */
  readonly settled?: () => Promise<void>;
  /**
   * Whether everything wanted is sure to be needed, as it is unless a filter may still drop some of it (default). Then damage
   * ends the load at once, and otherwise only if it turns out to be needed.
   */
  readonly isCertain?: boolean;
  /** Passes every blob on, to judge an archive instead of loading it. */
  readonly everything?: boolean;
  readonly limits?: Limits;
}

/** What a selection did not pass on: blobs that the store has, and blobs that nobody wants. */
export interface SkippedEntries {
  readonly present: ReadonlySet<Digest>;
  readonly skipped: { readonly count: number; readonly bytes: number };
  /** Documents of a layout that were found in another case too, which was not read. */
  readonly lookalikes: readonly string[];
}

/**
 * Keeps the entries that the load needs and drains the others, as far as is known so far: behind a metadata-first archive's
 * documents only wanted blobs pass; before them every blob is a candidate. What passes is never too little, and may be
 * too much; the closure at the end of the load is the exact word. Holds one document, and one digest for each blob.
 */
export class SelectEntries extends Stage<ArchiveEntry, SelectedEntry> {
  readonly #options: SelectEntriesOptions;
  readonly #limits: Limits;
  readonly #documents: Documents;
  readonly #isCertain: boolean;
  readonly #ledger: EntryLedger;
  readonly #wanted = new Map<Digest, Descriptor>();
  /** Wanted documents that did not come yet: any blob may be what one of them asks for. */
  readonly #pending = new Set<Digest>();
  /** What speaks of a digest, to be wanted as soon as that digest is. */
  readonly #bound = new Map<Digest, Descriptor[]>();
  readonly #inherited = new Map<Digest, Platform>();
  readonly #passed = new Set<Digest>();
  readonly #present = new Set<Digest>();
  readonly #metadata = new Set<string>();
  #skipped = { count: 0, bytes: 0 };

  constructor(options: SelectEntriesOptions) {
    super({ highWaterMark: 1 });
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#isCertain = options.isCertain ?? true;
    // A stored document that is damaged counts as missing, unless it came from this archive: a good one may still come.
    const onDamage: OnDamage = (error, digest) => {
      if (this.#passed.has(digest) || this.#present.has(digest)) throw error;
    };
    this.#documents = new Documents(options.present, { limits: this.#limits, onDamage });
    this.#ledger = new EntryLedger(this.#limits);
  }

  /** What was not passed on so far. */
  get skipped(): SkippedEntries {
    return { present: this.#present, skipped: this.#skipped, lookalikes: this.#ledger.lookalikes };
  }

  /** Whether a blob would be looked up if it came now. */
  mayNeed(digest: Digest): boolean {
    return this.#options.everything !== true && (this.#wanted.has(digest) || !this.#isEverythingKnown());
  }

  protected override async *each(entry: ArchiveEntry): AsyncGenerator<SelectedEntry> {
    const name = plainEntryName(entry.name);
    const digest = entry.digest ?? digestOfEntry(name);
    if (entry.type === 'directory') return;
    this.#ledger.enter({ ...entry, name, type: entry.type, ...(digest && { digest }) });
    if (entry.type !== 'file')
      yield { ...entry, name, linkname: linkTarget(name, entry.type, entry.linkname ?? ''), kind: 'blob', use: 'link' };
    else if (isMetadataEntry(name)) yield await this.#takeMetadata({ ...entry, name });
    else if (digest !== undefined) yield* await this.#takeBlob({ ...entry, name, digest }, digest);
    else if (this.#isLayout()) await drain(entry);
    // Until both of a layout's files were seen this may be a docker-archive, whose layers have names of their own.
    else yield { ...entry, name, kind: 'blob', use: 'candidate' };
  }

  async #takeMetadata(entry: ArchiveEntry): Promise<SelectedEntry> {
    this.#metadata.add(entry.name);
    const maxBytes = entry.name === LAYOUT_ENTRY ? this.#limits.maxLayoutBytes : this.#limits.maxIndexBytes;
    if (entry.size > maxBytes) {
      throw new LadingError('ERR_LIMIT_DOCUMENT', `${entry.name} has ${entry.size} bytes, more than ${maxBytes}`);
    }
    const bytes = await readAll(entry.body, maxBytes);
    if (entry.name === INDEX_ENTRY) await this.#learnIndex(bytes);
    return { ...entry, body: bodyOf(bytes), kind: 'blob', use: 'metadata' };
  }

  async #takeBlob(entry: ArchiveEntry, digest: Digest): Promise<SelectedEntry[]> {
    if (this.#options.everything === true) return [{ ...entry, kind: 'blob', use: 'candidate' }];
    const wanted = this.#wanted.get(digest);
    const kind = wanted === undefined ? 'blob' : contentKindOf(wanted);
    const fits = wanted === undefined || wanted.size === entry.size;
    if (!fits && this.#isCertain) throw sizeMismatch(wanted, entry.size);
    if (wanted === undefined && this.#isEverythingKnown()) return await this.#skip(entry);
    if (!this.#pending.has(digest) && (await this.#options.present.stat(digest, kind))?.size === entry.size)
      return await this.#skipPresent(entry, digest);
    this.#passed.add(digest);
    if (wanted === undefined || !fits) return [{ ...entry, kind, use: 'candidate' }];
    return [
      { ...entry, kind, body: await this.#learn(entry.body, wanted), use: this.#isCertain ? 'needed' : 'candidate' },
    ];
  }

  #isEverythingKnown(): boolean {
    return this.#isLayout() && this.#pending.size === 0;
  }

  #isLayout(): boolean {
    return this.#metadata.has(LAYOUT_ENTRY) && this.#metadata.has(INDEX_ENTRY);
  }

  async #skip(entry: ArchiveEntry): Promise<SelectedEntry[]> {
    this.#skipped = { count: this.#skipped.count + 1, bytes: this.#skipped.bytes + entry.size };
    await drain(entry);
    return [];
  }

  async #skipPresent(entry: ArchiveEntry, digest: Digest): Promise<SelectedEntry[]> {
    this.#present.add(digest);
    await drain(entry);
    return [];
  }

  /** A wanted document is read at once, for what it asks for; the body that is passed on has its verified bytes. */
  async #learn(body: Body, wanted: Descriptor): Promise<Body> {
    if (!this.#pending.has(wanted.digest)) return body;
    const bytes = await readAll(body, wanted.size);
    // Whoever puts it into the store finds out the same, and keeps it in mind.
    if (!this.#isCertain && damageOf(bytes, wanted) !== undefined) return bodyOf(bytes);
    await this.#learnDocument(checkDocument(bytes, wanted), wanted);
    return bodyOf(bytes);
  }

  async #learnIndex(bytes: Buffer): Promise<void> {
    const { manifests } = parseLayoutIndex(bytes, this.#limits);
    await this.#options.present.claim(manifests.map(({ digest }) => digest));
    for (const descriptor of manifests) {
      const subject = descriptor.annotations?.[ANNOTATIONS.subject];
      await this.#wantListed(descriptor, subject !== undefined && isDigest(subject) ? subject : undefined);
    }
  }

  async #learnDocument(bytes: Buffer, descriptor: Descriptor): Promise<void> {
    this.#pending.delete(descriptor.digest);
    const inherited = descriptor.platform ?? this.#inherited.get(descriptor.digest);
    if (isIndexType(descriptor.mediaType)) {
      const index = parseIndexBytes(bytes, `index ${descriptor.digest}`, this.#limits, descriptor.mediaType);
      await this.#options.present.claim(index.manifests.map(({ digest }) => digest));
      for (const child of index.manifests) await this.#wantListed(child, attestedBy(child), inherited);
    } else {
      const where = `manifest ${descriptor.digest}`;
      await this.#wantContent(parseManifestBytes(bytes, where, this.#limits, descriptor.mediaType));
    }
  }

  async #wantContent({ config, layers }: ImageManifest): Promise<void> {
    for (const content of [config, ...layers]) this.#wanted.set(content.digest, content);
  }

  async #wantListed(descriptor: Descriptor, subject: Digest | undefined, inherited?: Platform): Promise<void> {
    if (subject !== undefined) return await this.#wantBound(descriptor, subject);
    const platform = descriptor.platform ?? inherited;
    if (isNamedPlatform(platform) && !this.#options.platforms.wants(platform)) return;
    if (inherited !== undefined) this.#inherited.set(descriptor.digest, inherited);
    await this.#want(descriptor);
  }

  async #wantBound(descriptor: Descriptor, subject: Digest): Promise<void> {
    if (this.#options.referrers === 'drop') return;
    if (this.#options.platforms.wantsAll || this.#wanted.has(subject)) await this.#want(descriptor);
    else this.#bound.set(subject, [...(this.#bound.get(subject) ?? []), descriptor]);
  }

  async #want(descriptor: Descriptor): Promise<void> {
    if (this.#wanted.has(descriptor.digest)) return;
    if (this.#wanted.size >= this.#limits.maxDescriptors) {
      throw new LadingError(
        'ERR_LIMIT_DESCRIPTORS',
        `the archive lists more than ${this.#limits.maxDescriptors} blobs`,
      );
    }
    this.#wanted.set(descriptor.digest, descriptor);
    if (isIndexType(descriptor.mediaType) || isManifestType(descriptor.mediaType)) await this.#wantDocument(descriptor);
    const bound = this.#bound.get(descriptor.digest) ?? [];
    this.#bound.delete(descriptor.digest);
    for (const referrer of bound) await this.#want(referrer);
  }

  /** A document that the store has needs no waiting for, and one that passed as a candidate is there by now. */
  async #wantDocument(descriptor: Descriptor): Promise<void> {
    checkDocumentSize(descriptor, this.#limits);
    this.#pending.add(descriptor.digest);
    if (this.#passed.has(descriptor.digest)) await this.#options.settled?.();
    const stored = await this.#options.present.stat(descriptor.digest, contentKindOf(descriptor));
    if (stored?.size !== descriptor.size) return;
    const bytes = await this.#documents.bytes(descriptor);
    if (bytes !== undefined) await this.#learnDocument(bytes, descriptor);
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
