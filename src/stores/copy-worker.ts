import { readSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Digester } from '../model/digest.js';
import type { Copied, CopyAnswer, CopyTask, CopyWorkerData } from './copy-workers.js';

/*
 * The thread of CopyWorkers. It copies parts of files, one after another, by blocking calls: that is faster than to wait for
 * each, and nobody else waits for this thread. Holds one buffer.
 */

/** Bytes that are read and written in one call. */
const CHUNK_BYTES = 512 * 1024;

const { aborted } = workerData as CopyWorkerData;
const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);

parentPort?.on('message', (task: CopyTask) => parentPort?.postMessage(answerOf(task)));

function answerOf(task: CopyTask): CopyAnswer {
  try {
    return { id: task.id, ...copy(task) };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    return { id: task.id, error: { code, message } };
  }
}

/** Copies as much of the part as there is, and tells what it hashed to. */
function copy({ fd, start, size, algorithm, target }: CopyTask): Copied {
  const digester = new Digester(algorithm);
  while (digester.size < size && Atomics.load(aborted, 0) === 0) {
    const length = Math.min(buffer.length, size - digester.size);
    const bytes = readSync(fd, buffer, 0, length, start + digester.size);
    if (bytes === 0) break;
    const chunk = buffer.subarray(0, bytes);
    digester.update(chunk);
    writeAll(target, chunk);
  }
  return { size: digester.size, digest: digester.digest() };
}

function writeAll(fd: number, chunk: Buffer): void {
  for (let at = 0; at < chunk.length;) at += writeSync(fd, chunk, at);
}
