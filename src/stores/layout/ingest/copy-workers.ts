import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Descriptor } from '../../../model/descriptor.js';
import type { Digest, DigestAlgorithm } from '../../../model/digest.js';
import { LadingError, type ErrorCode } from '../../../model/errors.js';

/** A part of one open file that is to be written to another, and hashed. `start` and `size` in bytes. */
export interface Copy {
  readonly fd: number;
  readonly start: number;
  readonly size: number;
  readonly algorithm: DigestAlgorithm;
  readonly target: number;
}

/** A part of one open file that is to become the file `blob`, by way of the new file `file`, if it is what is expected. */
export interface Storing {
  readonly fd: number;
  readonly start: number;
  readonly size: number;
  readonly expected: Pick<Descriptor, 'digest' | 'size'>;
  readonly file: string;
  readonly blob: string;
}

export type CopyTask = Copy | Storing;

/** What was copied: fewer bytes than the part has where the file ends before, or where the copy was given up. */
export interface Copied {
  readonly size: number;
  readonly digest: Digest;
}

/** An error on its way from a thread; with `details` one of ours, without them one of the file system. */
export interface TaskError {
  readonly code: string;
  readonly message: string;
  readonly details?: Readonly<Record<string, unknown>>;
}

export type CopyAnswer =
  { readonly copied: Copied } | { readonly outcome: 'stored' | 'present' } | { readonly error: TaskError };

export interface CopyWorkerData {
  /** Not 0 once every copy is to be given up. */
  readonly aborted: Int32Array;
}

/** More threads than this wait for one disk. */
const MAX_WORKERS = 8;

/** Bytes that are worth no thread: a small image is through before one is up. */
const FIRST_BYTES = 16 * 1024 * 1024;

/** What the calls for one blob take, as the bytes that are copied in that time. */
const BLOB_BYTES = 64 * 1024;

/** Small blobs that go to a thread in one message: as many, unless they have more bytes together. */
const MAX_TOGETHER = 32;
const MAX_TOGETHER_BYTES = 1024 * 1024;

/** A thread holds one buffer and little else. */
const RESOURCE_LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4, stackSizeMb: 1 };

interface Waiting {
  readonly task: CopyTask;
  readonly resolve: (answer: CopyAnswer) => void;
  readonly reject: (error: Error) => void;
}

/** No thread could be had, or one ended in the middle of its work: the work itself is not to blame. */
export class WorkerFailure extends Error {
  override readonly name = 'WorkerFailure';
}

/**
 * Threads that copy parts of files and hash them, as many as there are cores, each started when there is work for it: large
 * parts one by one into files that are open, small ones many at once, as whole blobs. A thread that ends by itself fails what
 * it was doing and everything after it, with a WorkerFailure. Holds 512 KiB for each thread, and what a thread takes, some
 * 10 MiB.
 */
export class CopyWorkers {
  readonly #max: number;
  readonly #script: URL;
  readonly #aborted = new Int32Array(new SharedArrayBuffer(4));
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #busy = new Map<Worker, readonly Waiting[]>();
  #queue: Waiting[] = [];
  #isScheduled = false;
  #failure: WorkerFailure | undefined;
  #bytes = 0;
  #isOver = false;

  /** `script`: what the threads run. */
  constructor(max = availableParallelism(), script = new URL('copy-worker.js', import.meta.url)) {
    this.#max = Math.min(max, MAX_WORKERS);
    this.#script = script;
  }

  /** Whether a part should go to a thread, where all those before it are counted in. */
  isWorth(bytes: number): boolean {
    this.#bytes += bytes + BLOB_BYTES;
    return this.#max > 0 && this.#failure === undefined && this.#bytes > FIRST_BYTES;
  }

  /** Copies when there is a thread for it. Throws a WorkerFailure, and errors of the file system with their code. */
  async copy(copy: Copy): Promise<Copied> {
    const answer = await this.#ask(copy);
    if ('copied' in answer) return answer.copied;
    throw errorOf(answer);
  }

