import { readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { writeBlobBytes } from '../../../files/write-blob-bytes.js';
import { algorithmOf, Digester } from '../../../model/digest.js';
import { LadingError } from '../../../model/errors.js';
import { threadErrorOf } from '../../../model/thread-error.js';
import type { IngestOutcome } from '../../store.js';
import type { Answer, Copied, CopyTask, CopyWorkerData, PartTask, StoreTask } from './copy-tasks.js';
import { ingestCopy } from './ingest-copy.js';

/*
 * A thread of CopyWorkers. It copies parts of files, one after another, with blocking calls: they are faster than
 * asynchronous ones, and the thread has no other work. Small blobs come in groups, and wait for the disk together.
 * Holds one buffer, and 2 MiB more while it reads a document that is already in the store.
 */

/** Bytes that are read and written in one call. */
const CHUNK_BYTES = 512 * 1024;

const { aborted, copied } = workerData as CopyWorkerData;
const buffer = Buffer.allocUnsafeSlow(CHUNK_BYTES);

const isAborted = (): boolean => Atomics.load(aborted, 0) !== 0;

parentPort?.on('message', (message: string) => void answerAll(JSON.parse(message) as readonly CopyTask[]));

async function answerAll(tasks: readonly CopyTask[]): Promise<void> {
  parentPort?.postMessage(await Promise.all(tasks.map(answerOf)));
}

async function answerOf(task: CopyTask): Promise<Answer> {
  try {
    return 'target' in task ? { copied: copyPart(task) } : { outcome: await storeBlob(task) };
  } catch (error) {
    return { error: threadErrorOf(error as NodeJS.ErrnoException) };
  }
}

/** Copies or only hashes the part, or less if the file ends early. Returns size and digest of its bytes. */
function copyPart({ fd, start, size, algorithm, target, slot }: PartTask): Copied {
  const digester = new Digester(algorithm);
  while (digester.size < size && !isAborted()) {
    const length = Math.min(buffer.length, size - digester.size);
    const bytes = readSync(fd, buffer, 0, length, start + digester.size);
    if (bytes === 0) break;
    const chunk = buffer.subarray(0, bytes);
    digester.update(chunk);
    // Its errors are those of the store; all others are those of the source.
    if (target !== null) writeBlobBytes(target, chunk);
    if (slot !== undefined) Atomics.store(copied, slot, BigInt(digester.size));
  }
  return { size: digester.size, digest: digester.digest() };
}

/** Stores a whole blob. Another task runs only while this one waits for the disk, when the buffer is free. */
async function storeBlob({ fd, start, size, expected, file, blob }: StoreTask): Promise<IngestOutcome> {
  const algorithm = algorithmOf(expected.digest);
  return await ingestCopy({ file, claimBlobPath: () => blob, onLinked: () => {} }, expected, async (target) => {
    const part = copyPart({ fd, start, size, algorithm, target });
    if (isAborted()) throw new LadingError('ERR_ABORTED', 'the copy was aborted');
    return part;
  });
}
