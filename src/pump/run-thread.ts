import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { THREAD_OPTIONS } from '../files/thread-options.js';
import { errorOfThread, type ThreadError } from '../model/thread-error.js';

/** A thread of a pump. It sends numbers, and an error if it fails. */
export interface ThreadWork {
  /** The file of its script, beside this one. */
  readonly script: string;
  readonly data: object;
  /** Called for the first error, before the thread has ended. */
  readonly onFail: () => void;
  readonly onNumber?: (number: number) => void;
}

/** Runs a thread to its end. Throws its error. */
export async function runThread({ script, data, onFail, onNumber }: ThreadWork): Promise<void> {
  // One thread of a pump may still read files that another one opened and that has ended.
  const options = { ...THREAD_OPTIONS, trackUnmanagedFds: false, workerData: data };
  const worker = new Worker(new URL(script, import.meta.url), options);
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    onFail();
  };
  worker.on('message', (message: ThreadError | number) => {
    if (typeof message === 'number') onNumber?.(message);
    else fail(errorOfThread(message));
  });
  worker.on('error', fail);
  // Not terminated: koffi ends the whole process if its thread is taken away in the middle of a call.
  const [status] = (await once(worker, 'exit')) as [number];
  if (status !== 0) fail(new Error(`a thread ended with status ${status}`));
  if (failure !== undefined) throw failure;
}
