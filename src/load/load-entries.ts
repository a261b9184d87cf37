import { Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { storageError } from '../files/storage-error.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { isImageConfigType, isLayerType } from '../model/media-types.js';
import type { ImageRecord } from '../model/image-list.js';
import { PlatformSet } from '../model/platform-set.js';
import type { ThinList } from '../model/thin-list.js';
import { Commit, type LayerProbing } from '../stages/commit.js';
import type { Progress } from '../progress/progress.js';
import type { ArchiveContents, ArchiveEntry, SelectedEntry } from '../stages/records.js';
import { SelectEntries, type SkippedEntries } from '../stages/select-entries.js';
import { VerifyDigests } from '../stages/verify-digests.js';
import type { DestinationSession, ImageDestination } from '../stores/store.js';
import type { ArchiveEntries } from './archive-entries.js';
import { UnansweredHook } from './before-commit.js';
import { claimAhead } from './claim-ahead.js';
import { closeArchive, isFiltered, type ClosedArchive, type CloseOptions } from './close-archive.js';
import { followLayoutLinks } from './follow-layout-links.js';
import { LoadProgress } from './load-progress.js';
import { loadReportOf, type LoadReport } from './load-report.js';
import { missingOf, refuseMissing, withLayers } from './thin-base.js';
import { rememberFound } from './remember-found.js';

/** What to load of the entries, with every option set. */
export interface LoadRequest extends CloseOptions {
  /** Whether to verify every blob, wanted or not: to check an archive, not to load it. */
  readonly passesAll: boolean;
  /** What to find out about layers while they pass, for a store that does not keep them. */
  readonly probing: LayerProbing;
  /** Whether the layers that a thin archive leaves out count as here: to look into it, not to load it. */
  readonly assumesBase: boolean;
  /** Whether every layer counts as here, so that none is read: to find out which ones the archive has. */
  readonly assumesLayers: boolean;
  /** Whether threads may hash what comes in a stream. */
  readonly threads: boolean;
  /** Undefined if nobody listens. */
  readonly progress: Progress | undefined;
}

/** What a load did, and what it found in the archive. */
export interface LoadOutcome {
  readonly report: LoadReport;
  readonly contents: ArchiveContents;
}

/**
 * Loads the entries of an archive as a transaction: select ─► verify digests ─► commit, then close. Every blob is
 * verified, and all names become visible together, or none does. A Readable is read entry by entry. The bodies of any
 * other iterable must be readable in any order, and up to 256 of its entries are held.
 */
export async function loadEntries(
  destination: ImageDestination,
  entries: AsyncIterable<ArchiveEntry>,
  request: LoadRequest,
): Promise<LoadOutcome> {
  return await loadInSession(destination, await destination.session(), { entries }, request);
}

/** The same in a session that was begun for it. Ends the session, whatever the outcome. */
export async function loadInSession(
  destination: ImageDestination,
  begun: DestinationSession,
  { entries, isCut }: Pick<ArchiveEntries, 'entries'> & Partial<ArchiveEntries>,
  request: LoadRequest,
): Promise<LoadOutcome> {
  const base = new Map<Digest, number>();
  const found = rememberFound(begun);
  const layerBytes = (digest: Digest): number | undefined => {
    const listed = request.assumesLayers ? select.descriptorOf(digest) : undefined;
    return listed !== undefined && isLayerType(listed.mediaType) ? listed.size : base.get(digest);
  };
  const session = request.assumesBase ? withLayers(found, layerBytes) : found;
  const { probing, limits, platforms, choice, passesAll, signal, progress } = request;
  // Signatures that are not kept are read all the same if they are to be checked.
  const referrers = request.policy === undefined ? request.referrers : 'follow';
  const watcher = progress && new LoadProgress(progress, request);
  const commit = new Commit(session, { probing, limits, ...(watcher && { onStored: watcher.stored }) });
  const select = new SelectEntries({
    present: session,
    platforms: new PlatformSet<ImageRecord>(platforms),
    referrers,
    ...(choice && { images: choice.texts }),
    limits,
    passesAll,
    damage: isFiltered(request) ? 'later' : 'fatal',
    untilStored: async () => await commit.settled(),
    ...(watcher && { watcher }),
    thin: {
      listed: (thin) => {
        for (const [digest, size] of thin.base) base.set(digest, size);
        watcher?.counted(thin);
      },
      known: async (thin) => {
        if (needsAll(request)) refuseMissing(await missingOf(layersAmong(thin, select), session), thin);
      },
    },
  });
  watcher?.watch({ entries, select, active: commit.active });
  const claimed = entries instanceof Readable ? entries : claimAhead(entries, session, select);
  try {
    await pipeline(claimed, select, new VerifyDigests<SelectedEntry>(), commit, discarding(), { signal });
    const contents = await followLayoutLinks(session, withSeen(commit.contents, select), { limits, select });
    const closed = await closeArchive(destination, session, contents, request);
    await session.end({ unneeded: unneededOf(closed, contents, select.skipped) });
    return { report: loadReportOf(closed, contents, select.skipped), contents };
  } catch (error) {
    // The stage may be in the middle of a blob, which must end before it can be discarded.
    await commit.settled();
    const hasAny = commit.contents.stored.size + select.skipped.present.size > 0;
    const ended = { isCut: hasAny && isCut?.(error) === true, isAborted: isAborted(request) };
    throw await rollBack(session, commit.contents, error, ended);
  }
}

function withSeen(contents: ArchiveContents, select: SelectEntries): ArchiveContents {
  const damaged = new Map([...contents.damaged, ...select.skipped.damaged]);
  return {
    ...contents,
    damaged,
    hasLeft: (name) => select.hasLeft(name),
    hasCome: (digest) => select.hasCome(digest),
  };
}

/** What the list and the documents agree on. The rest is told at the end, when all of the archive was seen. */
function layersAmong({ base }: ThinList, select: SelectEntries): readonly (readonly [Digest, number])[] {
  return [...base].filter(([digest, size]) => {
    const listed = select.descriptorOf(digest);
    return listed?.size === size && !isImageConfigType(listed.mediaType);
  });
}

/** Whether every image of the archive is wanted whole: then a thin one is refused before its first layer is stored. */
function needsAll(request: LoadRequest): boolean {
  return !isFiltered(request) && request.missingPlatforms === 'fail';
}

/**
 * What this load stored, or passed because the store had it, and does not need. The latter may come from another load
 * that runs at the same time and does not need it either.
 */
function unneededOf(
  { needed }: ClosedArchive,
  { stored, storedByOthers }: ArchiveContents,
  { present }: SkippedEntries,
): Set<Digest> {
  return new Set([...stored.keys(), ...storedByOthers, ...present].filter((digest) => !needed.has(digest)));
}

/** Whether the caller's signal has ended the load: not an error of its callback. */
function isAborted({ signal, progress }: LoadRequest): boolean {
  return signal?.aborted === true && progress?.failure === undefined;
}

/** The end of the pipeline. */
function discarding(): Writable {
  return new Writable({ objectMode: true, write: (_event, _encoding, callback) => callback() });
}

/**
 * A refused load leaves nothing behind. One that was interrupted, since it was aborted or its pipe ended too early,
 * leaves its finished blobs, invisible and kept for a while, so that a second try needs only the rest.
 */
async function rollBack(
  session: DestinationSession,
  { stored }: ArchiveContents,
  error: unknown,
  { isCut, isAborted }: { readonly isCut: boolean; readonly isAborted: boolean },
): Promise<LadingError> {
  const resumable = (isCut || isAborted) && !(error instanceof UnansweredHook);
  try {
    if (!resumable) await session.discard(stored.keys());
    await session.end({ resumable });
  } catch {
    // The caller needs the first error, not this one. Blobs that are left are invisible, and a prune removes them.
  }
  if (isAborted) return new LadingError('ERR_ABORTED', 'the load was aborted', { cause: error });
  return storageError(error, 'cannot read the archive');
}
