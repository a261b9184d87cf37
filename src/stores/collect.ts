import path from 'node:path';
import fs from 'fs-extra';
import { isDigest, type Digest } from '../model/digest.js';
import type { BlobFiles } from './blob-files.js';
import { namesIn } from './blob-files.js';
import { closureWithout, type Cut } from './closure.js';
import { readLeases } from './leases.js';
import type { RefsLog } from './refs-log.js';
import { isNotFound } from './storage-error.js';
import type { StorePaths } from './store-paths.js';

/** The parts of a store that a collection looks at. */
export interface Collected {
  readonly paths: StorePaths;
  readonly blobs: BlobFiles;
  readonly refs: RefsLog;
}

/** What a collection may pass over: the claims of the session that runs it, and manifests that are being taken away. */
export interface CollectOptions {
  readonly except?: string;
  readonly cut?: Cut | undefined;
}

/** Which blobs must stay: those that an image reaches, and those that a session holds. */
async function keptDigests(
  { paths, blobs, refs }: Collected,
  { except, cut }: CollectOptions,
): Promise<ReadonlySet<Digest>> {
  const leases = await readLeases(paths.leases, 0);
  const leased = leases.filter(({ id }) => id !== except).flatMap(({ digests }) => digests);
  const roots = (await refs.read()).map(({ descriptor }) => descriptor);
  return new Set([...leased, ...(await closureWithout(blobs, roots, cut))]);
}

/** Those of the digests that nothing keeps. */
export async function collectable(
  store: Collected,
  candidates: Iterable<Digest>,
  options: CollectOptions = {},
): Promise<readonly Digest[]> {
  const kept = await keptDigests(store, options);
  return [...candidates].filter((digest) => !kept.has(digest));
}

/**
 * Removes those of the blobs that nothing keeps, and gives them back. Each goes to the trash first; then leases and images
 * are read again, and what somebody came to need meanwhile is put back. A loader claims a digest before it looks for it, so
 * either its claim is seen here, or it sees the blob in the trash or not at all.
 */
export async function collect(
  store: Collected,
  candidates: Iterable<Digest>,
  options: CollectOptions = {},
): Promise<readonly Digest[]> {
  const moved: Digest[] = [];
  for (const digest of await collectable(store, candidates, options)) {
    if (await moveToTrash(store.paths, digest)) moved.push(digest);
  }
  return await emptyTrash(store, moved, options);
}

/** What a collection that was killed has left in the trash. */
export async function leftInTrash(paths: StorePaths): Promise<readonly Digest[]> {
  return (await namesIn(paths.trash)).map((name) => name.replace('-', ':')).filter(isDigest);
}

/** The second look: back into `blobs/`, or gone for good. */
export async function emptyTrash(
  store: Collected,
  trashed: readonly Digest[],
  options: CollectOptions = {},
): Promise<readonly Digest[]> {
  if (trashed.length === 0) return [];
  const gone = new Set(await collectable(store, trashed, options));
  for (const digest of trashed) {
    if (!gone.has(digest)) await store.blobs.rescue(digest);
    await fs.remove(store.paths.trashed(digest));
  }
  return [...gone];
}

async function moveToTrash(paths: StorePaths, digest: Digest): Promise<boolean> {
  try {
    await fs.rename(paths.blob(digest), paths.trashed(digest));
    return true;
  } catch (error) {
    if (isNotFound(error)) return false;
    throw error;
  }
}

/**
 * Removes leases past the resume time whose owner is not known to live, and ingest files that nobody writes any more: those
 * of dead sessions at once, those of no session (a store being opened) when they are old.
 */
export async function dropDeadSessions(paths: StorePaths, now: number, resumeMs: number): Promise<void> {
  const leases = await readLeases(paths.leases, now);
  const past = new Set(leases.filter(({ state, ageMs }) => state !== 'alive' && ageMs > resumeMs).map(({ id }) => id));
  for (const id of past) await fs.remove(path.join(paths.leases, id));
  const writes = new Map(leases.map(({ id, state }) => [id, state !== 'over' && !past.has(id)]));
  for (const name of await namesIn(paths.ingest)) {
    const file = path.join(paths.ingest, name);
    const isWritten = writes.get(name.split('.')[0] ?? '') ?? (await isYoung(file, now, resumeMs));
    if (!isWritten) await fs.remove(file);
  }
}

async function isYoung(file: string, now: number, maxAgeMs: number): Promise<boolean> {
  try {
    return now - (await fs.lstat(file)).mtimeMs <= maxAgeMs;
  } catch (error) {
    if (isNotFound(error)) return true;
    throw error;
  }
}
