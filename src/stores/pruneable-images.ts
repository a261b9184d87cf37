import { closureOfKept } from '../content/closure.js';
import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import { isImage, refersTo, removeRecords, type ImageRecord } from '../model/image-list.js';

/** Which unnamed images go. */
export interface PruneableOptions {
  /** Also those that a load brought without a name, and referrers that a load brought without their subject. */
  readonly dangling: boolean;
  readonly isOld: (root: Digest) => Promise<boolean>;
}

/**
 * The images that a prune removes: those that have lost their name and are old, and the referrers of what goes. What a
 * person loaded stays, unless it is asked for.
 */
export async function pruneableImages(
  provider: ContentProvider,
  records: readonly ImageRecord[],
  { dangling, isOld }: PruneableOptions,
): Promise<readonly ImageRecord[]> {
  const images: ImageRecord[] = [];
  for (const record of records.filter(isUnnamed)) {
    if (!dangling && isLoadedUnnamed(record)) continue;
    if (await isOld(record.descriptor.digest)) images.push(record);
  }
  const staying = removeRecords(records, images);
  return [...images, ...(await (dangling ? orphansOf : lostReferrers)(provider, records, staying))];
}

/** The referrers that have a subject, and have none if only the images among `staying` stay. */
export async function lostReferrers(
  provider: ContentProvider,
  records: readonly ImageRecord[],
  staying: readonly ImageRecord[],
): Promise<readonly ImageRecord[]> {
  const before = new Set(await orphansOf(provider, records, records));
  return (await orphansOf(provider, records, staying)).filter((record) => !before.has(record));
}

/** Whether the record is an image that a load brought without a name, not one that has lost its name to another. */
export function isLoadedUnnamed(record: ImageRecord): boolean {
  return isUnnamed(record) && record.replaced === undefined;
}

function isUnnamed(record: ImageRecord): boolean {
  return record.name === undefined && isImage(record);
}

/** The referrers that have no subject if only the images among `staying` stay. */
async function orphansOf(
  provider: ContentProvider,
  records: readonly ImageRecord[],
  staying: readonly ImageRecord[],
): Promise<readonly ImageRecord[]> {
  if (records.every(isImage)) return [];
  return orphans(records, await closureOfKept(Documents.stored(provider), staying.filter(isImage)));
}

/** Referrers whose subject neither an image needs nor another referrer that stays. */
function orphans(records: readonly ImageRecord[], reached: Set<Digest>): readonly ImageRecord[] {
  const referrers = records.filter((record) => !isImage(record));
  for (let grown = true; grown;) {
    const staying = referrers.filter((record) => refersTo(record, reached));
    grown = staying.some(({ descriptor }) => !reached.has(descriptor.digest));
    staying.forEach(({ descriptor }) => reached.add(descriptor.digest));
  }
  return referrers.filter((record) => !refersTo(record, reached));
}
