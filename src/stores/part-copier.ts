import pLimit from 'p-limit';
import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, Digester } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { CopyWorkers, WorkerFailure } from './copy-workers.js';
import type { FileIngest } from './file-ingest.js';
import type { FilePart } from './file-part.js';
import { readFileChunks } from './read-file.js';

/** What is smaller is read and hashed here: to tell a thread of it, and to hear of it, would take longer. */
const SMALL_BYTES = 256 * 1024;

/** Large ones that are copied here at the same time: each holds 4 MiB. */
const MAX_LARGE = 2;

type Expected = Pick<Descriptor, 'digest' | 'size'>;

/**
 * Copies blobs that stand in files into a store: large ones on threads, small ones here, and large ones here too where no
 * thread can be had. Every copy is an ingest like any other, and its commit the judge of it.
 */
export class PartCopier {
  readonly #begin: (digester?: Digester) => Promise<FileIngest>;
  readonly #workers: CopyWorkers;
  readonly #large = pLimit(MAX_LARGE);

  constructor(begin: (digester?: Digester) => Promise<FileIngest>, workers = new CopyWorkers()) {
    this.#begin = begin;
    this.#workers = workers;
  }

  /** Throws what `Ingest.commit` throws, and ERR_ABORTED. */
  async copy(part: FilePart, expected: Expected, signal: AbortSignal): Promise<'stored' | 'present'> {
    if (part.size <= SMALL_BYTES) return await this.#copyHere(part, expected, signal);
    if (!this.#workers.isWorth(part.size)) return await this.#copyLargeHere(part, expected, signal);
    try {
      return await this.#copyOnThread(part, expected, signal);
    } catch (error) {
      if (!(error instanceof WorkerFailure)) throw error;
      return await this.#copyLargeHere(part, expected, signal);
    }
  }

  /** Ends the threads. Nothing may be on its way. */
  async end(): Promise<void> {
    await this.#workers.end();
  }

  async #copyLargeHere(part: FilePart, expected: Expected, signal: AbortSignal): Promise<'stored' | 'present'> {
    return await this.#large(async () => await this.#copyHere(part, expected, signal));
  }

  async #copyOnThread(
    { file, start, size }: FilePart,
    expected: Expected,
    signal: AbortSignal,
  ): Promise<'stored' | 'present'> {
    const algorithm = algorithmOf(expected.digest);
    const abort = (): void => this.#workers.abort();
    signal.addEventListener('abort', abort, { once: true });
    const fd = file.acquire();
    try {
      return await this.#ingest(undefined, expected, async (ingest) => {
        checkAborted(signal);
        await ingest.take(async (target) => await this.#workers.copy({ fd, start, size, algorithm, target }));
        checkAborted(signal);
      });
    } finally {
      file.release();
      signal.removeEventListener('abort', abort);
    }
  }

  async #copyHere(
    { file, start, size }: FilePart,
    expected: Expected,
    signal: AbortSignal,
  ): Promise<'stored' | 'present'> {
    const digester = new Digester(algorithmOf(expected.digest));
    return await this.#ingest(digester, expected, async (ingest) => {
      checkAborted(signal);
      for await (const chunk of readFileChunks(file, { start, end: start + size })) {
        checkAborted(signal);
        digester.update(chunk);
        await ingest.write(chunk);
      }
    });
  }

  async #ingest(
    digester: Digester | undefined,
    expected: Expected,
    fill: (ingest: FileIngest) => Promise<void>,
  ): Promise<'stored' | 'present'> {
    const ingest = await this.#begin(digester);
    try {
      await fill(ingest);
      return await ingest.commit(expected);
    } finally {
      await ingest.abort();
    }
  }
}

function checkAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new LadingError('ERR_ABORTED', 'the copy was given up', { cause: signal.reason });
}
