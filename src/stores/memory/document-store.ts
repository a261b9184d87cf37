import type { Limits } from '../../model/limits.js';
import { MemoryStore } from './memory-store.js';

const MIB = 1024 * 1024;

/** A store for looking into an archive: it keeps bytes that may be a document, and only digest and size of layers. */
export function documentStore({ maxDocumentBytes }: Pick<Limits, 'maxDocumentBytes'>): MemoryStore {
  return new MemoryStore({ maxBlobBytes: maxDocumentBytes, maxBytes: 64 * MIB, keepOnlyDocuments: true });
}
