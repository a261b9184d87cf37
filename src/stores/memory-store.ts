import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, Digester, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { indexOf, recordsOf, removeRecords, type ImageRecord } from '../model/image-list.js';
import { closureWithout, type Cut } from './closure.js';
import type {
  ByteRange,
  ImageListChange,
  Ingest,
  PruneOptions,
  PruneReport,
  Store,
  StoreReader,
  StoreSession,
} from './ports.js';
import { pruneableImages } from './pruneable-images.js';

/** A blob in memory. `bytes` is undefined where only its size is kept. */
interface MemoryBlob {
  readonly size: number;
  readonly bytes: Buffer | undefined;
}

/** What a memory store keeps of the bytes it is given. */
export interface MemoryStoreOptions {
  /**
   * Bytes of a blob that are kept in memory; of a larger blob only digest and size are remembered, and reading it throws
   * ERR_BLOB_MISSING. Enough to judge or list an archive without keeping it. Default: everything.
   */
  readonly maxBlobBytes?: number;
  /** Keeps only what starts like a JSON object; of every other blob digest and size are remembered. */
  readonly keepOnlyDocuments?: boolean;
  /** Bytes of all blobs together. Beyond it a commit throws ERR_LIMIT_BYTES. */
  readonly maxBytes?: number;
}

/** A store that ends with its process: for tests, small embeds, and looking into archives. Holds all that it is given. */
export class MemoryStore implements Store {
  readonly #blobs = new Map<Digest, MemoryBlob>();
  readonly #sessions = new Set<Set<Digest>>();
  readonly #options: MemoryStoreOptions;
  #records: readonly ImageRecord[] = [];
  #bytes = 0;

  constructor(options: MemoryStoreOptions = {}) {
    this.#options = options;
  }

  async list(): Promise<readonly ImageRecord[]> {
    return this.#records;
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    return this.#blobs.get(digest);
  }

  async *open(digest: Digest, range?: ByteRange): AsyncGenerator<Buffer> {
    const bytes = this.#blobs.get(digest)?.bytes;
    if (bytes === undefined) {
      throw new LadingError('ERR_BLOB_MISSING', `blob ${digest} is not in the store`, { details: { digest } });
    }
    yield bytes.subarray(range?.start, range?.end);
  }

  async *digests(): AsyncGenerator<Digest> {
    yield* this.#blobs.keys();
  }

  async reader(): Promise<StoreReader> {
    return this.#claiming(new Set());
  }

  async session(): Promise<StoreSession> {
    const claimed = new Set<Digest>();
    return {
      ...this.#claiming(claimed),
      begin: async (digester) =>
        new MemoryIngest((digest, blob) => this.#add(digest, blob, claimed), this.#options, digester),
      publish: async (change) => this.#publish(change),
      discard: async (digests, cut) => await this.#discard(digests, claimed, cut),
    };
  }

  #claiming(claimed: Set<Digest>): StoreReader {
    this.#sessions.add(claimed);
    return {
      stat: async (digest) => {
        claimed.add(digest);
        return await this.stat(digest);
      },
      open: (digest, range) => this.open(digest, range),
      end: async () => void this.#sessions.delete(claimed),
    };
  }

