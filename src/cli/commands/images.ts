import { listImages, type ImageListing, type ListedImage } from '../../inspect/list-images.js';
import { isPattern } from '../../model/glob.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printLines, printReport, terminalWidth, warn } from '../console.js';
import { hintArchive } from '../hints.js';
import { filtered } from '../image-filters.js';
import { imageTable } from '../image-table.js';
import { compareNaturally } from '../natural-order.js';

export interface ImagesOptions extends CommonOptions {
  readonly archive?: string;
  readonly filter?: readonly string[];
}

/** `lading images`: prints one line for each name of an image, of the store or of an archive. */
export async function images(
  texts: readonly string[],
  options: ImagesOptions,
  { signal }: CommandContext,
): Promise<number> {
  const listing = await listingOf(texts, options, signal);
  const shown = listing.images.toSorted(byName);
  warn(listing.warnings, options);
  if (options.json) await printReport('images', { ...listing, images: shown });
  else if (options.quiet) await printLines(shown.map(({ digest }) => digest));
  else await printLines(imageTable(shown, Date.now(), terminalWidth()));
  return 0;
}

/** What only an archive needs is loaded here: the listing of a store must not wait for that. */
async function listingOf(texts: readonly string[], options: ImagesOptions, signal: AbortSignal): Promise<ImageListing> {
  const { archive, filter = [] } = options;
  const isFiltered = filter.length > 0 || texts.some(isPattern);
  const how = { signal, names: isFiltered ? [] : texts };
  const listing =
    archive === undefined
      ? await listImages(await openStore(options, 'read'), how).catch((error: unknown) => {
          throw hintArchive(error);
        })
      : await (await import('../archive-listing.js')).archiveListing(archive, how);
  return isFiltered ? { ...listing, images: filtered(listing.images, texts, filter) } : listing;
}

/** By name, numbers in it by their value; then images without a name by their tag and digest. */
function byName(a: ListedImage, b: ListedImage): number {
  return (
    Number(a.name === undefined) - Number(b.name === undefined) ||
    compareNaturally(a.name ?? '', b.name ?? '') ||
    compareNaturally(a.tag ?? '', b.tag ?? '') ||
    compareNaturally(a.digest, b.digest)
  );
}
