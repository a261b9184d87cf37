import { digestMismatch, sizeMismatch } from '../../content/mismatch.js';
import type { Content } from '../../model/content.js';
import { Digester, type Digest, type DigestAlgorithm } from '../../model/digest.js';
import { LadingError } from '../../model/errors.js';
import { CALLBACK, FLAG, optionsOf, wholeNumber, type Rule } from '../../model/rules.js';
import type { Ingest, IngestOutcome } from '../store.js';

/** A blob in memory. `bytes` is undefined if only its size is kept. */
export interface MemoryBlob {
  readonly size: number;
  readonly bytes: Buffer | undefined;
}

/** Which bytes a memory store keeps. */
export interface MemoryStoreOptions {
  /**
   * The size up to which the bytes of a blob are kept, without limit by default. Of a larger blob only digest and size
   * are kept, and reading it throws ERR_BLOB_MISSING. That is enough to verify or list an archive.
   */
  readonly maxBlobBytes?: number;
  /** Keeps only the bytes of blobs that start like a JSON object or white space; of others only digest and size. */
  readonly keepOnlyDocuments?: boolean;
  /** The limit for the bytes of all blobs together. Beyond it a commit throws ERR_LIMIT_BYTES. */
  readonly maxBytes?: number;
  /** Returns the time in milliseconds since 1970, to be recorded for each name that comes to the list of images. */
  readonly now?: () => number;
}

/** Rules of these options. */
export const MEMORY_OPTIONS: Rule = optionsOf<MemoryStoreOptions>({
  maxBlobBytes: wholeNumber(),
  keepOnlyDocuments: FLAG,
  maxBytes: wholeNumber(),
  now: CALLBACK,
});

/** An opening brace, and the white space of JSON. */
const MAYBE_OBJECT: readonly (number | undefined)[] = [0x7b, 0x20, 0x09, 0x0a, 0x0d];

/** A blob on its way into memory. Holds its bytes if the store keeps them. */
export class MemoryIngest implements Ingest {
  readonly #add: (digest: Digest, blob: MemoryBlob) => IngestOutcome;
  readonly #options: MemoryStoreOptions;
  readonly #digester: Digester;
  readonly #hashesHere: boolean;
  #chunks: Uint8Array[] = [];
  #startsLikeDocument = false;
  #size = 0;
  #isOver = false;

  constructor(
    add: (digest: Digest, blob: MemoryBlob) => IngestOutcome,
    options: MemoryStoreOptions,
    digester: Digester | undefined,
    algorithm: DigestAlgorithm | undefined,
  ) {
    this.#add = add;
    this.#options = options;
    this.#digester = digester ?? new Digester(algorithm);
    this.#hashesHere = digester === undefined;
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#checkOpen();
    if (this.#hashesHere) this.#digester.update(chunk);
    if (this.#size === 0 && chunk.length > 0) this.#startsLikeDocument = MAYBE_OBJECT.includes(chunk[0]);
    this.#size += chunk.length;
    if (this.#isKept()) this.#chunks.push(chunk);
    else this.#chunks = [];
  }

  async commit(expected: Content): Promise<IngestOutcome> {
    this.#checkOpen();
    this.#isOver = true;
    if (this.#size !== expected.size) throw sizeMismatch(expected, this.#size);
    const actual = this.#digester.digest();
    if (actual !== expected.digest) throw digestMismatch(expected.digest, actual);
    const bytes = this.#isKept() ? Buffer.concat(this.#chunks) : undefined;
    return this.#add(expected.digest, { size: expected.size, bytes });
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
