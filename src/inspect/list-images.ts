import { isImage } from '../model/image-list.js';
import { check, optionsOf } from '../model/rules.js';
import { STORE } from '../stores/port-rules.js';
import type { Store } from '../stores/store.js';
import { imageReportOf } from '../survey/image-report.js';
import { READING_RULES } from '../survey/option-rules.js';
import { isAnyMissing, type ImageReport, type Warning } from '../survey/reports.js';
import { tolerantSurvey, type ListOptions } from '../survey/tolerant-survey.js';

/** The images of a store, and warnings of damage that was found. Damaged content counts as missing. */
export interface ImageListing {
  readonly images: readonly ImageReport[];
  readonly warnings: readonly Warning[];
  /** True if content of a platform that an image lists is not here. */
  readonly incomplete: boolean;
}

const ARGUMENTS = { store: STORE, options: optionsOf<ListOptions>(READING_RULES) };

/** Lists every image with the state of each of its platforms. Does not list referrers that stand beside images. */
export async function listImages(store: Store, options: ListOptions = {}): Promise<ImageListing> {
  check(ARGUMENTS, { store, options });
  const records = await store.list();
  const targets = records.filter(isImage);
  const { survey, warnings } = await tolerantSurvey(store, targets, records, options);
  const images = targets.map((target) => imageReportOf(survey, target));
  return { images, warnings, incomplete: isAnyMissing(images) };
}
