import { closureOfKept } from '../../content/closure.js';
import type { FoundBlob, OpenOptions } from '../../content/content-provider.js';
import { Documents } from '../../content/documents.js';
import { notInStore } from '../../files/open-blob.js';
import { isWhole } from '../../content/is-whole.js';
import { tracedPrune } from '../../flow/tracing.js';
import { totalBytes } from '../../model/content.js';
import type { Descriptor } from '../../model/descriptor.js';
import { algorithmOf, parseDigest, type Digest } from '../../model/digest.js';
import { LadingError } from '../../model/errors.js';
import { imageIndexOf, recordsOf, removeRecords, type ImageRecord } from '../../model/image-list.js';
import { check, listOf, TEXT } from '../../model/rules.js';
import { withTimes } from '../../model/stored-times.js';
import { ListedImages } from '../listed-images.js';
import { PRUNE_OPTIONS, type Amount, type PruneOptions, type PruneReport } from '../prune-report.js';
import { isLoadedUnnamed, pruneableImages } from '../pruneable-images.js';
import type { DestinationSession, EndOptions, ImageListChange, IngestOutcome, SourceReader, Store } from '../store.js';
import { MEMORY_OPTIONS, MemoryIngest, type MemoryBlob, type MemoryStoreOptions } from './memory-ingest.js';

const TEXTS = listOf(TEXT);

const NOTHING: Amount = { count: 0, bytes: 0 };

/** A store in memory, for tests and for looking into archives. Holds all content that is stored in it. */
export class MemoryStore implements Store {
  readonly #blobs = new Map<Digest, MemoryBlob>();
  readonly #damaged = new Set<Digest>();
  readonly #sessions = new Set<Set<Digest>>();
  readonly #options: MemoryStoreOptions;
  #listed = new ListedImages([]);
  #bytes = 0;

  constructor(options: MemoryStoreOptions = {}) {
    check({ options: MEMORY_OPTIONS }, { options });
    this.#options = options;
  }

  async list(): Promise<readonly ImageRecord[]> {
    return this.#listed.records;
  }

  async resolve(texts: readonly string[]): Promise<readonly ImageRecord[]> {
    check({ texts: TEXTS }, { texts });
    return this.#listed.resolve(texts);
  }

  async holders(names: readonly string[]): Promise<ReadonlyMap<string, Digest>> {
    check({ names: TEXTS }, { names });
    return this.#listed.holders(names);
  }

  async referrersOf(subject: Digest): Promise<readonly Descriptor[]> {
    return this.#listed.referrersOf(subject);
  }

  async companionsOf(repository: string, subjects: ReadonlySet<Digest>): Promise<readonly ImageRecord[]> {
    return this.#listed.companionsOf(repository, subjects);
  }

  async stat(digest: Digest): Promise<FoundBlob | undefined> {
    return this.#blobs.get(digest);
  }

  async *open(digest: Digest, { range }: Partial<OpenOptions> = {}): AsyncGenerator<Buffer> {
    const bytes = this.#blobs.get(digest)?.bytes;
    if (bytes === undefined) throw notInStore(digest);
    yield bytes.subarray(range?.start, range?.end);
  }

  async *digests(): AsyncGenerator<Digest> {
    yield* this.#blobs.keys();
  }

  async foreignFiles(): Promise<readonly string[]> {
    return [];
  }

  async reader(): Promise<SourceReader> {
    return this.#claiming(new Set());
  }

  async session(): Promise<DestinationSession> {
    const claimed = new Set<Digest>();
    return {
      ...this.#claiming(claimed),
      copies: undefined,
      transfers: undefined,
      begin: async (expected, digester) => {
        const add = (digest: Digest, blob: MemoryBlob): IngestOutcome => this.#add(digest, blob, claimed);
        return new MemoryIngest(add, this.#options, digester, expected && algorithmOf(expected.digest));
      },
      publish: async (change) => this.#publish(change),
      discard: async (digests) => await this.#discard(digests, claimed),
      end: async ({ unneeded = [] }: EndOptions = {}) => {
        this.#sessions.delete(claimed);
        await this.#discard(unneeded);
      },
    };
  }

  #claiming(claimed: Set<Digest>): SourceReader {
    this.#sessions.add(claimed);
    return {
      claim: async (digests) => digests.forEach((digest) => claimed.add(digest)),
      stat: async (digest) => {
        claimed.add(digest);
        return await this.stat(digest);
      },
      open: (digest, options) => this.open(digest, options),
      fileOf: () => undefined,
      end: async () => void this.#sessions.delete(claimed),
    };
  }

