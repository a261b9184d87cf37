import { Writable, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { claimAhead } from './claim-ahead.js';
import { closeArchive, type ClosedArchive } from './close-archive.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import type { MissingPlatforms } from '../survey/judge-platforms.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { NameMove, OnConflict } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { PlatformSet } from '../model/platform-set.js';
import type { Platform } from '../model/platform.js';
import type { ImageReport, Warning } from '../survey/reports.js';
import { Commit, type CloseArchive, type LayerProbing } from '../stages/commit.js';
import { Decompress } from '../stages/decompress.js';
import type { ArchiveEntry, CommitEvent, ImageTarget, SelectedEntry } from '../stages/records.js';
import { SelectEntries, type SkippedEntries } from '../stages/select-entries.js';
import { TarExtract } from '../stages/tar-extract.js';
import { TarGuard } from '../stages/tar-guard.js';
import { VerifyDigests } from '../stages/verify-digests.js';
import type { LayerFacts } from '../layers/layer-probe.js';
import { openArchive, type ArchiveSource, type OpenedArchive } from '../archives/open-archive.js';
import type { DestinationSession, ImageDestination } from '../stores/store.js';
import { rememberAbsent } from './remember-absent.js';
import { storageError } from '../files/storage-error.js';

/** What to load of an archive. */
export interface LoadOptions {
  /** Platforms to keep, as texts or OCI objects; none: everything that is complete. */
  readonly platforms?: readonly (string | Platform)[];
  readonly referrers?: 'follow' | 'drop';
  readonly missingPlatforms?: MissingPlatforms;
  readonly onConflict?: OnConflict;
  readonly hostPlatform?: Platform;
  readonly limits?: Partial<Limits>;
  /** Makes an error of what is a warning otherwise: a config of another platform than its descriptor. */
  readonly strict?: boolean;
  /** Passes every blob on to be verified, wanted or not. */
  readonly everything?: boolean;
  /** What is learned of layers while they pass, for a store that does not keep them. */
  readonly probing?: LayerProbing;
  /** Told of each layer that was learned about, before the load ends. */
  readonly onLayer?: (digest: Digest, facts: LayerFacts) => void;
  /** Told of damaged blobs that the images turned out not to need. */
  readonly onDamage?: (error: LadingError, digest: Digest) => void;
  /** Told of each blob while it is written, every few MiB, and when it is there. */
  readonly onProgress?: (event: CommitEvent) => void;
  readonly signal?: AbortSignal;
}

/** What a load did. `present` blobs were in the store before; `skipped` ones were in the archive and not wanted. */
export interface LoadReport {
  readonly images: readonly ImageReport[];
  /** Names that are new, or mean another image than before. */
  readonly moved: readonly NameMove[];
  readonly blobs: {
    readonly stored: number;
    readonly present: number;
    readonly skipped: number;
    readonly bytesStored: number;
    readonly bytesSkipped: number;
  };
  readonly warnings: readonly Warning[];
  readonly incomplete: boolean;
}

/** An archive to load: its bytes, or the path of an archive file or of an OCI layout directory. */
export type LoadSource = ArchiveSource | string;

/**
 * Loads an archive into the store, as a transaction: every blob is verified, and all names become visible together, or
 * nothing does. The archive may be an OCI layout or a docker-archive, packed with gzip or zstd or not, its entries in any
 * order. Holds a few MiB whatever the archive's size, and a small record for each blob.
 * Errors: every category of `docs/errors.md`.
 */
export async function loadImages(
  destination: ImageDestination,
  source: LoadSource,
  options: LoadOptions = {},
): Promise<LoadReport> {
  const limits = limitsOf(options.limits);
  const platforms = parseRequest(options.platforms, options.hostPlatform ?? hostPlatform());
  const session = rememberAbsent(await destination.session());
  const select = new SelectEntries({
    present: session,
    platforms: new PlatformSet<ImageTarget>(platforms),
    referrers: options.referrers ?? 'follow',
    isCertain: isCertain(platforms, options),
    everything: options.everything ?? false,
    settled: () => commit.settled(),
    limits,
  });
  let closed: ClosedArchive | undefined;
  const close: CloseArchive = async (contents) => {
    closed = await closeArchive(destination, session, contents, { ...CLOSE_DEFAULTS, ...options, platforms, limits });
    contents.damaged.forEach(({ damage }, digest) => options.onDamage?.(damage, digest));
    contents.layers.forEach((facts, digest) => options.onLayer?.(digest, facts));
    contents.files.forEach(({ digest, layer }) => options.onLayer?.(digest, layer));
  };
  const commit = new Commit(session, close, { probing: options.probing ?? 'none', limits });
  try {
    await run(source, session, select, commit, limits, options).catch(async (error: unknown) => {
      await commit.settled();
      // An abort during the last step comes too late: the names are visible, and nobody could take them back.
      if (closed === undefined || options.signal?.aborted !== true) throw error;
    });
    await session.end();
    return reportOf(closed as ClosedArchive, commit, select.skipped);
  } catch (error) {
    throw await rollBack(session, commit, error, options.signal);
  }
}

const CLOSE_DEFAULTS = { referrers: 'follow', missingPlatforms: 'fail', onConflict: 'replace', strict: false } as const;

/** Whether no filter can drop what the documents ask for, so that whatever is wanted is needed. */
function isCertain(platforms: readonly unknown[], { referrers, onConflict }: LoadOptions): boolean {
  return platforms.length === 0 && referrers !== 'drop' && onConflict !== 'keep';
}

/** The pipeline itself. A directory has entries already; a stream of bytes has to be made into them first. */
async function run(
  source: LoadSource,
  session: DestinationSession,
  select: SelectEntries,
  commit: Commit,
  limits: Limits,
  { signal, onProgress }: LoadOptions,
): Promise<void> {
  const opened = typeof source === 'string' ? await openArchive(source, limits) : { bytes: source };
  const rest = [select, new VerifyDigests<SelectedEntry>(), commit, tell(onProgress)] as const;
  // pipeline takes any async iterable; its type definitions know streams only.
  if ('entries' in opened)
    await runEntries(opened, commit, async (entries) => {
      const claimed = claimAhead(entries, session, (digest) => select.mayNeed(digest));
      await pipeline(claimed, ...rest, { signal });
    });
  else
    await pipeline(opened.bytes as Readable, new Decompress(limits), new TarGuard(limits), new TarExtract(), ...rest, {
      signal,
    });
}

/** Copies of entries may go on when the pipeline is over: what they read from is closed behind the last of them. */
async function runEntries(
  { entries, close }: Extract<OpenedArchive, { readonly entries: unknown }>,
  commit: Commit,
  work: (entries: AsyncIterable<ArchiveEntry>) => Promise<void>,
): Promise<void> {
  try {
    await work(entries);
  } finally {
    await commit.settled();
    close();
  }
}

/** The end of the pipeline: commit events are for progress. */
function tell(onProgress: LoadOptions['onProgress']): Writable {
  return new Writable({
    objectMode: true,
    write: (event: CommitEvent, _encoding, callback) => {
      onProgress?.(event);
      callback();
    },
  });
}

/**
 * A refused load leaves nothing behind. One that was interrupted leaves its finished blobs, safe for a while and seen by
 * nobody, so that a second try needs only the rest.
 */
async function rollBack(
  session: DestinationSession,
  commit: Commit,
  error: unknown,
  signal: AbortSignal | undefined,
): Promise<LadingError> {
  const isInterrupted = signal?.aborted ?? false;
  // The stage may be in the middle of a blob; what it has begun must be over before it can be taken back.
  await commit.settled();
  try {
    if (!isInterrupted) await session.discard(commit.stored.keys());
    await session.end({ resumable: isInterrupted });
  } catch {
    // The caller needs the first error, not this one. What could not be taken back is invisible, and goes with a prune.
  }
  if (isInterrupted) return new LadingError('ERR_ABORTED', 'the load was aborted', { cause: error });
  return storageError(error, 'cannot read the archive');
}

function reportOf(closed: ClosedArchive, commit: Commit, { skipped, lookalikes }: SkippedEntries): LoadReport {
  const needed = [...closed.needed];
  const stored = needed.filter(([digest]) => commit.stored.has(digest));
  const unneeded = [...commit.stored].filter(([digest]) => !closed.needed.has(digest));
  return {
    images: closed.images,
    moved: closed.moved,
    blobs: {
      stored: stored.length,
      present: needed.length - stored.length,
      skipped: skipped.count + unneeded.length,
      bytesStored: bytesOf(stored),
      bytesSkipped: skipped.bytes + bytesOf(unneeded),
    },
    warnings: [...lookalikes.map(lookalikeWarning), ...closed.warnings],
    incomplete: closed.incomplete,
  };
}

function lookalikeWarning(name: string): Warning {
  const message = `the archive has ${name} in another case too, which was ignored; a disk that ignores case has only one of them`;
  return { code: 'WARN_ENTRY_IGNORED', message };
}

function bytesOf(blobs: readonly (readonly [unknown, number])[]): number {
  return blobs.reduce((sum, [, size]) => sum + size, 0);
}
