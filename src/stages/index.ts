export { Commit, type CommitOptions, type LayerProbing } from './commit.js';
export type { ArchiveContents } from './records.js';
export { Decompress } from './decompress.js';
export { DedupeBlobs } from './dedupe-blobs.js';
export { FilterPlatforms, type FilterPlatformsOptions } from './filter-platforms.js';
export { ListBlobs, type ListBlobsOptions } from './list-blobs.js';
export type {
  ArchiveEntry,
  BlobNeed,
  Body,
  CommitEvent,
  ManifestNode,
  SelectedEntry,
  VerifiedEntry,
} from './records.js';
export { SelectEntries, type SelectEntriesOptions, type SkippedEntries } from './select-entries.js';
export { Stage } from '../flow/stage.js';
export { TarExtract } from './tar-extract.js';
export { TarGuard } from './tar-guard.js';
export { TarPack } from './tar-pack.js';
export { VerifyDigests } from './verify-digests.js';
export { WalkIndex, type WalkIndexOptions } from './walk-index.js';
