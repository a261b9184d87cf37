import { isImage } from '../model/image-list.js';
import type { Store } from '../stores/store.js';
import { imageReportOf } from '../survey/image-report.js';
import type { ImageReport, Warning } from '../survey/reports.js';
import { tolerantSurvey, type ListOptions } from '../survey/tolerant-survey.js';

/** The images of a store, and warnings of damage that was found. Damaged content counts as missing. */
export interface ImageListing {
  readonly images: readonly ImageReport[];
  readonly warnings: readonly Warning[];
}

/** Lists every image with the state of each of its platforms. Does not list referrers that stand beside images. */
export async function listImages(store: Store, options: ListOptions = {}): Promise<ImageListing> {
  const records = await store.list();
  const targets = records.filter(isImage);
  const { survey, warnings } = await tolerantSurvey(store, targets, records, options);
  return { images: targets.map((target) => imageReportOf(survey, target)), warnings };
}