  /** Keeps no times: everything is past any grace time. */
  async prune({ dryRun = false }: PruneOptions): Promise<PruneReport> {
    for (;;) {
      const records = this.#records;
      const images = await pruneableImages(this, records, async () => true);
      const staying = removeRecords(records, images);
      const kept = await this.#keptBy(staying);
      // Somebody published meanwhile: look again.
      if (records !== this.#records) continue;
      const claimed = this.#claims();
      const gone = [...this.#blobs].filter(([digest]) => !kept.has(digest) && !claimed.has(digest));
      if (!dryRun) {
        this.#publish(() => staying);
        gone.forEach(([digest]) => this.#remove(digest));
      }
      return { images, blobs: gone.map(([digest, { size }]) => ({ digest, size })) };
    }
  }

  #publish(change: ImageListChange): void {
    // Through the document, so that order and annotations are those that a directory store would give.
    this.#records = recordsOf(indexOf(change(this.#records)));
  }

  #add(digest: Digest, blob: MemoryBlob, claimed: Set<Digest>): 'stored' | 'present' {
    claimed.add(digest);
    if (this.#blobs.has(digest)) return 'present';
    const kept = this.#bytes + (blob.bytes?.length ?? 0);
    if (kept > (this.#options.maxBytes ?? Number.POSITIVE_INFINITY)) {
      throw new LadingError('ERR_LIMIT_BYTES', `more than ${this.#options.maxBytes} bytes to be kept in memory`);
    }
    this.#bytes = kept;
    this.#blobs.set(digest, blob);
    return 'stored';
  }

  async #discard(digests: Iterable<Digest>, own: Set<Digest>, cut?: Cut): Promise<readonly Digest[]> {
    const kept = await this.#keptBy(this.#records, own, cut);
    const gone = [...digests].filter((digest) => !kept.has(digest) && this.#blobs.has(digest));
    gone.forEach((digest) => this.#remove(digest));
    return gone;
  }

  #remove(digest: Digest): void {
    this.#bytes -= this.#blobs.get(digest)?.bytes?.length ?? 0;
    this.#blobs.delete(digest);
  }

  async #keptBy(records: readonly ImageRecord[], except?: Set<Digest>, cut?: Cut): Promise<ReadonlySet<Digest>> {
    const roots = records.map(({ descriptor }) => descriptor);
    const reached = await closureWithout(this, roots, cut);
    return new Set([...this.#claims(except), ...reached]);
  }

  #claims(except?: Set<Digest>): ReadonlySet<Digest> {
    return new Set([...this.#sessions].filter((claimed) => claimed !== except).flatMap((claimed) => [...claimed]));
  }
}

const OPENING_BRACE = 0x7b;

/** A blob on its way into memory. Holds its bytes, as far as the store is to keep them. */
class MemoryIngest implements Ingest {
  readonly #add: (digest: Digest, blob: MemoryBlob) => 'stored' | 'present';
  readonly #options: MemoryStoreOptions;
  readonly #digester: Digester;
  readonly #hashesHere: boolean;
  #chunks: Uint8Array[] = [];
  #startsLikeDocument = false;
  #size = 0;
  #isOver = false;

  constructor(
    add: (digest: Digest, blob: MemoryBlob) => 'stored' | 'present',
    options: MemoryStoreOptions,
    digester: Digester | undefined,
  ) {
    this.#add = add;
    this.#options = options;
    this.#digester = digester ?? new Digester();
    this.#hashesHere = digester === undefined;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#checkOpen();
    if (this.#hashesHere) this.#digester.update(chunk);
    if (this.#size === 0 && chunk.length > 0) this.#startsLikeDocument = chunk[0] === OPENING_BRACE;
    this.#size += chunk.length;
    if (this.#isKept()) this.#chunks.push(chunk);
    else this.#chunks = [];
  }

  async commit({ digest, size }: Pick<Descriptor, 'digest' | 'size'>): Promise<'stored' | 'present'> {
    this.#checkOpen();
    this.#isOver = true;
    const details = { digest, expected: size, size: this.#size };
    if (this.#size !== size) {
      throw new LadingError('ERR_SIZE_MISMATCH', `blob ${digest}: ${this.#size} bytes came instead of ${size}`, {
        details,
      });
    }
    if (this.#digester.algorithm !== algorithmOf(digest) || this.#digester.digest() !== digest) {
      throw new LadingError('ERR_DIGEST_MISMATCH', `blob ${digest}: content hashes to ${this.#digester.digest()}`, {
        details,
      });
    }
    return this.#add(digest, { size, bytes: this.#isKept() ? Buffer.concat(this.#chunks) : undefined });
  }

  #isKept(): boolean {
    const { maxBlobBytes = Number.POSITIVE_INFINITY, keepOnlyDocuments = false } = this.#options;
    return this.#size <= maxBlobBytes && (!keepOnlyDocuments || this.#startsLikeDocument);
  }

  async abort(): Promise<void> {
    this.#isOver = true;
    this.#chunks = [];
  }

  #checkOpen(): void {
    if (this.#isOver) throw new LadingError('ERR_STORAGE_IO', 'this ingest is over; start a new one');
  }
}
