import { closeSync, fstatSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { kernel } from '../files/kernel.js';
import { TAR_BLOCK } from '../model/tar-header.js';
import { threadErrorOf } from '../model/thread-error.js';
import { hashFile, openBody, readFully } from './bodies.js';
import { EntryWriter, notWritten } from './entry-writer.js';
import { PipeOutput } from './pipe-output.js';
import { PumpState, type BlobEntry, type WriterThreadData } from './pump-tasks.js';

/*
 * The thread that writes an archive into a pipe. It reads, hashes and packs small bodies. Large ones go from their file
 * into the pipe by splice, and the end of each waits until a thread beside has confirmed its digest. Holds 1 MiB.
 */

const { shared, large, entries, pipe } = workerData as WriterThreadData;
const state = new PumpState(shared);
const calls = kernel();
if (calls === undefined) throw new Error('the thread has no native calls');
const isStopped = (): boolean => state.isStopped;
const output = new PipeOutput(pipe, calls, isStopped, (bytes) => (state.sent = bytes));
const writer = new EntryWriter(output);
let largeAt = 0;

try {
  writer.writeAll(entries, (entry) => (large.length > 0 ? writeLarge(entry, largeAt++) : writeAlone(entry)), isStopped);
} catch (error) {
  parentPort?.postMessage(threadErrorOf(error as NodeJS.ErrnoException));
}

function writeLarge(entry: BlobEntry, at: number): void {
  const opened = state.waitForFile(at);
  if (opened === undefined) throw notWritten();
  const { fd, changed } = opened;
  try {
    writeBody(fd, entry, changed, () => state.waitForVerdict(at));
  } finally {
    closeSync(fd);
    state.written(at);
  }
}

/** Writes a large body that no thread hashes: there are only a few. */
function writeAlone(entry: BlobEntry): void {
  const fd = openBody(entry);
  try {
    const changed = fstatSync(fd, { bigint: true }).ctimeNs;
    writeBody(fd, entry, changed, () => hashFile(fd, entry, isStopped));
  } finally {
    closeSync(fd);
  }
}

/** `changed`: the time of the file's last change, before it was hashed. `isGood` waits for its hash. */
function writeBody(fd: number, entry: BlobEntry, changed: bigint, isGood: () => boolean): void {
  writer.takeHeader(entry);
  // With all that was gathered before it.
  output.flush();
  const end = entry.size - TAR_BLOCK;
  copyBody(fd, entry, end);
  if (!isGood()) throw notWritten();
  // A file that was touched meanwhile may have other bytes now. A collection that moves it changes this time too.
  const isSame = fstatSync(fd, { bigint: true }).ctimeNs === changed;
  if (!isSame && !hashFile(fd, entry, isStopped)) throw notWritten();
  readFully(fd, writer.takeEnd(entry.size), end, entry);
}

/**
 * Moves the first bytes of a body into the pipe. The pipe has no copy of what was spliced: until that is read, a change
 * of the file changes it. So the last bytes, as many as the pipe holds, are read and written: when they are in the pipe,
 * nothing that was spliced is left in it. What the file system cannot splice is read and written too.
 */
function copyBody(fd: number, entry: BlobEntry, bytes: number): void {
  for (let at = output.splice(fd, bytes - output.capacity); at < bytes;) {
    const piece = output.takeSome(bytes - at);
    readFully(fd, piece, at, entry);
    output.flush();
    at += piece.length;
  }
}
