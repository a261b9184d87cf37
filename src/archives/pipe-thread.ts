import { openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { kernel } from '../files/kernel.js';
import { whenReady, type Waiting } from '../files/own-pipe.js';
import { writeBlobBytes } from '../files/write-blob-bytes.js';
import { threadErrorOf } from '../model/thread-error.js';
import type { PipeAnswer, PipeTask, PipeThreadData } from './pipe-tasks.js';

/*
 * The thread of a PipeReader. It reads a pipe in large pieces: for the reader, into open files, or to nowhere without a
 * copy in this process. Holds two buffers of 1 MiB.
 */

/** Bytes that one call reads or moves at most: all that an enlarged pipe holds. */
const CHUNK_BYTES = 1024 * 1024;

/** Fewer bytes are copied before they are handed over, so that a slow input takes no buffer for each read. */
const COPIED_BYTES = 128 * 1024;

const { pipe, stopped, moved } = workerData as PipeThreadData;
const calls = kernel();
if (calls === undefined) throw new Error('the thread has no native calls');
const native = calls;
let buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
let nowhere: number | undefined;

const WAITING: Waiting = {
  wait: (ms) => native.waitForData(pipe, ms),
  isStopped: () => Atomics.load(stopped, 0) !== 0,
  doing: 'reading the archive',
};

parentPort?.on('message', (task: PipeTask | 'end') => {
  if (task === 'end') return parentPort?.close();
  const answer = answerOf(task);
  const handedOver = 'chunk' in answer && answer.chunk.byteLength > 0 ? [answer.chunk.buffer] : [];
  parentPort?.postMessage(answer, handedOver);
});

function answerOf(task: PipeTask): PipeAnswer {
  try {
    if (task.kind === 'read') return { chunk: read() };
    return { bytes: task.kind === 'pour' ? pour(task.target, task.bytes) : skip(task.bytes) };
  } catch (error) {
    return { error: threadErrorOf(error as NodeJS.ErrnoException) };
  }
}

function read(): Uint8Array<ArrayBuffer> {
  const bytes = whenData(() => readSync(pipe, buffer));
  // The answer takes its memory away from this thread.
  if (bytes <= COPIED_BYTES) return new Uint8Array(buffer.subarray(0, bytes));
  const full = buffer;
  buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);
  return new Uint8Array(full.buffer, full.byteOffset, bytes);
}

function pour(target: number, bytes: number): number {
  let poured = 0;
  while (poured < bytes) {
    const length = Math.min(buffer.length, bytes - poured);
    const last = whenData(() => readSync(pipe, buffer, 0, length, null));
    if (last === 0) break;
    // Its errors are those of the store; all others are those of the input.
    writeBlobBytes(target, buffer.subarray(0, last));
    poured += last;
    Atomics.store(moved, 0, BigInt(poured));
  }
  return poured;
}

function skip(bytes: number): number {
  const to = (nowhere ??= openSync('/dev/null', 'w'));
  let skipped = 0;
  while (skipped < bytes) {
    const last = whenData(() => native.spliceFromPipe(pipe, to, Math.min(CHUNK_BYTES, bytes - skipped)));
    if (last === 0) break;
    skipped += last;
    Atomics.store(moved, 0, BigInt(skipped));
  }
  return skipped;
}

function whenData(call: () => number): number {
  return whenReady(call, WAITING);
}
