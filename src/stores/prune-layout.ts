import type { Digest } from '../model/digest.js';
import { removeRecords, type ImageRecord } from '../model/image-list.js';
import { closureOf } from './closure.js';
import { collect, collectable, dropDeadSessions, emptyAllTrash, type Collected } from './collect.js';
import { RESUME_MS } from './leases.js';
import type { PruneOptions, PruneReport, StoreSession } from './ports.js';
import { pruneableImages } from './pruneable-images.js';

/** Removes unnamed images, then unreachable blobs, that are older than the grace time; and what dead sessions left. */
export async function pruneLayout(
  store: Collected,
  session: StoreSession,
  options: PruneOptions,
): Promise<PruneReport> {
  if (options.dryRun !== true) {
    await dropDeadSessions(store.paths, options.now, RESUME_MS);
    await emptyAllTrash(store);
  }
  const isPastGrace = (root: Digest): Promise<boolean> => isOld(store, root, options);
  const images = await pruneableImages(store.blobs, await store.refs.read(), isPastGrace);
  if (options.dryRun === true) return { images, blobs: await wouldGo(store, images, options) };
  if (images.length > 0) await session.publish((records) => removeRecords(records, images));
  const sizes = await oldBlobs(store, options);
  const gone = await collect(store, sizes.keys());
  return { images, blobs: gone.map((digest) => ({ digest, size: sizes.get(digest) ?? 0 })) };
}

async function wouldGo(
  store: Collected,
  images: readonly ImageRecord[],
  options: PruneOptions,
): Promise<PruneReport['blobs']> {
  const sizes = await oldBlobs(store, options);
  const staying = removeRecords(await store.refs.read(), images).map(({ descriptor }) => descriptor);
  const reached = await closureOf(store.blobs, staying);
  const released = new Set(
    await closureOf(
      store.blobs,
      images.map(({ descriptor }) => descriptor),
    ),
  );
  const unreached = new Set(await collectable(store, sizes.keys()));
  return [...sizes]
    .filter(([digest]) => unreached.has(digest) || (released.has(digest) && !reached.has(digest)))
    .map(([digest, size]) => ({ digest, size }));
}

async function oldBlobs(store: Collected, options: PruneOptions): Promise<ReadonlyMap<Digest, number>> {
  const sizes = new Map<Digest, number>();
  for await (const digest of store.blobs.digests()) {
    const found = await store.blobs.stat(digest);
    if (found !== undefined && options.now - found.mtimeMs >= options.graceMs) sizes.set(digest, found.size);
  }
  return sizes;
}

async function isOld({ blobs }: Collected, digest: Digest, { now, graceMs }: PruneOptions): Promise<boolean> {
  const found = await blobs.stat(digest);
  return found === undefined || now - found.mtimeMs >= graceMs;
}
