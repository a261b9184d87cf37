import { isImage, type ImageRecord } from '../model/image-list.js';
import { resolveRecords } from '../model/resolve-records.js';
import { check, optionsOf, PLATFORM } from '../model/rules.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { imageReportOf } from '../survey/image-report.js';
import { NAMES, READING_RULES } from '../survey/option-rules.js';
import { isAnyMissing, type ImageReport, type Warning } from '../survey/reports.js';
import { tolerantSurvey } from '../survey/tolerant-survey.js';
import { FactsFinder, type FactsOptions, type ImageFacts } from './image-facts.js';

/** One image of a listing, with its size, and what its config says. */
export type ListedImage = ImageReport & ImageFacts;

/** The images of a store or an archive, and warnings. Damaged content counts as missing. */
export interface ImageListing {
  readonly images: readonly ListedImage[];
  readonly warnings: readonly Warning[];
  /** True if content of a platform that an image lists is not here. */
  readonly incomplete: boolean;
}

/** What to list. */
export interface ListImagesOptions extends FactsOptions {
  /** Names, ids or repositories; everything without them. */
  readonly names?: readonly string[];
}

/** The rules of the options of a listing. */
export const LIST_RULES = { ...READING_RULES, names: NAMES, hostPlatform: PLATFORM } as const;

const ARGUMENTS = { store: STORE, options: optionsOf<ListImagesOptions>(LIST_RULES) };

/**
 * Lists images with the state of each of their platforms: one report for each name. Does not list referrers that stand
 * beside images. Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS for `names`.
 */
export async function listImages(store: Store, options: ListImagesOptions = {}): Promise<ImageListing> {
  check(ARGUMENTS, { store, options });
  return await listStored(store, options);
}

/** The same without the check of the arguments. */
export async function listStored(store: Store, options: ListImagesOptions): Promise<ImageListing> {
  const records = await store.list();
  const targets = chosenOf(records, options.names);
  const { survey, warnings } = await tolerantSurvey(store, targets, records, options);
  const facts = new FactsFinder(store, survey, options);
  const images: ListedImage[] = [];
  for (const target of targets) images.push({ ...imageReportOf(survey, target), ...(await facts.of(target)) });
  return { images, warnings: [...warnings, ...facts.warnings], incomplete: isAnyMissing(images) };
}

/** An id means every name of its image. */
function chosenOf(records: readonly ImageRecord[], names: readonly string[] = []): readonly ImageRecord[] {
  const images = records.filter(isImage);
  if (names.length === 0) return images;
  const found = names.flatMap((name) => resolveRecords(records, name));
  const whole = new Set(found.filter(({ name, tag }) => name === undefined && tag === undefined).map(digestOf));
  const chosen = new Set(found);
  return images.filter((record) => chosen.has(record) || whole.has(digestOf(record)));
}

function digestOf({ descriptor }: ImageRecord): string {
  return descriptor.digest;
}
