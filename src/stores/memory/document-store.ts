import { MemoryStore } from './memory-store.js';

const MIB = 1024 * 1024;

/** A store that looks into an archive: it keeps what may be a document, and remembers of layers that they were there. */
export function documentStore(): MemoryStore {
  return new MemoryStore({ maxBlobBytes: 4 * MIB, maxBytes: 64 * MIB, keepOnlyDocuments: true });
}
