import type { ListedImage } from '../inspect/list-images.js';
import { labelOfTag } from '../model/image-list.js';
import { labelOf } from '../survey/reports.js';
import { shortId } from '../model/shown-text.js';
import { table, type SizeFormat } from './console.js';
import { formatAgo } from './duration.js';

/** Spaces between two columns of a table. */
const GAP = 3;

/** The least characters that a name or a list of platforms keeps, however narrow the terminal is. */
const LEAST = 12;

/** The width of a terminal, and how sizes are shown. */
export interface TableOptions {
  readonly width?: number | undefined;
  readonly size: SizeFormat;
}

/**
 * The lines of a table of images. With a `width`, which is that of a terminal, no line is longer, if that is possible:
 * first a list of platforms is cut (`+3`), then a name is cut in its middle.
 */
export function imageTable(
  images: readonly ListedImage[],
  now: number,
  { width = Number.POSITIVE_INFINITY, size: sizeOf }: TableOptions,
): readonly string[] {
  const fixed = images.map(({ digest, created, size }) => [shortId(digest), agoOf(created, now), sizeOf(size)]);
  const names = images.map(nameOf);
  const taken = widthsOf([['ID', 'CREATED', 'SIZE'], ...fixed]).reduce((sum, own) => sum + own + GAP, GAP);
  const longest = Math.max(...names.map(({ length }) => length), 'IMAGE'.length);
  const nameWidth = Math.max(LEAST, Math.min(longest, width - taken - LEAST));
  const platformWidth = Math.max(LEAST, width - taken - nameWidth);
  return table([
    ['IMAGE', 'ID', 'CREATED', 'SIZE', 'PLATFORMS'],
    ...images.map(({ platforms }, at) => [
      cutMiddle(names[at] ?? '', nameWidth),
      ...(fixed[at] ?? []),
      fitting(platforms.map(platformCell), platformWidth),
    ]),
  ]);
}

export function nameOf(image: Pick<ListedImage, 'name' | 'tag' | 'digest'>): string {
  return image.name === undefined ? (labelOfTag(image) ?? '<none>') : labelOf(image);
}

function widthsOf(rows: readonly (readonly string[])[]): readonly number[] {
  return (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
}

/** As many of the texts as fit, and the number of the others; only their number if not even one fits. */
function fitting(texts: readonly string[], width: number): string {
  for (let count = texts.length; count > 0; count -= 1) {
    const rest = count < texts.length ? [`+${texts.length - count}`] : [];
    const line = [...texts.slice(0, count), ...rest].join(', ');
    if (line.length <= width) return line;
  }
  return texts.length === 0 ? '' : `${texts.length} in all`;
}

/** The end stays longer than the start: it has the tag. */
function cutMiddle(text: string, width: number): string {
  if (text.length <= width) return text;
  const start = Math.floor((width - 1) / 3);
  return `${text.slice(0, start)}…${text.slice(text.length - (width - 1 - start))}`;
}

/** Nothing is older than containers: builds that leave the time out write the year 1. */
export function agoOf(created: string | undefined, now: number): string {
  const time = timeOf(created);
  return time < 0 ? 'N/A' : formatAgo(now - time);
}

function platformCell({ platform, state }: ListedImage['platforms'][number]): string {
  return state === 'complete' ? platform : `${platform} (${state})`;
}

/** Milliseconds since 1970; that of an image without a time is before all others. */
export function timeOf(created: string | undefined): number {
  const time = Date.parse(created ?? '');
  return Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
}
