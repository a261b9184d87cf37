import { ARCHIVE, type LoadSource } from '../load/archive-entries.js';
import { IMAGES } from '../load/load-images.js';
import { check, optionsOf } from '../model/rules.js';
import type { MemoryStore } from '../stores/memory/memory-store.js';
import { openArchiveDocuments, withoutKnown } from './archive-documents.js';
import { LIST_RULES, listStored, type ImageListing, type ListImagesOptions } from './list-images.js';

/** What to list of an archive. */
export interface ListArchiveOptions extends ListImagesOptions {
  /** Only the images with these names, tags, digests or patterns. */
  readonly images?: readonly string[];
}

const ARGUMENTS = { source: ARCHIVE, options: optionsOf<ListArchiveOptions>({ ...LIST_RULES, images: IMAGES }) };

/** Lists the images of an archive as `listImages` does. Reads all of it, and stores nothing. Throws the errors of a load. */
export async function listArchive(source: LoadSource, options: ListArchiveOptions = {}): Promise<ImageListing> {
  check(ARGUMENTS, { source, options });
  return (await listAndKeep(source, options)).listing;
}

/** The same with the archive's documents, for a closer look. */
export async function listAndKeep(
  source: LoadSource,
  options: ListArchiveOptions,
): Promise<{ readonly store: MemoryStore; readonly listing: ImageListing }> {
  const { store, warnings } = await openArchiveDocuments(source, options);
  const listing = await listStored(store, options);
  return {
    store,
    listing: { ...listing, warnings: [...withoutKnown(warnings, listing.warnings), ...listing.warnings] },
  };
}
