import { constants, openSync } from 'node:fs';
import { LadingError } from '../model/errors.js';
import { enlargePipe, type Kernel } from './kernel.js';

/** How long a call may wait before it looks whether it was stopped, in milliseconds. */
export const STOP_CHECK_MS = 100;

/**
 * Opens the pipe behind a descriptor once more, as a description of our own, and lets it hold 1 MiB. Only this
 * description becomes non-blocking, not the one that other processes share. `access`: O_RDONLY or O_WRONLY. Throws the
 * errors of open(2), for a pipe of another user too.
 */
export function openOwnPipe(calls: Kernel, fd: number, access: number): number {
  const pipe = openSync(`/proc/self/fd/${fd}`, access | constants.O_NONBLOCK);
  enlargePipe(calls, pipe);
  return pipe;
}

/** How a thread waits for its pipe. `doing` goes before "was aborted" in the message. */
export interface Waiting {
  readonly wait: (ms: number) => void;
  readonly isStopped: () => boolean;
  readonly doing: string;
}

/** Whether the call may succeed when it is made once more: the pipe was not ready, or a signal came. */
function isAgain(error: unknown): boolean {
  return ['EAGAIN', 'EINTR'].includes((error as NodeJS.ErrnoException).code ?? '');
}

/** The result of a call on a non-blocking pipe, once the pipe is ready for it. Throws ERR_ABORTED if it was stopped. */
export function whenReady(call: () => number, { wait, isStopped, doing }: Waiting): number {
  for (;;) {
    if (isStopped()) throw new LadingError('ERR_ABORTED', `${doing} was aborted`);
    try {
      return call();
    } catch (error) {
      if (!isAgain(error)) throw error;
    }
    try {
      wait(STOP_CHECK_MS);
    } catch (error) {
      if (!isAgain(error)) throw error;
    }
  }
}
