import { closureOf } from '../content/closure.js';
import type { Documents } from '../content/documents.js';
import { companionSubject } from '../model/companion-tag.js';
import type { ImageRecord } from '../model/image-list.js';

/**
 * Those of the companions that belong to none of the images: neither to a root nor to what a filter left out below it.
 * Reads the documents of the images if there are companions.
 */
export async function strayCompanions(
  documents: Documents,
  companions: readonly ImageRecord[],
  images: readonly ImageRecord[],
): Promise<readonly ImageRecord[]> {
  if (companions.length === 0) return [];
  const known = await closureOf(
    documents.tolerant(),
    images.map(({ descriptor }) => descriptor),
  );
  for (const { descriptor } of companions) known.add(descriptor.digest);
  return companions.filter((record) => {
    const subject = companionSubject(record);
    return subject !== undefined && !known.has(subject);
  });
}
