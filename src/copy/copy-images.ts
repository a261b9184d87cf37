import type { IndexPolicy } from '../export/choose-roots.js';
import type { PlannedEntry } from '../export/lay-out-archive.js';
import { planExport, type ExportPlan } from '../export/plan-export.js';
import { parseLayoutIndex } from '../content/parse-document.js';
import { closeArchive, type ClosedArchive } from '../load/close-archive.js';
import { digestOfEntry, INDEX_ENTRY, LAYOUT_ENTRY } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { NameMove, OnConflict } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import type { Platform } from '../model/platform.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import type { ArchiveContents } from '../stages/records.js';
import type { BeforeCommit } from '../load/before-commit.js';
import type { Policy } from '../trust/policy.js';
import type { TrustReport } from '../trust/trust-report.js';
import type { DestinationSession, ImageDestination, ImageSource } from '../stores/store.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import type { MissingPlatforms } from '../survey/judge-platforms.js';
import type { ImageReport, Warning } from '../survey/reports.js';
import { copyBlobs, type BlobCopy, type CopyCounts, type CopyEvent } from './copy-blobs.js';
import { SharedWork } from './shared-work.js';

/** What to copy of the images, and how. */
export interface CopyOptions {
  /** Platforms to copy, as texts or OCI objects; none: all that are complete. */
  readonly platforms?: readonly (string | Platform)[];
  readonly index?: IndexPolicy;
  readonly referrers?: ReferrerPolicy;
  readonly missingPlatforms?: MissingPlatforms;
  readonly onConflict?: OnConflict;
  readonly hostPlatform?: Platform;
  readonly limits?: Partial<Limits>;
  /** Blobs at once. Default 4. */
  readonly blobJobs?: number;
  /** What this copy shares with others that run at the same time; takes the place of `blobJobs`. */
  readonly shared?: { readonly work: SharedWork; readonly place: string };
  /** Made by `parsePolicy`: the copy fails before any name moves unless every image meets it. */
  readonly policy?: Policy;
  /** Called before any name moves, as that of `loadImages`. */
  readonly beforeCommit?: BeforeCommit;
  /** Called with the plan before anything is copied; what it throws ends the copy. */
  readonly onPlanned?: (plan: ExportPlan) => void;
  /** Called for each blob, and for each chunk of one. */
  readonly onProgress?: (event: CopyEvent) => void;
  readonly signal?: AbortSignal;
}

/** What a copy did. */
export interface CopyReport {
  readonly images: readonly ImageReport[];
  /** Images of which nothing was copied, since nothing requested is complete (`skip` only). */
  readonly leftOut: readonly ImageReport[];
  /** Names that are new at the destination, or mean another image than before. */
  readonly moved: readonly NameMove[];
  readonly blobs: CopyCounts;
  readonly warnings: readonly Warning[];
  /** The judgement of each image, if there was a policy. */
  readonly trust?: readonly TrustReport[];
  /** True if something that was requested was not copied (`missingPlatforms: 'skip'` only). */
  readonly incomplete: boolean;
}

export const DEFAULT_BLOB_JOBS = 4;

/**
 * Copies images from one place to another, blob by blob, without an archive in between. Every blob is verified on its
 * way; what the destination has is not read. Names move at the end, when everything they need is there. Holds a small
 * record for each blob, and for each blob on its way what its destination holds.
 */
export async function copyImages(
  source: ImageSource,
  destination: ImageDestination,
  names: readonly string[],
  options: CopyOptions = {},
): Promise<CopyReport> {
  const {
    onConflict = 'replace',
    blobJobs = DEFAULT_BLOB_JOBS,
    shared,
    onPlanned,
    onProgress,
    policy,
    beforeCommit: _,
    signal,
    ...choosing
  } = options;
  if (policy !== undefined && options.referrers === 'drop') throw withoutSignatures();
  const plan = await planExport(source, names, { ...choosing, ...(signal && { signal }) });
  onPlanned?.(plan);
  const reader = await source.reader();
  const session = await destination.session();
  const stored = new Map<Digest, number>();
  try {
    await reader.claim(plan.entries.flatMap(({ content }) => ('digest' in content ? [content.digest] : [])));
    const counts = await copyBlobs(reader, session, plan.entries.flatMap(blobOf), {
      shared: shared?.work ?? new SharedWork(blobJobs),
      place: shared?.place ?? '',
      signal,
      stored,
      onProgress,
    });
    const closed = await closeArchive(
      destination,
      session,
      await contentsOf(plan, stored, limitsOf(options.limits)),
      closingOf(options, onConflict),
    );
    await session.end();
    return reportOf(plan, closed, counts);
  } catch (error) {
    throw await rollBack(session, stored, error, signal);
  } finally {
    await reader.end();
  }
}

