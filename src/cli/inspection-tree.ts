import type { ImageInspection, PlatformInspection, ReferrerReport } from '../inspect/inspect-images.js';
import type { LayerReport } from '../inspect/platform-facts.js';
import { referrerLabels } from '../inspect/referrer-label.js';
import { rowsOf, sharedLayersOf } from '../inspect/sharing.js';
import type { Digest } from '../model/digest.js';
import { oneLine, shortId } from '../model/shown-text.js';
import { parseReference } from '../model/reference.js';
import type { SizeFormat } from './console.js';
import { column, drawBranches, type Branch } from './drawing.js';
import { nameOf } from './image-table.js';
import { compareNaturally } from './natural-order.js';

/** What a tree shows. */
export interface TreeOptions {
  readonly size: SizeFormat;
  readonly layers: boolean;
}

/** Images that were inspected together as trees: each platform, its layers, and what refers to it. */
export function inspectionTree(images: readonly ImageInspection[], options: TreeOptions): readonly string[] {
  const shared = sharedLayersOf(rowsOf(images));
  const letters = new Map(shared.map(({ digest, letter }) => [digest, letter]));
  const legend = shared.length === 0 || !options.layers ? [] : [legendOf(shared.map(({ letter }) => letter))];
  return [...images.flatMap((image) => imageLines(image, letters, options)), ...legend];
}

/** Not all letters of a hundred. */
const LETTERS_SHOWN = 12;

function legendOf(letters: readonly string[]): string {
  const shown = letters.slice(0, LETTERS_SHOWN).join(' ');
  return `${shown}${letters.length > LETTERS_SHOWN ? ' …' : ''}  layers that several platforms use`;
}

function imageLines(
  image: ImageInspection,
  letters: ReadonlyMap<Digest, string>,
  options: TreeOptions,
): readonly string[] {
  const { platforms, digest, bytes, sharedBytes } = image;
  const complete = platforms.filter(({ state }) => state === 'complete').length;
  const figures = [
    `${complete} of ${platforms.length} platform${platforms.length === 1 ? '' : 's'} complete`,
    `${options.size(bytes)} in distinct blobs`,
    `${options.size(sharedBytes)} shared`,
  ];
  const names = column(
    platforms.map((platform) => `${signOf(platform)} ${platform.platform}`),
    'left',
  );
  const sizes = column(
    platforms.map((platform) => (platform.bytes === undefined ? '–' : options.size(platform.bytes))),
    'right',
  );
  const branches = platforms.map((platform, at): Branch => ({
    text: `${names[at]}   ${sizes[at]}   ${stateText(platform, options.size)}`,
    below: [...layerBranches(platform, letters, options), ...attestedBranches(image, platform)],
  }));
  return [
    `${nameOf(image)}   ${shortId(digest)}   ${figures.join(' · ')}`,
    ...drawBranches([...alsoNamed(image), ...branches, ...ofTheWhole(image)]),
  ];
}

function alsoNamed({ name, names }: ImageInspection): readonly Branch[] {
  const others = names.filter((other) => other !== name).toSorted(compareNaturally);
  if (others.length === 0) return [];
  return [{ text: `also named   ${others.map((other) => parseReference(other).familiar()).join(', ')}` }];
}

function signOf({ state, manifest }: PlatformInspection): string {
  if (state === 'complete') return '●';
  return manifest === undefined ? '○' : '◐';
}

/** The state of a platform in words. */
function stateText({ state, manifest, missingBlobs }: PlatformInspection, size: SizeFormat): string {
  if (state === 'complete') return 'complete';
  if (manifest === undefined) return 'listed, not here';
  const { count = 0, bytes = 0 } = missingBlobs ?? {};
  return `incomplete, ${size(bytes)} in ${count} blob${count === 1 ? '' : 's'} missing`;
}

function layerBranches(
  { layers = [] }: PlatformInspection,
  letters: ReadonlyMap<Digest, string>,
  { size, layers: isShown }: TreeOptions,
): readonly Branch[] {
  if (!isShown) return [];
  const numbers = column(
    layers.map((_, at) => String(at + 1)),
    'left',
  );
  const sizes = column(
    layers.map((layer) => size(layer.size)),
    'right',
  );
  const marks = column(
    layers.map(({ digest }) => letters.get(digest) ?? ' '),
    'left',
  );
  return layers.map((layer, at) => ({
    text: `${numbers[at]}   ${sizes[at]}  ${marks[at]} ${shortId(layer.digest)}   ${madeBy(layer)}`,
  }));
}

const STATES = { present: '', missing: '(missing) ', foreign: '(not distributed) ', base: '(in base) ' } as const;

function madeBy({ state, createdBy = '' }: LayerReport): string {
  return `${STATES[state]}${oneLine(createdBy)}`;
}

function attestedBranches({ referrers }: ImageInspection, { digest }: PlatformInspection): readonly Branch[] {
  return attestedBranch(referrers.filter(({ subject }) => subject === digest));
}

/** What refers to the index, not to one of its platforms. */
function ofTheWhole({ digest, referrers, platforms }: ImageInspection): readonly Branch[] {
  if (platforms.some((platform) => platform.digest === digest)) return [];
  return attestedBranch(referrers.filter(({ subject }) => subject === digest));
}

function attestedBranch(referrers: readonly ReferrerReport[]): readonly Branch[] {
  const labels = [...new Set(referrers.flatMap(referrerLabels).map(oneLine))];
  return labels.length === 0 ? [] : [{ text: `attested by   ${labels.join(', ')}` }];
}
