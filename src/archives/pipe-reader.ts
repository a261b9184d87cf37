import { closeSync, constants, fstatSync, readSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { kernel } from '../files/kernel.js';
import { openOwnPipe } from '../files/own-pipe.js';
import { THREAD_OPTIONS } from '../files/thread-options.js';
import { LadingError } from '../model/errors.js';
import { errorOfThread } from '../model/thread-error.js';
import type { PipeAnswer, PipeTask, PipeThreadData } from './pipe-tasks.js';

/** Bytes that are read without a thread: all of a small archive is here before a thread has started. */
const FIRST_BYTES = 1024 * 1024;

/** Bytes of one such read: what a pipe holds. */
const READ_BYTES = 64 * 1024;

/** How often an empty pipe is looked at again before a thread waits for it, and after how many milliseconds. */
const LOOKS = 5;
const LOOK_MS = 1;

/**
 * A pipe that a thread reads in large pieces, forwards only. The first bytes are read without it. One call at a time. Holds up to 3 MiB, beside the thread's
 * own memory of about 10 MiB. Errors: ERR_ABORTED once it was stopped, ERR_NO_SPACE, ERR_STORE_READONLY and
 * ERR_STORAGE_IO of a file that it pours into, and those of reading.
 */
export class PipeReader {
  readonly #pipe: number;
  readonly #stopped = new Int32Array(new SharedArrayBuffer(4));
  readonly #moved = new BigInt64Array(new SharedArrayBuffer(8));
  #thread: { readonly worker: Worker; readonly ended: Promise<unknown> } | undefined;
  #bytesHere = 0;
  #waiting: { readonly resolve: (answer: PipeAnswer) => void; readonly reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;

  private constructor(pipe: number) {
    this.#pipe = pipe;
  }

  /** Undefined where it cannot be done: for anything but a pipe, without native calls, for a pipe of another user. */
  static open(fd: number): PipeReader | undefined {
    const calls = fstatSync(fd).isFIFO() ? kernel() : undefined;
    if (calls === undefined) return undefined;
    try {
      return new PipeReader(openOwnPipe(calls, fd, constants.O_RDONLY));
    } catch {
      return undefined;
    }
  }

  /** The next bytes, up to 1 MiB; none at the end of the input. */
  async read(): Promise<Buffer> {
    const first = this.#thread === undefined ? await this.#readHere() : undefined;
    if (first !== undefined) return first;
    const answer = await this.#ask({ kind: 'read' });
    if (!('chunk' in answer)) throw unexpected();
    return Buffer.from(answer.chunk.buffer, answer.chunk.byteOffset, answer.chunk.byteLength);
  }

  /** Writes the next bytes to an open file. Returns how many: fewer if the input ended. */
  async pour(target: number, bytes: number): Promise<number> {
    return await this.#count({ kind: 'pour', target, bytes });
  }

  /** Passes over the next bytes. Returns how many: fewer if the input ended. */
  async skip(bytes: number): Promise<number> {
    return await this.#count({ kind: 'skip', bytes });
  }

  /** How many bytes the call under way has poured or skipped so far. */
  get moved(): number {
    return Number(Atomics.load(this.#moved, 0));
  }

  /** Lets the call under way, and every later one, end with ERR_ABORTED within 100 ms. */
  readonly stop = (): void => void Atomics.store(this.#stopped, 0, 1);

  /** Stops, and releases the pipe and the thread. */
  async end(): Promise<void> {
    this.stop();
    // Not terminated: koffi ends the whole process if its thread is taken away in the middle of a call.
    this.#thread?.worker.postMessage('end');
    await this.#thread?.ended;
    closeSync(this.#pipe);
  }

  /** The next bytes without a thread. Undefined if there are none for some milliseconds, or were many before. */
  async #readHere(): Promise<Buffer | undefined> {
    for (let looks = 0; looks < LOOKS && this.#bytesHere < FIRST_BYTES; looks += 1) {
      if (looks > 0) await setTimeout(LOOK_MS);
      if (Atomics.load(this.#stopped, 0) !== 0) return undefined;
      const bytes = this.#readNow();
      this.#bytesHere += bytes?.length ?? 0;
      if (bytes !== undefined) return bytes;
    }
    return undefined;
  }

  #readNow(): Buffer | undefined {
    const buffer = Buffer.allocUnsafe(READ_BYTES);
    try {
      return buffer.subarray(0, readSync(this.#pipe, buffer));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
      throw error;
    }
  }

  #start(): Worker {
    const workerData: PipeThreadData = { pipe: this.#pipe, stopped: this.#stopped, moved: this.#moved };
    const worker = new Worker(new URL('pipe-thread.js', import.meta.url), { ...THREAD_OPTIONS, workerData });
    worker.on('message', (answer: PipeAnswer) => this.#waiting?.resolve(answer));
    worker.on('error', (error) => this.#fail(error));
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    void ended.then((status) => this.#fail(new Error(`it ended with status ${String(status)}`)));
    this.#thread = { worker, ended };
    return worker;
  }

  async #count(task: PipeTask): Promise<number> {
    Atomics.store(this.#moved, 0, 0n);
    const answer = await this.#ask(task);
    if (!('bytes' in answer)) throw unexpected();
    return answer.bytes;
  }

  async #ask(task: PipeTask): Promise<PipeAnswer> {
    if (this.#failure !== undefined) throw this.#failure;
    const worker = this.#thread?.worker ?? this.#start();
    const answer = await new Promise<PipeAnswer>((resolve, reject) => {
      this.#waiting = { resolve, reject };
      worker.postMessage(task);
    });
    if ('error' in answer) throw errorOfThread(answer.error);
    return answer;
  }

  #fail(cause: Error): void {
    const message = `the thread that reads the archive failed: ${cause.message}; try again`;
    this.#failure ??= new LadingError('ERR_STORAGE_IO', message, { cause });
    this.#waiting?.reject(this.#failure);
  }
}

function unexpected(): Error {
  return new Error('a thread sent another answer than the one that was asked for');
}
