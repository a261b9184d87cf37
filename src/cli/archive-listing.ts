import { listArchive } from '../inspect/list-archive.js';
import type { ImageListing, ListImagesOptions } from '../inspect/list-images.js';
import { openInput } from './archive-file.js';
import { inputChoice } from './input-choice.js';

/** The listing of an archive file, a layout folder, one image of them (`FILE:TAG`), or stdin for `-`. */
export async function archiveListing(file: string, options: ListImagesOptions): Promise<ImageListing> {
  const { input, image } = inputChoice(file);
  return await listArchive(openInput(input), { ...options, images: image === undefined ? [] : [image] });
}
