import { rm } from 'node:fs/promises';
import path from 'node:path';
import pLimit from 'p-limit';
import type { Descriptor } from '../../../model/descriptor.js';
import { algorithmOf, Digester } from '../../../model/digest.js';
import { LadingError } from '../../../model/errors.js';
import { CopyWorkers, WorkerFailure } from './copy-workers.js';
import { FileIngest, type FileIngestOptions } from './file-ingest.js';
import type { FilePart } from '../../../files/file-part.js';
import { ingestCopy } from './ingest-copy.js';
import { readFileChunks } from '../../../files/read-file.js';

/** What is smaller goes to a thread with others, as a whole blob: to tell a thread of each alone would take longer than it. */
const SMALL_BYTES = 256 * 1024;

/** How many are on their way at once: here, where a large one holds 4 MiB, and on threads, where it holds an open file. */
const MAX_SMALL = 16;
const MAX_LARGE = 2;
const MAX_LARGE_ON_THREADS = 16;

type Expected = Pick<Descriptor, 'digest' | 'size'>;

/**
 * Copies blobs that stand in files into a store, on threads where there are enough of them, and here where not, or where no
 * thread can be had. Every copy is an ingest like any other, and its commit the judge of it.
 */
export class PartCopier {
  readonly #newIngest: () => FileIngestOptions;
  readonly #workers: CopyWorkers;
  readonly #small = pLimit(MAX_SMALL);
  readonly #large = pLimit(MAX_LARGE);
  readonly #largeOnThreads = pLimit(MAX_LARGE_ON_THREADS);
  readonly #heard = new WeakSet<AbortSignal>();

  /** `newIngest`: where the next ingest goes. */
  constructor(newIngest: () => FileIngestOptions, workers = new CopyWorkers()) {
    this.#newIngest = newIngest;
    this.#workers = workers;
  }

  /** Throws what `Ingest.commit` throws, and ERR_ABORTED. */
  async copy(part: FilePart, expected: Expected, signal: AbortSignal): Promise<'stored' | 'present'> {
    const isSmall = part.size <= SMALL_BYTES;
    if (!this.#workers.isWorth(part.size)) return await this.#copyHere(part, expected, signal);
    try {
      if (isSmall) return await this.#storeOnThread(part, expected, signal);
      return await this.#largeOnThreads(async () => await this.#copyOnThread(part, expected, signal));
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error;
      const outcome = await this.#copyHere(part, expected, signal);
      // A thread may have stored it and ended before it said so: what this load brought, it has to be able to take back.
      return isSmall ? 'stored' : outcome;
    }
  }

  /** Ends the threads. Nothing may be on its way. */
  async end(): Promise<void> {
    await this.#workers.end();
  }

  async #copyHere(part: FilePart, expected: Expected, signal: AbortSignal): Promise<'stored' | 'present'> {
    const limit = part.size <= SMALL_BYTES ? this.#small : this.#large;
    return await limit(async () => await this.#readHere(part, expected, signal));
  }

  async #readHere(
    { file, start, size }: FilePart,
    expected: Expected,
    signal: AbortSignal,
  ): Promise<'stored' | 'present'> {
    throwIfAborted(signal);
    const digester = new Digester(algorithmOf(expected.digest));
    const ingest = await FileIngest.create({ ...this.#newIngest(), digester });
    try {
      for await (const chunk of readFileChunks(file, { start, end: start + size })) {
        throwIfAborted(signal);
        digester.update(chunk);
        await ingest.write(chunk);
      }
      return await ingest.commit(expected);
    } finally {
      await ingest.abort();
    }
  }

  async #storeOnThread(part: FilePart, expected: Expected, signal: AbortSignal): Promise<'stored' | 'present'> {
    throwIfAborted(signal);
    const { file, blobOf, onLinked } = this.#newIngest();
    const blob = blobOf(expected.digest);
    try {
      return await this.#onThread(part, signal, async (fd) => {
        const outcome = await this.#workers.store({ fd, start: part.start, size: part.size, expected, file, blob });
        onLinked(path.dirname(blob));
        return outcome;
      });
    } catch (error) {
      // A thread that ended by itself has not tidied up.
      if (error instanceof WorkerFailure) await rm(file, { force: true });
      throw error;
    }
  }

  async #copyOnThread(part: FilePart, expected: Expected, signal: AbortSignal): Promise<'stored' | 'present'> {
    throwIfAborted(signal);
    const { start, size } = part;
    const algorithm = algorithmOf(expected.digest);
    return await this.#onThread(part, signal, async (fd) => {
      return await ingestCopy(this.#newIngest(), expected, async (target) => {
        const copied = await this.#workers.copy({ fd, start, size, algorithm, target });
        throwIfAborted(signal);
        return copied;
      });
    });
  }

  /** Keeps the part's file open while threads read it, and tells them of an abort. */
  async #onThread<T>({ file }: FilePart, signal: AbortSignal, work: (fd: number) => Promise<T>): Promise<T> {
    // Once for each signal: all copies of a load have the same.
    if (!this.#heard.has(signal)) signal.addEventListener('abort', () => this.#workers.abort(), { once: true });
    this.#heard.add(signal);
    const fd = file.acquire();
    try {
      return await work(fd);
    } finally {
      file.release();
    }
  }
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new LadingError('ERR_ABORTED', 'the copy was given up', { cause: signal.reason });
}
