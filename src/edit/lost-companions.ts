import { closureOfKept } from '../content/closure.js';
import type { ContentProvider } from '../content/content-provider.js';
import { Documents } from '../content/documents.js';
import { companionsAmong, partCompanions } from '../model/companion-tag.js';
import { isImage, removeRecords, type ImageRecord } from '../model/image-list.js';

/**
 * The signatures and the like, with names of their own, that go with the images: what they speak of is needed by these,
 * and by no image that stays. Those of an image that was never here stay.
 */
export async function lostCompanions(
  provider: ContentProvider,
  records: readonly ImageRecord[],
  gone: readonly ImageRecord[],
): Promise<readonly ImageRecord[]> {
  const staying = removeRecords(records, gone);
  const { companions } = partCompanions([...gone, ...staying]);
  if (companions.length === 0) return [];
  const documents = Documents.stored(provider);
  const imagesOf = (all: readonly ImageRecord[]) => all.filter((one) => isImage(one) && !companions.includes(one));
  const before = await closureOfKept(documents, imagesOf(records));
  const after = await closureOfKept(documents, imagesOf(staying));
  const kept = new Set(companionsAmong(companions, after));
  return companionsAmong(companions, before).filter((one) => staying.includes(one) && !kept.has(one));
}
