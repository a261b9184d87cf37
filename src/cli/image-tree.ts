import type { ImageInspection, PlatformInspection } from '../inspect/inspect-images.js';
import type { ListedImage } from '../inspect/list-images.js';
import { shortId } from '../model/shown-text.js';
import { table, type SizeFormat } from './console.js';
import { drawBranches } from './drawing.js';
import { agoOf, nameOf } from './image-table.js';

/** What is not here, or not known, has no number: `0B` would be wrong. */
const NONE = '–';

/**
 * A table of images with a row for each platform. SHARED counts what several platforms of the image, or other images,
 * have. `inspections` has every image by the digest of its root.
 */
export function imageTree(
  images: readonly ListedImage[],
  inspections: ReadonlyMap<string, ImageInspection>,
  { now, size }: { readonly now: number; readonly size: SizeFormat },
): readonly string[] {
  return table([
    ['IMAGE', 'ID', 'SIZE', 'SHARED', 'CREATED'],
    ...images.flatMap((image) => {
      const inspection = inspections.get(image.digest);
      const shared = inspection === undefined ? NONE : size(inspection.sharedBytes);
      const own = [nameOf(image), shortId(image.digest), size(image.size), shared, agoOf(image.created, now)];
      const platforms = inspection?.platforms ?? [];
      const names = drawBranches(platforms.map(({ platform }) => ({ text: platform })));
      return [own, ...platforms.map((platform, at) => [names[at] ?? '', ...cellsOf(platform, { now, size })])];
    }),
  ]);
}

function cellsOf(
  { digest, state, bytes, sharedBytes, created }: PlatformInspection,
  { now, size }: { readonly now: number; readonly size: SizeFormat },
): readonly string[] {
  const id = digest === undefined ? NONE : shortId(digest);
  if (bytes === undefined) return [id, NONE, NONE, NONE];
  const shown = state === 'complete' ? size(bytes) : `${size(bytes)} (incomplete)`;
  return [id, shown, size(sharedBytes ?? 0), created === undefined ? NONE : agoOf(created, now)];
}
