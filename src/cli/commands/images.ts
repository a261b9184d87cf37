import type { ContentProvider } from '../../content/content-provider.js';
import { listStored, type ImageListing, type ListedImage } from '../../inspect/list-images.js';
import { isPattern } from '../../model/glob.js';
import { isImage, type ImageRecord } from '../../model/image-list.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printLines, printReport, sizeFormat, terminalWidth, warn } from '../console.js';
import { fitLines, isUnicode } from '../drawing.js';
import { hintArchive } from '../hints.js';
import { filtered } from '../image-filters.js';
import { imageTable, timeOf } from '../image-table.js';
import { compareNaturally } from '../natural-order.js';

export interface ImagesOptions extends CommonOptions {
  readonly archive?: string;
  readonly filter?: readonly string[];
  readonly sort?: keyof typeof COMPARE;
  readonly tree?: boolean;
}

/** `lading images`: prints one line for each name of an image, of the store or of an archive. */
export async function images(
  texts: readonly string[],
  options: ImagesOptions,
  { signal }: CommandContext,
): Promise<number> {
  const found = await listingOf(texts, options, signal);
  const shown = found.listing.images.toSorted(COMPARE[options.sort ?? 'name']);
  warn(found.listing.warnings, options);
  if (options.json) await printReport('images', { ...found.listing, images: shown });
  else if (options.quiet) await printLines(shown.map(({ digest }) => digest));
  else if (options.tree) await printLines(await treeLines(found.store, shown, options, signal));
  else await printLines(imageTable(shown, Date.now(), { width: terminalWidth(), size: sizeFormat(options) }));
  return 0;
}

/** A store of images, or the documents of an archive. */
type Listed = ContentProvider & { readonly list: () => Promise<readonly ImageRecord[]> };

/** What only an archive needs is loaded here: the listing of a store must not wait for that. */
async function listingOf(
  texts: readonly string[],
  options: ImagesOptions,
  signal: AbortSignal,
): Promise<{ readonly store: Listed; readonly listing: ImageListing }> {
  const { archive, filter = [] } = options;
  const isFiltered = filter.length > 0 || texts.some(isPattern);
  const how = { signal, names: isFiltered ? [] : texts };
  const found =
    archive === undefined
      ? await listingOfStore(options, how)
      : await (await import('../archive-listing.js')).archiveListing(archive, how);
  if (!isFiltered) return found;
  return { ...found, listing: { ...found.listing, images: filtered(found.listing.images, texts, filter) } };
}

async function listingOfStore(
  options: ImagesOptions,
  how: { readonly signal: AbortSignal; readonly names: readonly string[] },
): Promise<{ readonly store: Listed; readonly listing: ImageListing }> {
  const store = await openStore(options, 'read');
  const listing = await listStored(store, how).catch((error: unknown) => {
    throw hintArchive(error);
  });
  return { store, listing };
}

/** Looks at each platform only for a tree, which a plain list must not wait for. */
async function treeLines(
  store: Listed,
  shown: readonly ListedImage[],
  options: ImagesOptions,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const [{ inspectRecords }, { imageTree }] = await Promise.all([
    import('../../inspect/inspect-images.js'),
    import('../image-tree.js'),
  ]);
  const digests = new Set(shown.map(({ digest }) => digest));
  const records = await store.list();
  const chosen = records.filter((record) => isImage(record) && digests.has(record.descriptor.digest));
  const inspections = await inspectRecords(store, records, chosen, { signal });
  const lines = imageTree(shown, new Map(inspections.map((image) => [image.digest, image])), {
    now: Date.now(),
    size: sizeFormat(options),
  });
  return fitLines(lines, { width: terminalWidth(), unicode: isUnicode() });
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

/** The largest and the newest first: they are what one looks for. Equal ones are in the order of their names. */
const COMPARE = {
  name: byName,
  size: (a: ListedImage, b: ListedImage) => b.size - a.size || byName(a, b),
  created: (a: ListedImage, b: ListedImage) => compareTimes(b, a) || byName(a, b),
} as const;

/** Two times before all others are equal; their difference would be no number. */
function compareTimes(a: ListedImage, b: ListedImage): number {
  const [left, right] = [timeOf(a.created), timeOf(b.created)];
  return left === right ? 0 : left - right;
}
