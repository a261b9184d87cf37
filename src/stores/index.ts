export type { MemoryStoreOptions } from './memory/memory-ingest.js';
export { MemoryStore } from './memory/memory-store.js';
export { OciLayoutStore, type OpenStoreOptions } from './layout/oci-layout-store.js';
export type { Amount, HeldBlobs, PruneOptions, PruneReport } from './prune-report.js';
export type {
  DestinationSession,
  EndOptions,
  ExpectedContent,
  Housekeeping,
  ImageDestination,
  ImageListChange,
  ImageSource,
  Ingest,
  IngestOutcome,
  PartCopies,
  SourceReader,
  Store,
  Transfers,
} from './store.js';
export { withReads, type PassBytes } from './with-reads.js';
export type { ContentProvider, FoundBlob, OpenOptions } from '../content/content-provider.js';
export { contentKindOf, type ByteRange, type Content, type ContentKind } from '../model/content.js';
export { Documents, type DocumentsOptions, type OnDamage } from '../content/documents.js';
export type { FilePart, PouredPart, SharedFile } from '../files/file-part.js';
export type { OpenableFile } from '../files/read-file.js';
export type { ByteMeter } from '../model/byte-meter.js';
export type { Digester } from '../model/digest.js';