  /** Blobs have no times here: all count as older than the grace time. */
  async prune(options: PruneOptions): Promise<PruneReport> {
    check({ options: PRUNE_OPTIONS }, { options });
    if (options.dryRun === true) return await this.#prune(options);
    return await tracedPrune(this, async () => await this.#prune(options));
  }

  async #prune({ dryRun = false, dangling = false }: PruneOptions): Promise<PruneReport> {
    for (;;) {
      const { records } = this.#listed;
      const images = await pruneableImages(this, records, { dangling, isOld: async () => true });
      const staying = removeRecords(records, images);
      const kept = await this.#reach(staying);
      // A session has published meanwhile: start again.
      if (records !== this.#listed.records) continue;
      const claimed = this.#claims();
      const gone = [...this.#blobs].filter(([digest]) => !kept.has(digest) && !claimed.has(digest));
      if (!dryRun) {
        this.#publish(() => staying);
        gone.forEach(([digest]) => this.#remove(digest));
      }
      return this.#reportOf(images, gone, { staying, reached: kept });
    }
  }

  async quarantine(digest: Digest): Promise<boolean> {
    parseDigest(digest);
    const isDamaged = (await isWhole(this, digest)) === false;
    if (!isDamaged) return false;
    this.#remove(digest);
    this.#damaged.add(digest);
    return true;
  }

  async lost(): Promise<ReadonlySet<Digest>> {
    return new Set([...this.#damaged].filter((digest) => !this.#blobs.has(digest)));
  }

  #reportOf(
    images: readonly ImageRecord[],
    gone: readonly (readonly [Digest, MemoryBlob])[],
    { staying, reached }: { readonly staying: readonly ImageRecord[]; readonly reached: ReadonlySet<Digest> },
  ): PruneReport {
    const goneDigests = new Set(gone.map(([digest]) => digest));
    const amountOf = (isCounted: (digest: Digest) => boolean): Amount => {
      const sizes = [...this.#blobs].filter(([digest]) => isCounted(digest)).map(([, { size }]) => size);
      return { count: sizes.length, bytes: totalBytes(sizes) };
    };
    const isSpare = (digest: Digest): boolean => !reached.has(digest) && !goneDigests.has(digest);
    const held = [...this.#sessions].map((claimed) => amountOf((digest) => claimed.has(digest) && isSpare(digest)));
    return {
      images,
      blobs: gone.map(([digest, { size }]) => ({ digest, size })),
      damaged: [],
      interrupted: NOTHING,
      kept: {
        images: amountOf((digest) => reached.has(digest)),
        unnamed: staying.filter(isLoadedUnnamed).length,
        held: held.filter(({ count }) => count > 0).map((amount) => ({ state: 'alive', ageMs: 0, ...amount })),
        young: NOTHING,
      },
    };
  }

  #publish(change: ImageListChange): void {
    const { records } = this.#listed;
    // Through an index document, so that order and annotations are the same as in a directory store.
    this.#listed = new ListedImages(
      recordsOf(imageIndexOf(withTimes(records, change(records), this.#options.now?.()))),
    );
  }

  #add(digest: Digest, blob: MemoryBlob, claimed: Set<Digest>): IngestOutcome {
    claimed.add(digest);
    if (this.#blobs.has(digest)) return 'present';
    const kept = this.#bytes + (blob.bytes?.length ?? 0);
    if (kept > (this.#options.maxBytes ?? Number.POSITIVE_INFINITY)) {
      throw new LadingError('ERR_LIMIT_BYTES', `the blobs need more than ${this.#options.maxBytes} bytes of memory`);
    }
    this.#bytes = kept;
    this.#blobs.set(digest, blob);
    return 'stored';
  }

  async #discard(digests: Iterable<Digest>, own?: Set<Digest>): Promise<readonly Digest[]> {
    const candidates = [...digests];
    if (candidates.length === 0) return [];
    for (;;) {
      const { records } = this.#listed;
      const reached = await this.#reach(records);
      // A session has published meanwhile: start again.
      if (records !== this.#listed.records) continue;
      const claimed = this.#claims(own);
      const isKept = (digest: Digest): boolean => reached.has(digest) || claimed.has(digest);
      const gone = candidates.filter((digest) => !isKept(digest) && this.#blobs.has(digest));
      gone.forEach((digest) => this.#remove(digest));
      return gone;
    }
  }

  #remove(digest: Digest): void {
    this.#bytes -= this.#blobs.get(digest)?.bytes?.length ?? 0;
    this.#blobs.delete(digest);
  }

  async #reach(records: readonly ImageRecord[]): Promise<ReadonlySet<Digest>> {
    return await closureOfKept(Documents.stored(this), records);
  }

  #claims(except?: Set<Digest>): ReadonlySet<Digest> {
    return new Set([...this.#sessions].filter((claimed) => claimed !== except).flatMap((claimed) => [...claimed]));
  }
}
