import { MemoryStore } from './memory-store.js';

const MIB = 1024 * 1024;

/** A store for looking into an archive: it keeps bytes that may be a document, and only digest and size of layers. */
export function documentStore(): MemoryStore {
  return new MemoryStore({ maxBlobBytes: 4 * MIB, maxBytes: 64 * MIB, keepOnlyDocuments: true });
}
