import { openNative, type Native } from './native.js';

/**
 * Linux calls that Node.js does not offer. They move bytes between a file and a pipe without a copy in this process. An
 * error has the `code`, `errno` and `syscall` that Node's own calls give it.
 */
export interface Kernel {
  /** Bytes that the pipe can hold. */
  pipeSize(fd: number): number;
  /** Lets the pipe hold at least so many bytes. Throws EPERM above the limit of the user, EBUSY for a fuller pipe. */
  setPipeSize(fd: number, bytes: number): void;
  /**
   * Moves up to `bytes` bytes from a file, from `start` on, into a pipe. Returns how many; 0 at the end of the file.
   * Never waits for room: throws EAGAIN. Throws EINVAL if the file system cannot do it.
   */
  spliceToPipe(file: number, start: number, pipe: number, bytes: number): number;
  /**
   * Moves up to `bytes` bytes from a pipe into another open file. Returns how many; 0 at the end of the input. Never
   * waits for data: throws EAGAIN. Throws EINVAL if the file cannot take it.
   */
  spliceFromPipe(pipe: number, to: number, bytes: number): number;
  /** Waits until the pipe has room or no reader. Returns false after `ms` milliseconds. */
  waitForRoom(pipe: number, ms: number): boolean;
  /** Waits until the pipe has data or no writer. Returns false after `ms` milliseconds. */
  waitForData(pipe: number, ms: number): boolean;
}

const F_SETPIPE_SZ = 1031;
const F_GETPIPE_SZ = 1032;
const SPLICE_F_MOVE = 1;
const SPLICE_F_NONBLOCK = 2;
const SPLICE_F_MORE = 4;
const POLLIN = 1;
const POLLOUT = 4;

let loaded: { readonly kernel: Kernel | undefined } | undefined;

/** The calls, or undefined where they are not to be had (see {@link openNative}). */
export function kernel(): Kernel | undefined {
  loaded ??= { kernel: load() };
  return loaded.kernel;
}

function load(): Kernel | undefined {
  const native = openNative();
  if (native === undefined) return undefined;
  try {
    const made = kernelOf(native);
    // A call that changes nothing shows whether calls work at all.
    made.waitForRoom(-1, 0);
    return made;
  } catch {
    return undefined;
  }
}

function kernelOf({ declare, checked }: Native): Kernel {
  const fcntl = declare('int fcntl(int fd, int command, ...)');
  const splice = declare(
    'int64_t splice(int from, void *fromAt, int to, void *toAt, size_t bytes, unsigned int flags)',
  );
  const poll = declare('int poll(void *fds, unsigned long count, int ms)');
  // One for all calls: they are short, and a thread makes one after another.
  const position = new BigInt64Array(1);
  const polled = Buffer.alloc(8);
  const waitFor = (pipe: number, events: number, ms: number): boolean => {
    polled.writeInt32LE(pipe, 0);
    polled.writeInt16LE(events, 4);
    return checked('poll', poll(polled, 1, ms)) > 0;
  };
  return {
    pipeSize: (fd) => checked('fcntl', fcntl(fd, F_GETPIPE_SZ)),
    setPipeSize: (fd, bytes) => void checked('fcntl', fcntl(fd, F_SETPIPE_SZ, 'int', bytes)),
    spliceToPipe: (file, start, pipe, bytes) => {
      position[0] = BigInt(start);
      const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK | SPLICE_F_MORE;
      return checked('splice', splice(file, position, pipe, null, bytes, flags));
    },
    spliceFromPipe: (pipe, to, bytes) => {
      const flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK;
      return checked('splice', splice(pipe, null, to, null, bytes, flags));
    },
    waitForRoom: (pipe, ms) => waitFor(pipe, POLLOUT, ms),
    waitForData: (pipe, ms) => waitFor(pipe, POLLIN, ms),
  };
}

/** What a pipe should hold: fewer and larger steps for both of its ends. More needs rights that few users have. */
const PIPE_BYTES = 1024 * 1024;

/** Lets a pipe hold 1 MiB. Leaves it as it is where that is refused, or where it holds more. */
export function enlargePipe(calls: Kernel, fd: number): void {
  try {
    if (calls.pipeSize(fd) < PIPE_BYTES) calls.setPipeSize(fd, PIPE_BYTES);
  } catch {
    // Of another user (EPERM), or too many large pipes of this one.
  }
}
