export { MemoryStore, type MemoryStoreOptions } from './memory-store.js';
export { OciLayoutStore, type OpenStoreOptions } from './oci-layout-store.js';
export type {
  ByteRange,
  ContentProvider,
  ImageListChange,
  Ingest,
  PruneOptions,
  PruneReport,
  Store,
  StoreReader,
  StoreSession,
} from './ports.js';
export { findConfig, findIndex, findManifest } from './read-document.js';
