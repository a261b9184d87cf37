import { randomUUID } from 'node:crypto';
import path from 'node:path';
import fs from 'fs-extra';
import type { Digest } from '../../../model/digest.js';
import { removeRecords, type ImageRecord } from '../../../model/image-list.js';
import { namesIn, moveIfThere, removeIfEmpty } from '../../../files/if-there.js';
import { closureWithout, type Cut } from '../../../content/closure.js';
import { readLeases } from '../leases/read-leases.js';
import { digestOfTrashed, QUARANTINE } from '../place/layout-paths.js';
import type { LayoutParts } from '../layout-parts.js';
import { Documents } from '../../../content/documents.js';

/** What a collection may pass over. */
export interface CollectOptions {
  /** Leases: that of the session which runs it, or those that have lapsed. */
  readonly except?: readonly string[];
  /** Manifests that are being taken away. */
  readonly cut?: Cut | undefined;
  /** Images that would be taken away. */
  readonly without?: readonly ImageRecord[];
}

/** Which blobs must stay: those that an image reaches, and those that a session holds. */
async function keptDigests(
  { paths, blobs, refs }: LayoutParts,
  { except = [], cut, without = [] }: CollectOptions,
): Promise<ReadonlySet<Digest>> {
  const leases = await readLeases(paths.leases, 0);
  const leased = leases.filter(({ id }) => !except.includes(id)).flatMap(({ digests }) => digests);
  const roots = removeRecords(await refs.read(), without).map(({ descriptor }) => descriptor);
  return new Set([...leased, ...(await closureWithout(Documents.stored(blobs), roots, cut))]);
}

/** Those of the digests that nothing keeps. */
export async function collectable(
  store: LayoutParts,
  candidates: Iterable<Digest>,
  options: CollectOptions = {},
): Promise<readonly Digest[]> {
  const kept = await keptDigests(store, options);
  return [...candidates].filter((digest) => !kept.has(digest));
}

/**
 * Removes those of the blobs that nothing keeps, and gives them back. Each goes to the trash first; then leases and images
 * are read again, and what somebody came to need meanwhile is put back. A loader claims a digest before it looks for it, so
 * either its claim is seen here, or it sees the blob in the trash or not at all. And since the folder in the trash is there
 * before leases are read for the first time, who claims a digest and then finds no such folder knows that nobody moves it.
 */
export async function collect(
  store: LayoutParts,
  candidates: Iterable<Digest>,
  options: CollectOptions = {},
): Promise<readonly Digest[]> {
  const gone: Digest[] = [];
  // A prune may end a collection that it takes for one of a killed process: what was not moved yet needs another one.
  for (let left: readonly Digest[] = [...candidates]; left.length > 0;) {
    const collection = randomUUID();
    await fs.mkdir(path.join(store.paths.trash, collection), 0o700);
    try {
      left = await moveAll(store, await collectable(store, left, options), collection);
    } catch (error) {
      await removeIfEmpty(path.join(store.paths.trash, collection)).catch(() => {});
      throw error;
    }
    gone.push(...(await emptyTrash(store, collection, options)));
  }
  return gone;
}

/** Moves blobs to the trash. Gives those that it did not come to before somebody ended the collection. */
async function moveAll(
  { paths }: LayoutParts,
  going: readonly Digest[],
  collection: string,
): Promise<readonly Digest[]> {
  for (const [at, digest] of going.entries()) {
    const isMoved = await moveIfThere(paths.blob(digest), paths.trashed(collection, digest));
    // What is not there any more was taken by another collection.
    if (!isMoved && !(await fs.pathExists(path.join(paths.trash, collection)))) return going.slice(at);
  }
  return [];
}

/** What collections that were killed, or are under way, have in the trash. */
export async function leftInTrash({ paths }: LayoutParts): Promise<ReadonlySet<Digest>> {
  const left = new Set<Digest>();
  for (const collection of await namesIn(paths.trash)) {
    if (collection === QUARANTINE) continue;
    for (const name of await namesIn(path.join(paths.trash, collection))) {
      const digest = digestOfTrashed(name);
      if (digest !== undefined) left.add(digest);
    }
  }
  return left;
}

/** Ends the collections that were killed, or ends others together with those who began them. Gives what is gone. */
export async function emptyAllTrash(store: LayoutParts): Promise<readonly Digest[]> {
  const gone: Digest[] = [];
  for (const name of await namesIn(store.paths.trash)) {
    if (name !== QUARANTINE) gone.push(...(await emptyTrash(store, name)));
  }
  return gone;
}

/** The second look: back into `blobs/`, or gone for good. */
async function emptyTrash(
  store: LayoutParts,
  collection: string,
  options: CollectOptions = {},
): Promise<readonly Digest[]> {
  const folder = path.join(store.paths.trash, collection);
  const trashed = (await namesIn(folder)).flatMap((name) => digestOfTrashed(name) ?? []);
  const gone = new Set(trashed.length === 0 ? [] : await collectable(store, trashed, options));
  for (const digest of trashed) {
    const file = store.paths.trashed(collection, digest);
    if (!gone.has(digest)) await store.blobs.rescue(file, digest);
    await fs.remove(file);
  }
  // Its collector may have moved another blob there since: that one needs a second look of its own.
  await removeIfEmpty(folder);
  return [...gone];
}