/** A blob of the plan, or a document that the plan has made; nothing for the files of the layout itself. */
function blobOf({ name, type, size, content }: PlannedEntry): readonly BlobCopy[] {
  const digest = type === 'file' ? digestOfEntry(name) : undefined;
  if (digest === undefined) return [];
  if ('bytes' in content) return [{ digest, size, kind: 'manifest', bytes: content.bytes }];
  return [{ digest, size, kind: content.kind }];
}

/** The plan's own list of images, as an archive would have it. */
async function contentsOf(
  { entries }: ExportPlan,
  stored: Map<Digest, number>,
  limits: Limits,
): Promise<ArchiveContents> {
  const bytesOf = (wanted: string): Buffer => {
    const content = entries.find(({ name }) => name === wanted)?.content;
    return content !== undefined && 'bytes' in content ? content.bytes : Buffer.alloc(0);
  };
  return {
    layout: bytesOf(LAYOUT_ENTRY),
    index: await parseLayoutIndex(bytesOf(INDEX_ENTRY), limits),
    files: new Map(),
    layers: new Map(),
    links: new Map(),
    repeated: new Set(),
    skipped: { count: 0, bytes: 0 },
    stored,
    storedByOthers: new Set(),
    damaged: new Map(),
  };
}

/** What is left behind cannot be checked here. */
function withoutSignatures(): LadingError {
  const message = 'signatures cannot be checked if referrers are dropped; choose one of the two';
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option: 'policy' } });
}

function closingOf(options: CopyOptions, onConflict: OnConflict): Parameters<typeof closeArchive>[3] {
  const { platforms, referrers = 'follow', missingPlatforms = 'fail', limits, signal, policy, beforeCommit } = options;
  return {
    platforms: parseRequest(platforms, options.hostPlatform ?? hostPlatform()),
    referrers,
    missingPlatforms,
    onConflict,
    strict: false,
    policy,
    policyReport: false,
    beforeCommit,
    digests: [],
    limits: limitsOf(limits),
    signal,
  };
}

function reportOf(plan: ExportPlan, closed: ClosedArchive, blobs: CopyCounts): CopyReport {
  const messages = new Set(closed.warnings.map(({ message }) => message));
  const madeFrom = new Map(plan.images.map(({ digest, sourceDigest }) => [digest, sourceDigest]));
  return {
    images: closed.images.map((image) => {
      const sourceDigest = madeFrom.get(image.digest);
      return { ...image, ...(sourceDigest && { sourceDigest }) };
    }),
    leftOut: plan.leftOut,
    moved: closed.moved,
    blobs,
    warnings: [...plan.warnings.filter(({ message }) => !messages.has(message)), ...closed.warnings],
    ...(closed.trust && { trust: closed.trust }),
    incomplete: plan.incomplete || closed.incomplete,
  };
}

/** What was interrupted leaves its whole blobs for a second try; what is wrong leaves nothing. */
async function rollBack(
  session: DestinationSession,
  stored: ReadonlyMap<Digest, number>,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<unknown> {
  const isAborted = signal?.aborted ?? false;
  const resumable = isAborted || (error instanceof LadingError && error.category === 'network');
  try {
    if (!resumable) await session.discard(stored.keys());
    await session.end({ resumable });
  } catch {
    // The caller needs the first error, not this one.
  }
  return isAborted ? new LadingError('ERR_ABORTED', 'the copy was aborted', { cause: error }) : error;
}
