import { rm } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import type { FilePart, PouredPart } from '../../../files/file-part.js';
import { readFileChunks } from '../../../files/read-file.js';
import { throwIfAborted } from '../../../model/aborted.js';
import type { ByteMeter } from '../../../model/byte-meter.js';
import { algorithmOf, Digester, type DigestAlgorithm } from '../../../model/digest.js';
import type { ExpectedContent, IngestOutcome } from '../../store.js';
import type { Copied } from './copy-tasks.js';
import { CopyWorkers, WorkerFailure } from './copy-workers.js';
import { FileIngest, type FileIngestOptions } from './file-ingest.js';
import { ingestCopy } from './ingest-copy.js';

/** Parts up to this size go to a thread in groups, as whole blobs: one message each would take longer than the copy. */
const SMALL_BYTES = 256 * 1024;

/** The largest number of copies at once. A large copy holds 4 MiB in this thread, and an open file on other threads. */
const MAX_SMALL = 16;
const MAX_LARGE = 2;
const MAX_LARGE_ON_THREADS = 16;

/**
 * Copies blobs from files into a store: on threads if there are enough blobs, otherwise, or if no thread can start, in
 * this thread. Every copy is an ingest like any other, and its commit checks the blob.
 */
export class PartCopier {
  readonly pours = true;
  readonly #newIngest: () => FileIngestOptions;
  readonly #workers: CopyWorkers;
  readonly #small = pLimit(MAX_SMALL);
  readonly #large = pLimit(MAX_LARGE);
  readonly #largeOnThreads = pLimit(MAX_LARGE_ON_THREADS);
  /** Signals that already have a listener. */
  readonly #watched = new WeakSet<AbortSignal>();
  /** Removes the listeners from the signals, which may live longer than this object. */
  readonly #ended = new AbortController();

  /** `newIngest` returns the paths of the next ingest. */
  constructor(newIngest: () => FileIngestOptions, workers = new CopyWorkers()) {
    this.#newIngest = newIngest;
    this.#workers = workers;
  }

  /** Throws what `Ingest.commit` throws, and ERR_ABORTED. */
  async copy(
    part: FilePart | PouredPart,
    expected: ExpectedContent,
    signal: AbortSignal,
    meter?: ByteMeter,
  ): Promise<IngestOutcome> {
    if ('pour' in part) {
      meter?.follow(part.passed);
      return await this.#largeOnThreads(async () => await this.#pour(part, expected, signal));
    }
    const isSmall = part.size <= SMALL_BYTES;
    if (!this.#workers.isWorth(part.size)) return await this.#copyHere(part, expected, signal, meter);
    try {
      if (isSmall) return await this.#storeOnThread(part, expected, signal);
      return await this.#largeOnThreads(async () => await this.#copyOnThread(part, expected, signal, meter));
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error;
      const outcome = await this.#copyHere(part, expected, signal, meter);
      // The thread may have stored it before it ended. Then it is `stored`, so that a failed load removes it again.
      return isSmall ? 'stored' : outcome;
    }
  }

  /** Ends the threads. No copy may be running. */
  async end(): Promise<void> {
    this.#ended.abort();
    await this.#workers.end();
  }

  async #copyHere(
    part: FilePart,
    expected: ExpectedContent,
    signal: AbortSignal,
    meter: ByteMeter | undefined,
  ): Promise<IngestOutcome> {
    const limit = part.size <= SMALL_BYTES ? this.#small : this.#large;
    return await limit(async () => await this.#readHere(part, expected, signal, meter));
  }

  async #readHere(
    { file, start, size }: FilePart,
    expected: ExpectedContent,
    signal: AbortSignal,
    meter: ByteMeter | undefined,
  ): Promise<IngestOutcome> {
    throwIfAborted(signal, 'the copy');
    const digester = new Digester(algorithmOf(expected.digest));
    meter?.follow(() => digester.size);
    const ingest = await FileIngest.create({
      ...this.#newIngest(),
      digester,
      isDocument: expected.kind === 'manifest',
    });
    try {
      for await (const chunk of readFileChunks(file, { start, end: start + size })) {
        throwIfAborted(signal, 'the copy');
        digester.update(chunk);
        await ingest.write(chunk);
      }
      return await ingest.commit(expected);
    } finally {
      await ingest.abort();
    }
  }

