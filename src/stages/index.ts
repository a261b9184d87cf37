export { Commit, type CommitOptions, type LayerProbing } from './commit.js';
export type { ArchiveContents, ArchiveFile } from './records.js';
export type { ThinList } from '../model/thin-list.js';
export { PlatformSet, type PlatformOutcome, type PlatformRequest, type UnmetPlatform } from '../model/platform-set.js';
export type { ActiveBody } from '../flow/active-bodies.js';
export type { ByteMeter } from '../model/byte-meter.js';
export type { Completeness } from '../model/completeness.js';
export type { LayerFacts } from '../layers/layer-probe.js';
export { compress, type CompressOptions } from '../compression/compress.js';
export type { CompressionName } from '../compression/compressions.js';
export { Documents, type DocumentsOptions, type OnDamage } from '../content/documents.js';
export { Decompress } from './decompress.js';
export { DedupeBlobs } from './dedupe-blobs.js';
export { FilterPlatforms, type FilterPlatformsOptions } from './filter-platforms.js';
export { ListBlobs, type ListBlobsOptions } from './list-blobs.js';
export type {
  ArchiveEntry,
  BlobNeed,
  Body,
  CommitEvent,
  EntryWatcher,
  ManifestNode,
  SelectedEntry,
  VerifiedEntry,
  SelectEntriesOptions,
  ThinWatcher,
} from './records.js';
export { SelectEntries, type SkippedEntries } from './select-entries.js';
export { Stage } from '../flow/stage.js';
export { TarExtract } from './tar-extract.js';
export { TarGuard } from './tar-guard.js';
export { TarPack } from './tar-pack.js';
export { VerifyDigests } from './verify-digests.js';
export { WalkIndex, type WalkIndexOptions } from './walk-index.js';