  /** Stores when there is a thread for it. Throws a WorkerFailure, what `Ingest.commit` throws, and ERR_ABORTED. */
  async store(storing: Storing): Promise<'stored' | 'present'> {
    const answer = await this.#ask(storing);
    if ('outcome' in answer) return answer.outcome;
    throw errorOf(answer);
  }

  /** Lets every copy end where it is, short. */
  abort(): void {
    Atomics.store(this.#aborted, 0, 1);
  }

  /** Ends the threads. Nothing may be on its way. */
  async end(): Promise<void> {
    this.#isOver = true;
    this.#failure ??= new WorkerFailure('the threads were ended');
    await Promise.all([...this.#all].map(async (worker) => await worker.terminate()));
  }

  async #ask(task: CopyTask): Promise<CopyAnswer> {
    if (this.#failure !== undefined) throw this.#failure;
    return await new Promise<CopyAnswer>((resolve, reject) => {
      this.#queue.push({ task, resolve, reject });
      this.#schedule();
    });
  }

  /** Small blobs that come in one turn of the event loop are to go together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#next());
    });
  }

  /** Gives a thread what is next. False where no thread is free, or where there is nothing more to do. */
  #next(): boolean {
    if (this.#queue.length === 0) return false;
    const worker = this.#idle.pop() ?? (this.#isBehind() ? this.#start() : undefined);
    if (worker === undefined) return false;
    const together = this.#takeTogether();
    this.#busy.set(worker, together);
    // As one text: to clone many small objects takes several times as long.
    worker.postMessage(JSON.stringify(together.map(({ task }) => task)));
    return true;
  }

  /** Whether one more thread would have work. Of small blobs one thread stores more than are told of in that time. */
  #isBehind(): boolean {
    return this.#all.size === 0 || this.#queue.some(({ task }) => 'target' in task);
  }

  /** The next large part alone, or the small ones up to the next large one. */
  #takeTogether(): readonly Waiting[] {
    let bytes = 0;
    const end = this.#queue.findIndex(({ task }, at) => {
      bytes += task.size;
      return at > 0 && ('target' in task || at >= MAX_TOGETHER || bytes > MAX_TOGETHER_BYTES);
    });
    const isAlone = this.#queue[0] !== undefined && 'target' in this.#queue[0].task;
    return this.#queue.splice(0, isAlone ? 1 : end === -1 ? this.#queue.length : end);
  }

  #start(): Worker | undefined {
    if (this.#all.size >= this.#max || this.#failure !== undefined) return undefined;
    try {
      const workerData: CopyWorkerData = { aborted: this.#aborted };
      // Without streams of its own: a thread that shares stdout may make a pipe there non-blocking.
      const options = { workerData, stdout: true, stderr: true, execArgv: [], resourceLimits: RESOURCE_LIMITS };
      const worker = new Worker(this.#script, options);
      this.#all.add(worker);
      worker.on('message', (answers: readonly CopyAnswer[]) => this.#done(worker, answers));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', (code) => this.#ended(worker, code));
      return worker;
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
  }

  #done(worker: Worker, answers: readonly CopyAnswer[]): void {
    const together = this.#busy.get(worker) ?? [];
    this.#busy.delete(worker);
    this.#idle.push(worker);
    this.#next();
    for (const [at, { resolve }] of together.entries()) resolve(answers[at] as CopyAnswer);
  }

  #ended(worker: Worker, code: number): void {
    this.#all.delete(worker);
    if (!this.#isOver) this.#fail(new Error(`it ended with status ${code}`));
  }

  #fail(cause: Error): void {
    this.#failure ??= new WorkerFailure(`a thread failed: ${cause.message}`, { cause });
    const failed = [...this.#queue, ...[...this.#busy.values()].flat()];
    this.#queue = [];
    this.#busy.clear();
    const failure = this.#failure;
    // Not before every thread is at rest: what it writes to may be closed then, and its number be that of another file.
    void this.end().then(() => failed.forEach(({ reject }) => reject(failure)));
  }
}

function errorOf(answer: CopyAnswer): Error {
  const { code, message, details } =
    'error' in answer ? answer.error : { code: '', message: 'a thread answered nothing' };
  if (details !== undefined) return new LadingError(code as ErrorCode, message, { details });
  return Object.assign(new Error(message), { code });
}
