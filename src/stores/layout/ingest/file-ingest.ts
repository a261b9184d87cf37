import fs from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { digestMismatch, sizeMismatch } from '../../../content/mismatch.js';
import { unlinkIfThere } from '../../../files/if-there.js';
import { ensurePrivateFolder } from '../../../files/private-folder.js';
import { readFileChunks } from '../../../files/read-file.js';
import { isExisting, isNotFound, storageError } from '../../../files/storage-error.js';
import { syncBytes } from '../../../files/sync-bytes.js';
import { writeChunks } from '../../../files/write-chunks.js';
import type { Content } from '../../../model/content.js';
import { algorithmOf, Digester, type Digest, type DigestAlgorithm } from '../../../model/digest.js';
import { LadingError } from '../../../model/errors.js';
import { DEFAULT_LIMITS } from '../../../model/limits.js';
import type { Ingest, IngestOutcome } from '../../store.js';
import type { Copied } from './copy-tasks.js';

/** Bytes that are collected for one write. */
const BATCH_BYTES = 1024 * 1024;

/** A blob up to this size may be a document, unless a load raised the limit of documents. */
const DOCUMENT_BYTES = DEFAULT_LIMITS.maxDocumentBytes;

/** A blob up to this size is written by a blocking call: waiting for a thread to do it takes ten times as long. */
const SMALL_BYTES = 64 * 1024;

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = fs.constants;

/** The paths of an ingest file and of its blob. */
export interface FileIngestOptions {
  readonly file: string;
  readonly claimBlobPath: (digest: Digest) => string;
  /** Whether the blob is an index or a manifest, however large: one that is here already is hashed. */
  readonly isDocument?: boolean;
  /** Hashes the bytes before they come here. Without it the ingest hashes them itself. */
  readonly digester?: Digester | undefined;
  /** How the ingest hashes; sha256 by default. */
  readonly algorithm?: DigestAlgorithm | undefined;
  /** Called with the folder of a new link. The folder needs an fsync before the load is durable. */
  readonly onLinked: (folder: string) => void;
}

/** `writing`: bytes come here. `copied`: a copy wrote all of them. `over`: the file is closed. */
type Phase = { readonly kind: 'writing' | 'over' } | { readonly kind: 'copied'; readonly content: Content };

/**
 * Writes a blob into a directory store: to a private file first, which is checked, made durable and linked under its
 * digest. Holds up to 2 MiB: one batch that is being written and one that is being collected.
 */
export class FileIngest implements Ingest {
  readonly #options: FileIngestOptions;
  readonly #fd: number;
  /** Hashes what is written, here or before it comes here. */
  readonly #digester: Digester;
  #phase: Phase = { kind: 'writing' };
  #size = 0;
  #batch: Uint8Array[] = [];
  #batchBytes = 0;
  #writing: Promise<void> = Promise.resolve();

  private constructor(options: FileIngestOptions, fd: number) {
    this.#options = options;
    this.#digester = options.digester ?? new Digester(options.algorithm);
    this.#fd = fd;
  }

  static async create(options: FileIngestOptions): Promise<FileIngest> {
    try {
      const fd = fs.openSync(options.file, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR, 0o600);
      const ingest = new FileIngest(options, fd);
      await ingest.#makePrivate();
      return ingest;
    } catch (error) {
      throw storageError(error, 'cannot start a blob in the store');
    }
  }

  /** Nobody has the ingest yet to abort it. */
  async #makePrivate(): Promise<void> {
    try {
      fs.fchmodSync(this.#fd, 0o600);
    } catch (error) {
      await this.abort();
      throw error;
    }
  }

  async write(chunk: Uint8Array): Promise<void> {
    this.#checkOpen();
    if (this.#options.digester === undefined) this.#digester.update(chunk);
    this.#size += chunk.length;
    this.#batch.push(chunk);
    this.#batchBytes += chunk.length;
    if (this.#batchBytes >= BATCH_BYTES) await this.#startBatch();
  }

  /** Lets `copy` write all bytes to the open file. It returns their size and digest. */
  async take(copy: (target: number) => Promise<Copied>): Promise<void> {
    this.#checkOpen();
    // `abort` waits for the copy: the file must not be closed while the copy writes to it.
    this.#writing = copy(this.#fd).then((content) => {
      if (this.#phase.kind !== 'over') this.#phase = { kind: 'copied', content };
    });
    await this.#writing;
  }

  async commit(expected: Content): Promise<IngestOutcome> {
    this.#checkOpen();
    try {
      return await this.#finish(expected);
    } catch (error) {
      throw storageError(error, 'cannot store a blob');
    }
  }

  async #finish(expected: Content): Promise<IngestOutcome> {
    try {
      await this.#startBatch();
      await this.#writing;
      this.#check(expected);
      await this.#makeDurable();
      return await this.#link(expected);
    } finally {
      await this.abort();
    }
  }

