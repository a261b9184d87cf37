import { closureOf } from '../content/closure.js';
import { Documents } from '../content/documents.js';
import { ANNOTATIONS } from '../model/descriptor.js';
import type { Digest } from '../model/digest.js';
import { refersTo, removeRecords, resolveRecords, type ImageRecord, type NameMove } from '../model/image-list.js';
import { inSession, publishNames } from '../stores/in-session.js';
import type { Store } from '../stores/store.js';

/** What a removal did. */
export interface RemoveReport {
  /** Names that are gone. */
  readonly untagged: readonly string[];
  /** The same names, with the images that they meant. */
  readonly moved: readonly NameMove[];
  /** Blobs that are gone, since nothing else needed them. */
  readonly deleted: readonly Digest[];
}

/**
 * Removes names, and the content that only they needed. An id removes every name of the image. With `keepNames` it
 * removes only the unnamed image, so that an image that was named meanwhile stays.
 */
export async function removeImages(
  store: Store,
  texts: readonly string[],
  { keepNames = false }: { readonly keepNames?: boolean } = {},
): Promise<RemoveReport> {
  return await inSession(store, async (session) => {
    const removed = new Map<string, ImageRecord>();
    const before = await store.list();
    for (const text of texts) {
      const found = resolveRecords(before, text);
      for (const record of keepNames ? found : expandId(before, found)) {
        removed.set(`${record.name} ${record.descriptor.digest}`, record);
      }
    }
    const gone = [...removed.values()];
    const closure = await closureOf(
      Documents.stored(store),
      [...gone, ...referrersOf(before, gone)].map(({ descriptor }) => descriptor),
    );
    const moved = await publishNames(session, (records) => withoutOrphans(records, removeRecords(records, gone)));
    const deleted = await session.discard(closure);
    // A name that another process moved to another image meanwhile is not gone, so it is left out.
    const untagged = moved.filter(({ to }) => to === undefined).map(({ name }) => name);
    return { untagged, moved, deleted };
  });
}

/** A record that was found by its id stands for every record of that digest. */
function expandId(records: readonly ImageRecord[], found: readonly ImageRecord[]): readonly ImageRecord[] {
  return found.flatMap((record) =>
    record.name === undefined
      ? records.filter(({ descriptor }) => descriptor.digest === record.descriptor.digest)
      : [record],
  );
}

function referrersOf(records: readonly ImageRecord[], gone: readonly ImageRecord[]): readonly ImageRecord[] {
  const digests = new Set<string>(gone.map(({ descriptor }) => descriptor.digest));
  return records.filter(({ descriptor }) => digests.has(descriptor.annotations?.[ANNOTATIONS.subject] ?? ''));
}

/** The records without the referrers of a root that has just lost its last record. */
function withoutOrphans(before: readonly ImageRecord[], after: readonly ImageRecord[]): readonly ImageRecord[] {
  const staying = new Set(after.map(({ descriptor }) => descriptor.digest));
  const lost = new Set(before.map(({ descriptor }) => descriptor.digest).filter((digest) => !staying.has(digest)));
  return after.filter((record) => !refersTo(record, lost));
}
