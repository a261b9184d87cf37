import { entryNameOf } from '../../src/model/archive-layout.js';
import { digestOf } from '../../src/model/digest.js';
import type { ArchiveEntry } from '../../src/stages/records.js';
import { seededBytes } from '../fixtures/seeded.js';

/** Makes entry bodies, and counts how many are open and how many chunks were taken. */
export class Bodies {
  open = 0;
  chunks = 0;

  /** A body of these chunks. It counts as open from its first chunk to its end. */
  async *of(...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    this.open += 1;
    try {
      for (const part of parts) {
        this.chunks += 1;
        yield part;
      }
    } finally {
      this.open -= 1;
    }
  }

  /** A body that fails after its chunks. */
  async *failing(error: Error, ...parts: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
    yield* this.of(...parts);
    throw error;
  }

  /** A file entry of some bytes, cut into chunks of `chunkBytes`. */
  entry(name: string, bytes: Uint8Array, chunkBytes = 64 * 1024): ArchiveEntry {
    return { name, type: 'file', size: bytes.length, body: this.of(...cut(bytes, chunkBytes)) };
  }

  /** Blob entries of seeded bytes with their right names, forever. */
  *blobs(bytes = 1000): Generator<ArchiveEntry> {
    for (let at = 0; ; at += 1) {
      const content = seededBytes(`blob-${at}`, bytes);
      yield this.entry(entryNameOf(digestOf(content)), content);
    }
  }
}

/** The bytes in pieces of one size; the last may be shorter. */
export function cut(bytes: Uint8Array, size: number): Uint8Array[] {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += size) parts.push(bytes.subarray(at, at + size));
  return parts;
}

/** The first of some records. */
export function* first<T>(count: number, records: Iterable<T>): Generator<T> {
  let left = count;
  for (const record of records) {
    if (left <= 0) return;
    left -= 1;
    yield record;
  }
}
