export { removeImages, type RemoveOptions, type RemoveReport } from './edit/remove-images.js';
export { removePlatforms, type RemovePlatformsOptions } from './edit/remove-platforms.js';
export { tagImage, type TagOptions, type TagReport } from './edit/tag-image.js';
export {
  describeImages,
  manifestsFor,
  type DescribeOptions,
  type DescribedRoot,
  type ImageDescription,
} from './inspect/describe-images.js';
export type { ManifestDescription } from './inspect/describe-manifests.js';
export { DescriptionCache } from './inspect/description-cache.js';
export { exportImages, type ExportImagesOptions } from './export/export-images.js';
export { writeArchive, type WriteArchiveOptions } from './export/write-archive.js';
export { hostPlatform } from './survey/host-platform.js';
export { inspectArchive, type ArchiveInspection, type InspectArchiveOptions } from './inspect/inspect-archive.js';
export type { ThinReport } from './load/thin-report.js';
export type { ListedSignature } from './inspect/listed-signatures.js';
export {
  inspectImages,
  type ImageInspection,
  type InspectOptions,
  type PlatformInspection,
  type ReferrerReport,
} from './inspect/inspect-images.js';
export { inspectionReportOf, type InspectionReport } from './inspect/inspection-report.js';
export type { InspectionSummary, SharedLayer } from './inspect/sharing.js';
export type { BlobReport, BlobState, LayerReport, PlatformFacts } from './inspect/platform-facts.js';
export { PAGE_POLICY } from './page/page-frame.js';
export { storePage, type StoredImage } from './page/store-page.js';
export { inspectionPage, type InspectionPageOptions } from './page/inspection-page.js';
export type { FactsOptions, ImageFacts } from './inspect/image-facts.js';
export { listArchive, type ListArchiveOptions } from './inspect/list-archive.js';
export {
  listArchiveLayers,
  listLayers,
  type ListArchiveLayersOptions,
  type ListLayersOptions,
} from './inspect/list-layers.js';
export { formatLayerList, parseLayerList } from './model/layer-list.js';
export { listImages, type ImageListing, type ListedImage, type ListImagesOptions } from './inspect/list-images.js';
export type { ListOptions } from './survey/tolerant-survey.js';
export type { MissingPlatforms } from './survey/judge-platforms.js';
export { loadImages, type LoadOptions } from './load/load-images.js';
export type { BeforeCommit } from './load/before-commit.js';
export type { LoadBlob, LoadGraph, LoadImage, LoadPlatform, LoadReferrer } from './load/load-graph.js';
export type { LoadReport } from './load/load-report.js';
export type { ArchiveSource } from './archives/open-archive.js';
export type { DescriptorSource, LoadSource } from './load/archive-entries.js';
export type { IndexPolicy } from './export/choose-roots.js';
export type { PlatformState } from './model/completeness.js';
export type { Descriptor } from './model/descriptor.js';
export type { ByteMeter } from './model/byte-meter.js';
export { algorithmOf, digestOf, parseDigest, type Digest, type DigestAlgorithm } from './model/digest.js';
export { jsonLine } from './model/json-line.js';
export {
  ERROR_CODES,
  isDamage,
  LadingError,
  type ErrorCategory,
  type ErrorCode,
  type LadingErrorOptions,
} from './model/errors.js';
export { diffIdsOf, type ImageConfig } from './model/image-config.js';
export { historyOf, type HistoryStep } from './model/image-history.js';
export type { ImageIndex } from './model/image-index.js';
export type { ImageManifest } from './model/image-manifest.js';
export type { KeptRoot } from './model/kept-parts.js';
export type { JsonObject } from './model/json.js';
export type { ImageRecord, NameMove, OnConflict } from './model/image-list.js';
export { resolveRecords, type Untagged } from './model/resolve-records.js';
export { DEFAULT_LIMITS, type Limits } from './model/limits.js';
export {
  PROGRESS_SCHEMA,
  type ActiveBlob,
  type BlobEvent,
  type BytesEvent,
  type EndEvent,
  type OnProgress,
  type ProgressError,
  type ProgressEvent,
  type ProgressImage,
  type ProgressKind,
  type ProgressOperation,
  type StartEvent,
  type WarningEvent,
} from './model/progress-event.js';
export type { ReferrerPolicy } from './model/wanted-blobs.js';
export { anyOf, anyPlatform, compatibleWith, exactly, type PlatformMatcher } from './model/platform-matcher.js';
export {
  formatPlatform,
  formatPlatformFull,
  normalizePlatform,
  parsePlatform,
  type ParsePlatformOptions,
  type Platform,
} from './model/platform.js';
export { parseReference, type Reference } from './model/reference.js';
export type { ThinPlan } from './export/thin-archive.js';
export { planExport, type ExportOptions, type ExportPlan } from './export/plan-export.js';
export type { PlannedEntry, PlannedNeed } from './export/lay-out-archive.js';
export {
  labelOf,
  WARNING_CODES,
  type ImageReport,
  type PlatformReport,
  type Warning,
  type WarningCode,
} from './survey/reports.js';
export {
  MemoryStore,
  OciLayoutStore,
  withReads,
  type Amount,
  type ByteRange,
  type Content,
  type ContentKind,
  type ContentProvider,
  type DestinationSession,
  type EndOptions,
  type Digester,
  type ExpectedContent,
  type FilePart,
  type PouredPart,
  type FoundBlob,
  type HeldBlobs,
  type Housekeeping,
  type ImageDestination,
  type ImageListChange,
  type ImageSource,
  type Ingest,
  type IngestOutcome,
  type MemoryStoreOptions,
  type OpenableFile,
  type OpenOptions,
  type OpenStoreOptions,
  type PartCopies,
  type PassBytes,
  type PruneOptions,
  type PruneReport,
  type SharedFile,
  type SourceReader,
  type Store,
  type Transfers,
} from './stores/index.js';
export { parsePublicKey, type PublicKey } from './trust/public-key.js';
export { signaturesIn, type FoundSignature, type SignatureKind } from './trust/signatures-in.js';
export type { SignatureState } from './trust/judge-signature.js';
export type { SignatureReport } from './trust/signature-report.js';
export type { TrustReason, TrustReport } from './trust/trust-report.js';
export { parsePolicy, type ParsePolicyOptions } from './trust/parse-policy.js';
export type { NamePattern } from './trust/name-pattern.js';
export type { AttestationDemand, Cover, Identity, Policy, PolicyRule, SignatureDemand } from './trust/policy.js';
export { verifyTrust, type TrustOptions } from './trust/verify-trust.js';
export { flattenImage } from './unpack/flatten-image.js';
export { planUnpack } from './unpack/plan-unpack.js';
export { unpackImage } from './unpack/unpack-image.js';
export type { TreeCounts } from './tree/tree-listing.js';
export type { TarOrder, UnpackOptions, UnpackProgress } from './unpack/unpack-options.js';
export type {
  Ownership,
  Skipped,
  SkippedKind,
  UnpackedImage,
  UnpackedLayer,
  UnpackPlan,
  UnpackReport,
  UnpackTarget,
} from './unpack/report-shapes.js';
export { verifyArchive, type VerifyArchiveOptions } from './verify/verify-archive.js';
export type { BaseSource } from './verify/verify-base.js';
export type { Problem } from './verify/check-images.js';
export { quarantineDamaged } from './edit/quarantine-damaged.js';
export type { Demands, Unmet } from './verify/demands.js';
export { verifyImages, type VerifyOptions, type VerifyReport } from './verify/verify-images.js';
