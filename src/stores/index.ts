export type { MemoryStoreOptions } from './memory/memory-ingest.js';
export { MemoryStore } from './memory/memory-store.js';
export { OciLayoutStore, type OpenStoreOptions } from './layout/oci-layout-store.js';
export type { Amount, HeldBlobs, PruneOptions, PruneReport } from './prune-report.js';
export type { ImageListChange, Ingest, Store, StoreReader, StoreSession } from './store.js';
export type { ContentProvider } from '../content/content-provider.js';
export type { ByteRange } from '../model/content.js';
export { Documents, type DocumentsOptions, type OnDamage } from '../content/documents.js';