  /** Lets the part come into the ingest file whole, and hashes it there while the next one comes. */
  async #pour(part: PouredPart, expected: ExpectedContent, signal: AbortSignal): Promise<IngestOutcome> {
    throwIfAborted(signal, 'the copy');
    signal.addEventListener('abort', part.stop, { once: true });
    try {
      const options = { ...this.#newIngest(), isDocument: expected.kind === 'manifest' };
      return await ingestCopy(options, expected, async (target) => {
        const size = await part.pour(target);
        const hashed = await this.#hash(target, size, algorithmOf(expected.digest));
        throwIfAborted(signal, 'the copy');
        return hashed;
      });
    } finally {
      signal.removeEventListener('abort', part.stop);
    }
  }

  /** The digest of an open file. */
  async #hash(fd: number, size: number, algorithm: DigestAlgorithm): Promise<Copied> {
    if (!this.#workers.isWorth(size)) return await hashHere(fd, size, algorithm);
    try {
      return await this.#workers.copy({ fd, start: 0, size, algorithm, target: null });
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error;
      return await hashHere(fd, size, algorithm);
    }
  }

  async #storeOnThread(part: FilePart, expected: ExpectedContent, signal: AbortSignal): Promise<IngestOutcome> {
    throwIfAborted(signal, 'the copy');
    const { file, claimBlobPath, onLinked } = this.#newIngest();
    const blob = claimBlobPath(expected.digest);
    try {
      return await this.#onThread(part, signal, async (fd) => {
        const outcome = await this.#workers.store({ fd, start: part.start, size: part.size, expected, file, blob });
        onLinked(path.dirname(blob));
        return outcome;
      });
    } catch (error) {
      // A thread that ended by itself left its file behind.
      if (error instanceof WorkerFailure) await rm(file, { force: true });
      throw error;
    }
  }

  async #copyOnThread(
    part: FilePart,
    expected: ExpectedContent,
    signal: AbortSignal,
    meter: ByteMeter | undefined,
  ): Promise<IngestOutcome> {
    throwIfAborted(signal, 'the copy');
    const { start, size } = part;
    const algorithm = algorithmOf(expected.digest);
    return await this.#onThread(part, signal, async (fd) => {
      const options = { ...this.#newIngest(), isDocument: expected.kind === 'manifest' };
      return await ingestCopy(options, expected, async (target) => {
        const copied = await this.#workers.copy({ fd, start, size, algorithm, target }, meter);
        throwIfAborted(signal, 'the copy');
        return copied;
      });
    });
  }

  /** Keeps the part's file open while threads read it, and passes an abort on to them. */
  async #onThread<T>({ file }: FilePart, signal: AbortSignal, work: (fd: number) => Promise<T>): Promise<T> {
    // Only one listener for each signal: all copies of a load share one.
    if (!this.#watched.has(signal)) {
      signal.addEventListener('abort', () => this.#workers.abort(), { once: true, signal: this.#ended.signal });
    }
    this.#watched.add(signal);
    const fd = file.acquire();
    try {
      return await work(fd);
    } finally {
      file.release();
    }
  }
}

async function hashHere(fd: number, size: number, algorithm: DigestAlgorithm): Promise<Copied> {
  const digester = new Digester(algorithm);
  const file = { acquire: () => fd, release: () => {} };
  for await (const chunk of readFileChunks(file, { start: 0, end: size })) digester.update(chunk);
  return { size: digester.size, digest: digester.digest() };
}
