import { closureOfKept } from '../../../content/closure.js';
import { Documents } from '../../../content/documents.js';
import { totalBytes } from '../../../model/content.js';
import type { Digest } from '../../../model/digest.js';
import { removeRecords, type ImageRecord } from '../../../model/image-list.js';
import type { Amount, HeldBlobs, PruneOptions, PruneReport } from '../../prune-report.js';
import { isLoadedUnnamed, pruneableImages } from '../../pruneable-images.js';
import type { DestinationSession } from '../../store.js';
import type { LayoutParts } from '../layout-parts.js';
import { dropDeadSessions, sessionsOf, type Sessions } from '../leases/dead-sessions.js';
import { RESUME_MS } from '../leases/read-leases.js';
import { collect, collectable, emptyAllTrash, leftInTrash } from './collect.js';
import { dropQuarantined, lostIn, quarantinedIn } from './quarantine.js';

type Sizes = ReadonlyMap<Digest, number>;

/** Removes images without a name, then unneeded blobs, older than the grace time; and the files that dead sessions left. */
export async function pruneLayout(
  store: LayoutParts,
  session: DestinationSession,
  options: PruneOptions,
): Promise<PruneReport> {
  const sessions = await sessionsOf(store.paths, options.now, options.resumeMs ?? RESUME_MS);
  await dropDeadSessions(store.paths, sessions);
  const before = await blobsOf(store, options);
  const emptied = await emptyAllTrash(store);
  const images = await imagesToGo(store, options);
  if (images.length > 0) {
    // Reads every document that is still needed: one that cannot be read must end the prune before an image goes.
    await collectable(store, before.old, { without: images });
    await session.publish((records) => removeRecords(records, images));
  }
  const gone = new Set([...emptied, ...(await collect(store, before.old))]);
  const quarantined = await quarantineOf(store, images, options);
  for (const one of quarantined.old) await dropQuarantined(one, quarantined.missed);
  return await reportOf(store, { sessions, images, gone, quarantined, sizes: before.sizes });
}

/** Reports what a prune would do now. Writes nothing. */
export async function planPrune(store: LayoutParts, options: PruneOptions): Promise<PruneReport> {
  const sessions = await sessionsOf(store.paths, options.now, options.resumeMs ?? RESUME_MS);
  const { sizes, old } = await blobsOf(store, options);
  const images = await imagesToGo(store, options);
  const going = await collectable(store, old, { except: sessions.lapsed, without: images });
  const quarantined = await quarantineOf(store, images, options);
  return await reportOf(store, { sessions, images, gone: new Set(going), quarantined, sizes });
}

async function imagesToGo(store: LayoutParts, options: PruneOptions): Promise<readonly ImageRecord[]> {
  const isOld = async (root: Digest): Promise<boolean> => {
    const found = await store.blobs.stat(root);
    return found === undefined || isPastGrace(found.mtimeMs, options);
  };
  const { dangling = false } = options;
  return await pruneableImages(store.blobs, await store.refs.read(), { dangling, isOld });
}

/** All blobs with their sizes, and the old ones: those past the grace time, and those in the trash, once past it. */
async function blobsOf(
  store: LayoutParts,
  options: PruneOptions,
): Promise<{ readonly sizes: Sizes; readonly old: readonly Digest[] }> {
  const sizes = new Map<Digest, number>();
  const old = new Set<Digest>();
  const trashed = await leftInTrash(store);
  const add = async (digest: Digest): Promise<void> => {
    const found = await store.blobs.stat(digest);
    if (found === undefined) return;
    sizes.set(digest, Math.max(found.size, 0));
    if (trashed.has(digest) || isPastGrace(found.mtimeMs, options)) old.add(digest);
  };
  for await (const digest of store.blobs.digests()) await add(digest);
  for (const digest of trashed) await add(digest);
  return { sizes, old: [...old] };
}

interface Quarantine {
  readonly old: Awaited<ReturnType<typeof quarantinedIn>>;
  readonly young: Awaited<ReturnType<typeof quarantinedIn>>;
  /** Blobs that images need, and that are not here. */
  readonly missed: ReadonlySet<Digest>;
}

async function quarantineOf(
  store: LayoutParts,
  images: readonly ImageRecord[],
  options: PruneOptions,
): Promise<Quarantine> {
  const lost = await lostIn(store);
  const missed = new Set(lost.size === 0 ? [] : [...(await neededBy(store, images))].filter((one) => lost.has(one)));
  // Of a missed blob an earlier prune has left an empty file, which stays.
  const all = (await quarantinedIn(store.paths)).filter(({ digest, size }) => size > 0 || !missed.has(digest));
  const isOld = ({ sinceMs }: (typeof all)[number]): boolean => isPastGrace(sinceMs, options);
  return { old: all.filter(isOld), young: all.filter((one) => !isOld(one)), missed };
}

/** A grace time of 0 makes everything old, also files with a time in the future, left by a clock that was put back. */
function isPastGrace(sinceMs: number, { now, graceMs }: PruneOptions): boolean {
  return graceMs === 0 || now - sinceMs >= graceMs;
}

interface Outcome {
  readonly sessions: Sessions;
  readonly images: readonly ImageRecord[];
  readonly gone: ReadonlySet<Digest>;
  readonly quarantined: Quarantine;
  readonly sizes: Sizes;
}

async function reportOf(
  store: LayoutParts,
  { sessions, images, gone, quarantined, sizes }: Outcome,
): Promise<PruneReport> {
  const staying = removeRecords(await store.refs.read(), images);
  const reached = await closureOfKept(Documents.stored(store.blobs), staying);
  const spare = new Map([...sizes].filter(([digest]) => !gone.has(digest) && !reached.has(digest)));
  const held = sessions.holding.map((lease) => heldOf(lease, spare)).filter(({ count }) => count > 0);
  const claimed = new Set(sessions.holding.flatMap(({ digests }) => digests));
  const young = [...spare].filter(([digest]) => !claimed.has(digest));
  return {
    images,
    blobs: [...gone].map((digest) => ({ digest, size: sizes.get(digest) ?? 0 })),
    damaged: quarantined.old.map(({ digest, size }) => ({ digest, size })),
    interrupted: amountOf(sessions.leftovers),
    kept: {
      images: amountOf([...sizes].filter(([digest]) => reached.has(digest))),
      unnamed: staying.filter(isLoadedUnnamed).length,
      held,
      young: amountOf([...young, ...quarantined.young.map(({ file, size }) => [file, size] as const)]),
    },
  };
}

/** What the images need that stay without these. */
async function neededBy(store: LayoutParts, without: readonly ImageRecord[]): Promise<ReadonlySet<Digest>> {
  return await closureOfKept(Documents.stored(store.blobs), removeRecords(await store.refs.read(), without));
}

function heldOf({ state, ageMs, digests, owner }: Sessions['holding'][number], spare: Sizes): HeldBlobs {
  const blobs = new Map(digests.flatMap((digest) => (spare.has(digest) ? [[digest, spare.get(digest) ?? 0]] : [])));
  const named = owner === undefined ? {} : { pid: owner.pid, host: owner.host };
  return { state, ageMs, ...named, ...amountOf(blobs) };
}

function amountOf(sizes: Iterable<readonly [unknown, number]>): Amount {
  const bytes = [...sizes].map(([, size]) => size);
  return { count: bytes.length, bytes: totalBytes(bytes) };
}