  async abort(): Promise<void> {
    if (this.#phase.kind === 'over') return;
    this.#phase = { kind: 'over' };
    await this.#writing.catch(() => {});
    try {
      fs.closeSync(this.#fd);
    } finally {
      // A file that replaced a bad blob has moved there.
      unlinkIfThere(this.#options.file);
    }
  }

  #checkOpen(): void {
    if (this.#phase.kind === 'over') throw new LadingError('ERR_STORAGE_IO', 'this ingest is over; start a new one');
  }

  /** Waits for the batch before, then starts to write this one while the next is collected. */
  async #startBatch(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    this.#batchBytes = 0;
    try {
      await this.#writing;
    } catch (error) {
      throw storageError(error, 'cannot write a blob');
    }
    this.#writing = this.#writeAll(batch);
    // Its error is thrown to the next wait for this batch; until then it must not count as unhandled.
    this.#writing.catch(() => {});
  }

  async #writeAll(batch: readonly Uint8Array[]): Promise<void> {
    if (this.#size <= SMALL_BYTES) await writeChunks(this.#fd, batch, fs.writevSync);
    else await writeChunks(this.#fd, batch);
  }

  #check(expected: Content): void {
    const copied = this.#phase.kind === 'copied' ? this.#phase.content : undefined;
    const bytes = copied?.size ?? this.#size;
    if (bytes !== expected.size) throw sizeMismatch(expected, bytes);
    const actual = copied?.digest ?? this.#digester.digest();
    if (actual !== expected.digest) throw digestMismatch(expected.digest, actual);
  }

  async #makeDurable(): Promise<void> {
    fs.fchmodSync(this.#fd, 0o400);
    await syncBytes(this.#fd, path.dirname(this.#options.file));
  }

  async #link({ digest, size }: Content): Promise<IngestOutcome> {
    const blob = this.#options.claimBlobPath(digest);
    const folder = path.dirname(blob);
    for (let hasFolder = false; ; hasFolder = true) {
      try {
        if (hasFolder) ensurePrivateFolder(folder);
        fs.linkSync(this.#options.file, blob);
        this.#options.onLinked(folder);
        return 'stored';
      } catch (error) {
        if (isExisting(error)) break;
        if (!isNotFound(error) || hasFolder) throw error;
      }
    }
    const outcome = await this.#checkExisting(blob, { digest, size });
    this.#options.onLinked(folder);
    // A collection may have moved it away meanwhile; then link again.
    return outcome === 'gone' ? await this.#link({ digest, size }) : outcome;
  }

  /**
   * Decides what to do if the blob's name exists already. A good blob stays: another load stored it. Its link may not
   * be durable yet, so the caller reports the folder in any case. A bad file is replaced by ours, which was just
   * verified, in one step, so that the name always has a file.
   */
  async #checkExisting(blob: string, expected: Content): Promise<IngestOutcome | 'gone'> {
    const found = fs.lstatSync(blob, { throwIfNoEntry: false });
    if (found === undefined) return 'gone';
    const isGood = found.isFile() && found.size === expected.size && (await this.#isWhole(blob, expected));
    if (isGood === undefined) return 'gone';
    if (isGood) return 'present';
    if (!found.isDirectory()) {
      fs.renameSync(this.#options.file, blob);
      return 'stored';
    }
    const aside = `${this.#options.file}.damaged`;
    await rename(blob, aside);
    await rm(aside, { recursive: true, force: true });
    return 'gone';
  }

  /**
   * Whether a file of the right size has the right content. Reads it only if it is a document, or small enough to be one,
   * since all other blobs are found by way of documents. Undefined if it no longer exists.
   */
  async #isWhole(file: string, { digest, size }: Content): Promise<boolean | undefined> {
    if (size > DOCUMENT_BYTES && this.#options.isDocument !== true) return true;
    const digester = new Digester(algorithmOf(digest));
    try {
      const blob = { acquire: () => fs.openSync(file, O_RDONLY | O_NOFOLLOW), release: fs.closeSync };
      for await (const chunk of readFileChunks(blob)) digester.update(chunk);
      return digester.digest() === digest;
    } catch (error) {
      return isNotFound(error) ? undefined : false;
    }
  }
}
