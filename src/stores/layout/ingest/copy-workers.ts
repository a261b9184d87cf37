import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { THREAD_OPTIONS } from '../../../files/thread-options.js';
import { errorOfThread } from '../../../model/thread-error.js';
import type { IngestOutcome } from '../../store.js';
import type { ByteMeter } from '../../../model/byte-meter.js';
import {
  SLOTS,
  type Answer,
  type Copied,
  type CopyTask,
  type CopyWorkerData,
  type PartTask,
  type StoreTask,
} from './copy-tasks.js';

/** More threads than this would only wait for the disk. */
const MAX_WORKERS = 8;

/** Up to this total no thread is used: the copy ends before a thread has started. */
const FIRST_BYTES = 16 * 1024 * 1024;

/** The cost of the system calls for one blob, as the number of bytes that could be copied in that time. */
const BLOB_BYTES = 64 * 1024;

/** The largest number of small blobs in one message to a thread, and of their bytes together. */
const MAX_TOGETHER = 32;
const MAX_TOGETHER_BYTES = 1024 * 1024;

interface Waiting {
  readonly task: CopyTask;
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** A thread could not start, or ended in the middle of its work. The same work may succeed without a thread. */
export class WorkerFailure extends Error {
  override readonly name = 'WorkerFailure';
}

/** `ended`: by the caller. `failed`: by a thread. Both refuse more work with `failure`. */
type Phase = { readonly kind: 'open' } | { readonly kind: 'ended' | 'failed'; readonly failure: WorkerFailure };

/**
 * Threads that copy and hash parts of files, at most one for each core, started on demand. Large parts go one by one
 * into open files; small parts go in groups, as whole blobs. If a thread ends by itself, its tasks and all later ones
 * fail with a WorkerFailure. Holds 512 KiB for each thread, beside the thread's own memory of about 10 MiB.
 */
export class CopyWorkers {
  readonly #max: number;
  readonly #script: URL;
  readonly #aborted = new Int32Array(new SharedArrayBuffer(4));
  readonly #copied = new BigInt64Array(new SharedArrayBuffer(8 * SLOTS));
  readonly #freeSlots = Array.from({ length: SLOTS }, (_, slot) => slot);
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #busy = new Map<Worker, readonly Waiting[]>();
  #queue: Waiting[] = [];
  #isScheduled = false;
  #phase: Phase = { kind: 'open' };
  #bytes = 0;

  /** `script`: the module that the threads run. */
  constructor(max = availableParallelism(), script = new URL('copy-worker.js', import.meta.url)) {
    this.#max = Math.min(max, MAX_WORKERS);
    this.#script = script;
  }

  /** Whether a part should go to a thread. Counts the bytes of all parts so far. */
  isWorth(bytes: number): boolean {
    this.#bytes += bytes + BLOB_BYTES;
    return this.#max > 0 && this.#phase.kind === 'open' && this.#bytes > FIRST_BYTES;
  }

  /**
   * Copies as soon as a thread is free; the meter follows that. Throws a WorkerFailure, and errors of the file system with
   * their code.
   */
  async copy(task: PartTask, meter?: ByteMeter): Promise<Copied> {
    const answer = meter === undefined ? await this.#ask(task) : await this.#metered(task, meter);
    if ('copied' in answer) return answer.copied;
    throw errorOf(answer);
  }

  async #metered(task: PartTask, meter: ByteMeter): Promise<Answer> {
    const slot = this.#freeSlots.pop();
    if (slot === undefined) return await this.#ask(task);
    Atomics.store(this.#copied, slot, 0n);
    meter.follow(() => Number(Atomics.load(this.#copied, slot)));
    try {
      return await this.#ask({ ...task, slot });
    } finally {
      // The slot is another part's from now on.
      const bytes = meter.bytes;
      meter.follow(() => bytes);
      this.#freeSlots.push(slot);
    }
  }

  /** Stores as soon as a thread is free. Throws a WorkerFailure, what `Ingest.commit` throws, and ERR_ABORTED. */
  async store(task: StoreTask): Promise<IngestOutcome> {
    const answer = await this.#ask(task);
    if ('outcome' in answer) return answer.outcome;
    throw errorOf(answer);
  }

  /** Makes every copy end early, with the bytes copied so far. */
  abort(): void {
    Atomics.store(this.#aborted, 0, 1);
  }

  /** Ends the threads. No task may be running. */
  async end(): Promise<void> {
    this.#close('ended', new WorkerFailure('the threads were ended'));
    await this.#terminate();
  }

  async #ask(task: CopyTask): Promise<Answer> {
    if (this.#phase.kind !== 'open') throw this.#phase.failure;
    return await new Promise<Answer>((resolve, reject) => {
      this.#queue.push({ task, resolve, reject });
      this.#schedule();
    });
  }

  /** Waits for the end of this turn of the event loop, so that its small blobs go together. */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      while (this.#next());
    });
  }

  /** Sends the next tasks to a thread. Returns false if no thread is free or no task waits. */
  #next(): boolean {
    if (this.#queue.length === 0) return false;
    const worker = this.#idle.pop() ?? (this.#isBehind() ? this.#start() : undefined);
    if (worker === undefined) return false;
    const together = this.#takeTogether();
    this.#busy.set(worker, together);
    // As one string: cloning many small objects takes several times as long.
    worker.postMessage(JSON.stringify(together.map(({ task }) => task)));
    return true;
  }

  /** Whether one more thread would help. One thread stores small blobs faster than they can be sent to it. */
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
    if (this.#all.size >= this.#max || this.#phase.kind !== 'open') return undefined;
    try {
      const workerData: CopyWorkerData = { aborted: this.#aborted, copied: this.#copied };
      const worker = new Worker(this.#script, { ...THREAD_OPTIONS, workerData });
      this.#all.add(worker);
      worker.on('message', (answers: readonly Answer[]) => this.#done(worker, answers));
      worker.on('error', (error) => this.#fail(error));
      worker.on('exit', (code) => this.#ended(worker, code));
      return worker;
    } catch (error) {
      this.#fail(error as Error);
      return undefined;
    }
  }

  #done(worker: Worker, answers: readonly Answer[]): void {
    const together = this.#busy.get(worker) ?? [];
    this.#busy.delete(worker);
    this.#idle.push(worker);
    this.#next();
    for (const [at, { resolve }] of together.entries()) resolve(answers[at] as Answer);
  }

  #ended(worker: Worker, code: number): void {
    this.#all.delete(worker);
    if (this.#phase.kind === 'open') this.#fail(new Error(`it ended with status ${code}`));
  }

  #fail(cause: Error): void {
    const failure = this.#close('failed', new WorkerFailure(`a thread failed: ${cause.message}`, { cause }));
    const failed = [...this.#queue, ...[...this.#busy.values()].flat()];
    this.#queue = [];
    this.#busy.clear();
    // Reject only after every thread has ended: the caller then closes the files that the threads write to.
    void this.#terminate().then(() => failed.forEach(({ reject }) => reject(failure)));
  }

  /** Refuses more work from now on. Returns the failure of the first call. */
  #close(kind: 'ended' | 'failed', failure: WorkerFailure): WorkerFailure {
    if (this.#phase.kind === 'open') this.#phase = { kind, failure };
    return this.#phase.failure;
  }

  async #terminate(): Promise<void> {
    await Promise.all([...this.#all].map(async (worker) => await worker.terminate()));
  }
}

function errorOf(answer: Answer): Error {
  return errorOfThread('error' in answer ? answer.error : { code: '', message: 'a thread sent no answer' });
}
