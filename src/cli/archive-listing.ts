import { listAndKeep } from '../inspect/list-archive.js';
import type { ImageListing, ListImagesOptions } from '../inspect/list-images.js';
import type { MemoryStore } from '../stores/memory/memory-store.js';
import { openInput } from './archive-file.js';
import { inputChoice } from './input-choice.js';

/**
 * The listing of an archive file, a layout folder, one image of them (`FILE:TAG`), or stdin for `-`, and the documents
 * that it was made of.
 */
export async function archiveListing(
  file: string,
  options: ListImagesOptions,
): Promise<{ readonly store: MemoryStore; readonly listing: ImageListing }> {
  const { input, image } = inputChoice(file);
  return await listAndKeep(openInput(input), { ...options, images: image === undefined ? [] : [image] });
}
