import { closeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { digestMismatch } from '../content/mismatch.js';
import { algorithmOf, Digester } from '../model/digest.js';
import { TAR_BLOCK } from '../model/tar-header.js';
import { threadErrorOf } from '../model/thread-error.js';
import { openBody, readFully } from './bodies.js';
import { EntryWriter } from './entry-writer.js';
import type { BlobEntry, FillThreadData } from './pump-tasks.js';
import { SlotOutput } from './slot-output.js';
import { Slots } from './slots.js';

/*
 * The thread that fills slots with an archive. It hashes the very bytes that it reads into a slot, while they are in the
 * cache of the processor. The last block of each body waits for its digest. Holds the slots.
 */

const { shared, entries } = workerData as FillThreadData;
const slots = new Slots(shared);
const output = new SlotOutput(slots, (bytes) => parentPort?.postMessage(bytes));
const writer = new EntryWriter(output);
const last = Buffer.alloc(TAR_BLOCK);

try {
  writer.writeAll(entries, writeLarge, () => slots.isStopped);
} catch (error) {
  parentPort?.postMessage(threadErrorOf(error as NodeJS.ErrnoException));
}

function writeLarge(entry: BlobEntry): void {
  const fd = openBody(entry);
  try {
    writer.takeHeader(entry);
    writeBody(fd, entry);
  } finally {
    closeSync(fd);
  }
}

function writeBody(fd: number, entry: BlobEntry): void {
  const { digest, size } = entry;
  const digester = new Digester(algorithmOf(digest));
  const end = size - TAR_BLOCK;
  while (digester.size < end) {
    const piece = output.takeSome(end - digester.size);
    readFully(fd, piece, digester.size, entry);
    digester.update(piece);
  }
  readFully(fd, last, end, entry);
  digester.update(last);
  if (digester.digest() !== digest) throw digestMismatch(digest, digester.digest());
  writer.takeEnd(size).set(last);
}
