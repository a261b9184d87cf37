import { closeSync, fstatSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { digestMismatch } from '../content/mismatch.js';
import { kernel } from '../files/kernel.js';
import { algorithmOf, digestOf } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { TAR_END_BYTES, tarEntryBytes } from '../model/archive-layout.js';
import { paddingOf, TAR_BLOCK } from '../model/tar-header.js';
import { writeTarHeader, type TarHeaderFields } from '../model/tar-writer.js';
import { threadErrorOf } from '../model/thread-error.js';
import { checkBody, hashFile, openBody, readFully } from './bodies.js';
import { unpackEntries } from './packed-entries.js';
import { PipeOutput } from './pipe-output.js';
import { isLarge, PumpState, SMALL_BYTES, type BlobEntry, type WriterThreadData } from './pump-tasks.js';

/*
 * The thread that writes an archive into a pipe. It reads, hashes and packs small bodies. Large ones go from their file
 * into the pipe by splice, and the end of each waits until a thread beside has confirmed its digest. Holds 1 MiB.
 */

/** Bytes that are read and written in one call. */
const CHUNK_BYTES = 1024 * 1024;

const { shared, large, entries, pipe } = workerData as WriterThreadData;
const state = new PumpState(shared);
const calls = kernel();
if (calls === undefined) throw new Error('the thread has no native calls');
const output = new PipeOutput(
  pipe,
  calls,
  () => state.isStopped,
  (bytes) => (state.sent = bytes),
);

try {
  checkAll();
  writeAll();
} catch (error) {
  parentPort?.postMessage(threadErrorOf(error as NodeJS.ErrnoException));
}

/** Before the first byte, so that an archive that cannot be whole is not begun. */
function checkAll(): void {
  for (const entry of unpackEntries(entries)) {
    if (state.isStopped) throw notWritten();
    if ('file' in entry) checkBody(entry);
  }
}

function writeAll(): void {
  let largeAt = 0;
  for (const entry of unpackEntries(entries)) {
    if ('bytes' in entry) writeBytes(entry, entry.bytes);
    else if (!isLarge(entry)) writeSmall(entry);
    else if (large.length > 0) writeLarge(entry, largeAt++);
    else writeAlone(entry);
  }
  output.take(TAR_END_BYTES, TAR_END_BYTES).fill(0);
  output.flush();
}

/** The header, and the room for body and padding behind it. A cut before the last block of the body shows. */
function takeEntry(entry: TarHeaderFields): Buffer {
  const { size } = entry;
  const free = size === 0 ? 0 : TAR_BLOCK + Math.max(0, size - TAR_BLOCK);
  const taken = output.take(tarEntryBytes(entry.name, size), free);
  writeTarHeader(taken, entry);
  taken.fill(0, TAR_BLOCK + size);
  return taken;
}

function writeSmall(entry: BlobEntry): void {
  const { digest, size } = entry;
  const fd = openBody(entry);
  try {
    const body = takeEntry(entry).subarray(TAR_BLOCK, TAR_BLOCK + size);
    readFully(fd, body, 0, entry);
    const actual = digestOf(body, algorithmOf(digest));
    if (actual !== digest) throw digestMismatch(digest, actual);
  } finally {
    closeSync(fd);
  }
}

/** Documents that the plan made may be larger than the buffer. */
function writeBytes(entry: TarHeaderFields, bytes: Uint8Array): void {
  if (bytes.length <= SMALL_BYTES) return takeEntry(entry).set(bytes, TAR_BLOCK);
  writeHeader(entry);
  const end = bytes.length - TAR_BLOCK;
  output.write(bytes.subarray(0, end));
  takeEnd(bytes.length).set(bytes.subarray(end));
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
    writeBody(fd, entry, changed, () => hashFile(fd, entry, () => state.isStopped));
  } finally {
    closeSync(fd);
  }
}

/** `changed`: the time of the file's last change, before it was hashed. `isGood` waits for its hash. */
function writeBody(fd: number, entry: BlobEntry, changed: bigint, isGood: () => boolean): void {
  writeHeader(entry);
  const end = entry.size - TAR_BLOCK;
  copyBody(fd, entry, end);
  if (!isGood()) throw notWritten();
  // A file that was touched meanwhile may have other bytes now. A collection that moves it changes this time too.
  const isSame = fstatSync(fd, { bigint: true }).ctimeNs === changed;
  if (!isSame && !hashFile(fd, entry, () => state.isStopped)) throw notWritten();
  readFully(fd, takeEnd(entry.size).subarray(0, TAR_BLOCK), end, entry);
}

/** Writes a header and all that was gathered before it. */
function writeHeader(entry: TarHeaderFields): void {
  writeTarHeader(output.take(TAR_BLOCK, TAR_BLOCK), entry);
  output.flush();
}

/** Room for the last block of a body, and its padding. */
function takeEnd(size: number): Buffer {
  const end = output.take(TAR_BLOCK + paddingOf(size), 0);
  return end.fill(0, TAR_BLOCK);
}

/**
 * Moves the first bytes of a body into the pipe. The pipe has no copy of what was spliced: until that is read, a change
 * of the file changes it. So the last bytes, as many as the pipe holds, are read and written: when they are in the pipe,
 * nothing that was spliced is left in it. What the file system cannot splice is read and written too.
 */
function copyBody(fd: number, entry: BlobEntry, bytes: number): void {
  for (let at = output.splice(fd, bytes - output.capacity); at < bytes;) {
    const length = Math.min(CHUNK_BYTES, bytes - at);
    readFully(fd, output.take(length, length), at, entry);
    output.flush();
    at += length;
  }
}

/** Never shown: the thread that hashes says why, or the pump was stopped. */
function notWritten(): LadingError {
  return new LadingError('ERR_ABORTED', 'writing the archive was aborted');
}
