import { planExport, type ExportPlan } from '../export/plan-export.js';
import type { PlannedEntry } from '../export/lay-out-archive.js';
import { closeArchive, type ClosedArchive } from '../load/close-archive.js';
import { digestOfEntry } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { NameMove } from '../model/image-list.js';
import { limitsOf } from '../model/limits.js';
import { reporting } from '../progress/reporting.js';
import type { TrustReport } from '../trust/trust-report.js';
import type { DestinationSession, ImageDestination, ImageSource } from '../stores/store.js';
import type { ImageReport, Warning } from '../survey/reports.js';
import { choosingOf, closingOf, contentsOf, type CopyOptions } from './closing.js';
import { copyBlobs, type BlobCopy, type CopyCounts, type CopyEvent } from './copy-blobs.js';
import { CopyProgress } from './copy-progress.js';
import { checkSignaturesTravel, judgePlan } from './judge-plan.js';
import { SharedWork } from './shared-work.js';

export type { CopyOptions } from './closing.js';

/** What a copy did. */
export interface CopyReport {
  readonly images: readonly ImageReport[];
  /** Images of which nothing was copied, since nothing requested is complete (`skip` only). */
  readonly leftOut: readonly ImageReport[];
  /** Names that are new at the destination, or mean another image than before. */
  readonly moved: readonly NameMove[];
  /** Signatures and other referrers that went along, beside those that an index lists. */
  readonly referrers: number;
  readonly blobs: CopyCounts;
  readonly warnings: readonly Warning[];
  /** The judgement of each image, if there was a policy. */
  readonly trust?: readonly TrustReport[];
  /** True if something that was requested was not copied (`missingPlatforms: 'skip'` only). */
  readonly incomplete: boolean;
}

/** Blobs at once. */
export const DEFAULT_BLOB_JOBS = 4;

/**
 * Copies images from one place to another, blob by blob, without an archive in between. Every blob is verified on its
 * way; what the destination has is not read. Names move at the end, when everything they need is there. A policy is met
 * before the first blob is sent. Holds a small record for each blob, and for each blob on its way what its destination
 * holds.
 */
export async function copyImages(
  source: ImageSource,
  destination: ImageDestination,
  names: readonly string[],
  options: CopyOptions = {},
): Promise<CopyReport> {
  const { onProgress, platforms = [] } = options;
  checkSignaturesTravel(options);
  const about = () => ({ images: names, platforms, store: destination });
  return await reporting({ op: 'copy', about, onProgress, signal: options.signal }, async ({ progress, signal }) => {
    const heeding = { ...options, ...(signal && { signal }) };
    const plan = await planExport(source, names, choosingOf(heeding));
    options.onPlanned?.(plan);
    const told = progress && new CopyProgress(progress, plan);
    const onBlob = (event: CopyEvent): void => {
      options.onBlob?.(event);
      told?.take(event);
    };
    const report = await copyPlanned({ source, destination, plan }, { ...heeding, onBlob });
    progress?.warn(report.warnings.filter((warning) => !plan.warnings.includes(warning)));
    return report;
  });
}

/** What is copied, from where to where. */
interface Planned {
  readonly source: ImageSource;
  readonly destination: ImageDestination;
  readonly plan: ExportPlan;
}

async function copyPlanned({ source, destination, plan }: Planned, options: CopyOptions): Promise<CopyReport> {
  const { blobJobs = DEFAULT_BLOB_JOBS, shared, onBlob, signal } = options;
  const reader = await source.reader();
  const session = await destination.session();
  const stored = new Map<Digest, number>();
  try {
    await reader.claim(plan.entries.flatMap(({ content }) => ('digest' in content ? [content.digest] : [])));
    await judgePlan(reader, plan, options, 'list' in destination ? { destination, session } : undefined);
    const counts = await copyBlobs(reader, session, plan.entries.flatMap(blobOf), {
      shared: shared?.work ?? new SharedWork(blobJobs),
      place: shared?.place ?? '',
      signal,
      stored,
      onBlob,
    });
    const closed = await closeArchive(
      destination,
      session,
      await contentsOf(plan, stored, limitsOf(options.limits)),
      closingOf(options),
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
    referrers: closed.referrers,
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
