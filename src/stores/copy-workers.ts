import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Digest, DigestAlgorithm } from '../model/digest.js';

/** A part of one open file that is to be written to another, and hashed. `start` and `size` in bytes. */
export interface Copy {
  readonly fd: number;
  readonly start: number;
  readonly size: number;
  readonly algorithm: DigestAlgorithm;
  readonly target: number;
}

export type CopyTask = Copy & { readonly id: number };

/** What was copied: fewer bytes than the part has where the file ends before, or where the copy was given up. */
export interface Copied {
  readonly size: number;
  readonly digest: Digest;
}

export type CopyAnswer = { readonly id: number } & (
  Copied | { readonly error: { readonly code: string; readonly message: string } }
);

export interface CopyWorkerData {
  /** Not 0 once every copy is to be given up. */
  readonly aborted: Int32Array;
}

/** More threads than this wait for one disk. */
const MAX_WORKERS = 8;

/** Bytes of large blobs that are worth no thread: a small image is through before one is up. */
const FIRST_BYTES = 16 * 1024 * 1024;

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
 * Threads that copy parts of files and hash them, as many as there are cores, each started when there is work for it. A thread
 * that ends by itself fails what it was doing and everything after it, with a WorkerFailure. Holds 512 KiB for each thread, and
 * what a thread takes, some 8 MiB.
 */
export class CopyWorkers {
  readonly #max: number;
  readonly #script: URL;
  readonly #aborted = new Int32Array(new SharedArrayBuffer(4));
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #busy = new Map<number, Waiting & { readonly worker: Worker }>();
  #queue: Waiting[] = [];
  #failure: WorkerFailure | undefined;
  #tasks = 0;
  #bytes = 0;
  #isOver = false;

  /** `script`: what the threads run. */
  constructor(max = availableParallelism(), script = new URL('copy-worker.js', import.meta.url)) {
    this.#max = Math.min(max, MAX_WORKERS);
    this.#script = script;
  }

  /** Whether a large blob should go to a thread, where all those before it are counted in. */
  isWorth(bytes: number): boolean {
    this.#bytes += bytes;
    return this.#max > 0 && this.#failure === undefined && this.#bytes > FIRST_BYTES;
  }

  /** Copies when there is a thread for it. Throws a WorkerFailure, and errors of the file system with their code. */
  async copy(copy: Copy): Promise<Copied> {
    if (this.#failure !== undefined) throw this.#failure;
    const task = { ...copy, id: (this.#tasks += 1) };
    const answer = await new Promise<CopyAnswer>((resolve, reject) => {
      this.#queue.push({ task, resolve, reject });
      this.#next();
    });
    if (!('error' in answer)) return { size: answer.size, digest: answer.digest };
    throw Object.assign(new Error(answer.error.message), { code: answer.error.code });
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

  #next(): void {
    const worker = this.#idle.pop() ?? this.#start();
    const next = worker && this.#queue.shift();
    if (worker === undefined) return;
    if (next === undefined) return void this.#idle.push(worker);
    this.#busy.set(next.task.id, { ...next, worker });
    worker.postMessage(next.task);
  }

  #start(): Worker | undefined {
    if (this.#queue.length === 0 || this.#all.size >= this.#max || this.#failure !== undefined) return undefined;
    try {
      const workerData: CopyWorkerData = { aborted: this.#aborted };
      // Without streams of its own: a thread that shares stdout may make a pipe there non-blocking.
      const options = { workerData, stdout: true, stderr: true, execArgv: [], resourceLimits: RESOURCE_LIMITS };
      const worker = new Worker(this.#script, options);
      this.#all.add(worker);
      worker.on('message', (answer: CopyAnswer) => this.#done(worker, answer));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', (code) => this.#ended(worker, code));
      return worker;
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
  }

  #done(worker: Worker, answer: CopyAnswer): void {
    const waiting = this.#busy.get(answer.id);
    this.#busy.delete(answer.id);
    this.#idle.push(worker);
    waiting?.resolve(answer);
    this.#next();
  }

  #ended(worker: Worker, code: number): void {
    this.#all.delete(worker);
    if (!this.#isOver) this.#fail(new Error(`it ended with status ${code}`));
  }

  #fail(cause: Error): void {
    this.#failure ??= new WorkerFailure(`a thread failed: ${cause.message}`, { cause });
    const failed = [...this.#queue, ...this.#busy.values()];
    this.#queue = [];
    this.#busy.clear();
    const failure = this.#failure;
    // Not before every thread is at rest: what it writes to may be closed then, and its number be that of another file.
    void this.end().then(() => failed.forEach(({ reject }) => reject(failure)));
  }
}
