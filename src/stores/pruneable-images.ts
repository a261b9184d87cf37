import { closureOfKept } from '../content/closure.js';
import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import type { Digest } from '../model/digest.js';
import { isImage, refersTo, removeRecords, type ImageRecord } from '../model/image-list.js';

/** The images that a prune removes: unnamed ones that are old, and referrers whose subject does not stay. */
export async function pruneableImages(
  provider: ContentProvider,
  records: readonly ImageRecord[],
  isOld: (root: Digest) => Promise<boolean>,
): Promise<readonly ImageRecord[]> {
  const images: ImageRecord[] = [];
  for (const record of records) {
    if (record.name !== undefined || !isImage(record)) continue;
    if (await isOld(record.descriptor.digest)) images.push(record);
  }
  const staying = removeRecords(records, images).filter(isImage);
  const reached = await closureOfKept(Documents.stored(provider), staying);
  return [...images, ...orphans(records, reached)];
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
