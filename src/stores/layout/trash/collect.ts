import { randomUUID } from 'node:crypto';
import path from 'node:path';
import fs from 'fs-extra';
import { closureOfKept } from '../../../content/closure.js';
import { Documents } from '../../../content/documents.js';
import { moveIfThere, namesIn, removeIfEmpty } from '../../../files/if-there.js';
import { makePrivateFolder } from '../../../files/private-folder.js';
import type { Digest } from '../../../model/digest.js';
import { removeRecords, type ImageRecord } from '../../../model/image-list.js';
import type { LayoutParts } from '../layout-parts.js';
import { readLeases } from '../leases/read-leases.js';
import { collectionsIn } from '../place/collections.js';
import { digestOfTrashed } from '../place/layout-paths.js';

/** The leases and images that a collection ignores. */
export interface CollectOptions {
  /** Leases: that of the session that runs the collection, or those that have lapsed. */
  readonly except?: readonly string[];
  /** Images that would be removed. */
  readonly without?: readonly ImageRecord[];
}

/** The blobs that must stay: those that an image needs, and those that a session holds. */
async function keptDigests(
  { paths, blobs, refs }: LayoutParts,
  { except = [], without = [] }: CollectOptions,
): Promise<ReadonlySet<Digest>> {
  const leases = await readLeases(paths.leases, 0);
  const leased = leases.filter(({ id }) => !except.includes(id)).flatMap(({ digests }) => digests);
  const needed = await closureOfKept(Documents.stored(blobs), removeRecords(await refs.read(), without));
  return new Set([...leased, ...needed]);
}

/** Returns those of the digests that no image needs and no session holds. */
export async function collectable(
  store: LayoutParts,
  candidates: Iterable<Digest>,
  options: CollectOptions = {},
): Promise<readonly Digest[]> {
  const kept = await keptDigests(store, options);
  return [...candidates].filter((digest) => !kept.has(digest));
}

/**
 * Removes those of the blobs that nothing keeps, in their order, and returns them. Each goes to the trash first; then
 * leases and images are read again, and blobs that are needed by now are put back. A loader claims a digest before it
 * looks the blob up, so either the second look here sees the claim, or the loader finds the blob in the trash or not at
 * all. The folder in the trash is made before leases are read: a loader that claims a digest and then finds no such
 * folder knows that no collection moves the blob.
 */
export async function collect(
  store: LayoutParts,
  candidates: Iterable<Digest>,
  options: CollectOptions = {},
): Promise<readonly Digest[]> {
  const gone: Digest[] = [];
  // A prune may end this collection, as if its process were killed: blobs that were not moved yet need another one.
  for (let left: readonly Digest[] = [...candidates]; left.length > 0;) {
    const collection = startCollection(store.paths.trash);
    const before = left;
    try {
      left = await moveAll(store, await collectable(store, left, options), collection);
    } catch (error) {
      await removeIfEmpty(path.join(store.paths.trash, collection)).catch(() => {});
      throw error;
    }
    // Not by spreading, which fails for more blobs than a call may have arguments.
    for (const digest of await emptyTrash(store, collection, { ...options, order: before })) gone.push(digest);
  }
  return gone;
}

/** Makes a folder in the trash. To a prune an empty one is that of a killed process, so it may go before it is private. */
function startCollection(trash: string): string {
  for (;;) {
    const collection = randomUUID();
    try {
      makePrivateFolder(path.join(trash, collection));
      return collection;
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT' || syscall !== 'chmod') throw error;
    }
  }
}

/** Moves blobs to the trash. Returns the blobs it had not yet moved when another process ended this collection. */
async function moveAll(
  { paths }: LayoutParts,
  going: readonly Digest[],
  collection: string,
): Promise<readonly Digest[]> {
  for (const [at, digest] of going.entries()) {
    const isMoved = await moveIfThere(paths.blob(digest), paths.trashed(collection, digest));
    // If the folder is still there, another collection has moved the blob.
    if (!isMoved && !(await fs.pathExists(path.join(paths.trash, collection)))) return going.slice(at);
  }
  return [];
}

/** The blobs that collections which were killed, or are running, have in the trash. */
export async function leftInTrash({ paths }: LayoutParts): Promise<ReadonlySet<Digest>> {
  const left = new Set<Digest>();
  for (const collection of collectionsIn(paths.trash)) {
    for (const name of await namesIn(path.join(paths.trash, collection))) {
      const digest = digestOfTrashed(name);
      if (digest !== undefined) left.add(digest);
    }
  }
  return left;
}

/** Ends all collections: those of killed processes, and running ones, beside their process. Returns removed blobs. */
export async function emptyAllTrash(store: LayoutParts): Promise<readonly Digest[]> {
  const gone: Digest[] = [];
  for (const name of collectionsIn(store.paths.trash)) {
    for (const digest of await emptyTrash(store, name)) gone.push(digest);
  }
  return gone;
}

/** The second look: puts each blob of a collection back into `blobs/`, or removes it for good, in the given order. */
async function emptyTrash(
  store: LayoutParts,
  collection: string,
  { order = [], ...options }: CollectOptions & { readonly order?: readonly Digest[] } = {},
): Promise<readonly Digest[]> {
  const folder = path.join(store.paths.trash, collection);
  const found = new Set((await namesIn(folder)).flatMap((name) => digestOfTrashed(name) ?? []));
  const trashed = new Set([...order.filter((digest) => found.has(digest)), ...found]);
  const gone = new Set(trashed.size === 0 ? [] : await collectable(store, trashed, options));
  for (const digest of trashed) {
    const file = store.paths.trashed(collection, digest);
    if (!gone.has(digest)) await store.blobs.rescue(file, digest);
    await fs.remove(file);
  }
  // Not if it has files: its collector may have moved a blob there since, which needs a second look of its own.
  await removeIfEmpty(folder);
  return [...gone];
}
