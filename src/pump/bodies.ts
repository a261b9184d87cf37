import { closeSync, lstatSync, readSync } from 'node:fs';
import { digestMismatch, removedSince, sizeChanged, sizeMismatch } from '../content/mismatch.js';
import { notInStore, openBlob } from '../files/open-blob.js';

import { isNotFound, readError } from '../files/storage-error.js';
import { algorithmOf, Digester, type Digest } from '../model/digest.js';
import type { BlobEntry } from './pump-tasks.js';

/** Bytes that are read in one call. */
const CHUNK_BYTES = 1024 * 1024;

/** Opens the file of a body. Throws ERR_SIZE_MISMATCH, ERR_BLOB_MISSING, ERR_STORE_TAMPERED, ERR_STORAGE_IO. */
export function openBody({ file, digest, size }: BlobEntry): number {
  try {
    const opened = openBlob(file, digest);
    if (opened.size === size) return opened.fd;
    closeSync(opened.fd);
    throw sizeMismatch({ digest, size }, opened.size);
  } catch (error) {
    throw isNotFound(error) ? notInStore(digest) : readError(error, `cannot read blob ${digest}`);
  }
}

/** Refuses a body that was removed or changed since the plan was made. Throws ERR_BLOB_MISSING, ERR_SIZE_MISMATCH. */
export function checkBody({ file, digest, size }: BlobEntry): void {
  const found = lstatSync(file, { throwIfNoEntry: false });
  if (found === undefined) throw removedSince(digest);
  // What is no file is refused when it is opened.
  if (found.isFile() && found.size !== size) throw sizeChanged({ digest, size }, found.size);
}

let buffer: Buffer | undefined;

/**
 * Hashes an open file from its start. Returns false if it was stopped. Throws ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH,
 * ERR_STORAGE_IO.
 */
export function hashFile(fd: number, { digest, size }: BlobEntry, isStopped: () => boolean): boolean {
  buffer ??= Buffer.allocUnsafeSlow(CHUNK_BYTES);
  const digester = new Digester(algorithmOf(digest));
  while (digester.size < size) {
    if (isStopped()) return false;
    const bytes = readAt(fd, buffer.subarray(0, Math.min(CHUNK_BYTES, size - digester.size)), digester.size, digest);
    if (bytes === 0) throw sizeMismatch({ digest, size }, digester.size);
    digester.update(buffer.subarray(0, bytes));
  }
  if (digester.digest() !== digest) throw digestMismatch(digest, digester.digest());
  return true;
}

/** Fills the target from a position of the file. Throws ERR_SIZE_MISMATCH if the file ends before, ERR_STORAGE_IO. */
export function readFully(fd: number, target: Buffer, start: number, { digest, size }: BlobEntry): void {
  for (let at = 0; at < target.length;) {
    const bytes = readAt(fd, target.subarray(at), start + at, digest);
    if (bytes === 0) throw sizeMismatch({ digest, size }, start + at);
    at += bytes;
  }
}

function readAt(fd: number, target: Buffer, position: number, digest: Digest): number {
  try {
    return readSync(fd, target, 0, target.length, position);
  } catch (error) {
    throw readError(error, `cannot read blob ${digest}`);
  }
}
