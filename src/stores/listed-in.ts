import type { ImageRecord } from '../model/image-list.js';
import type { Housekeeping, ImageDestination } from './store.js';

/** The images that a destination has, if it can list them: a registry cannot, and has none for this. */
export async function listedIn(
  destination: ImageDestination | (ImageDestination & Pick<Housekeeping, 'list'>),
): Promise<readonly ImageRecord[]> {
  return 'list' in destination ? await destination.list() : [];
}
