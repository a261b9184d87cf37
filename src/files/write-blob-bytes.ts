import { writeSync } from 'node:fs';
import { storageError } from './storage-error.js';

/** Writes all bytes of a blob to an open file of the store, by blocking calls. Throws as `storageError` says. */
export function writeBlobBytes(fd: number, bytes: Uint8Array): void {
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
  } catch (error) {
    throw storageError(error, 'cannot write a blob');
  }
}
