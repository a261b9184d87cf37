import type { Digest } from '../model/digest.js';
import type { LadingError } from '../model/errors.js';
import { subjectOf, type ImageRecord } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import { imageReportOf } from '../survey/judge-platforms.js';
import type { ImageReport, Warning } from '../survey/reports.js';
import type { ImageTarget } from '../stages/records.js';
import type { ContentProvider } from '../content/content-provider.js';
import type { Store } from '../stores/store.js';
import { surveyImages, type Survey } from '../survey/survey-images.js';

/** How documents are read while listing. */
export interface ListOptions {
  readonly limits?: Partial<Limits>;
  readonly signal?: AbortSignal;
}

/** The images of a store, and damage that was found on the way, which counts as missing here. */
export interface ImageListing {
  readonly images: readonly ImageReport[];
  readonly warnings: readonly Warning[];
}

/** Lists every image with the state of each of its platforms. Referrers that stand beside images are not listed. */
export async function listImages(store: Store, options: ListOptions = {}): Promise<ImageListing> {
  const records = await store.list();
  const targets = records.filter((record) => subjectOf(record) === undefined);
  const { survey, warnings } = await tolerantSurvey(store, targets, records, options);
  return { images: targets.map((target) => imageReportOf(survey, target)), warnings };
}

/** A survey that takes damage for missing content, and tells it in warnings. */
export async function tolerantSurvey(
  store: ContentProvider,
  targets: readonly ImageTarget[],
  records: readonly ImageRecord[],
  { limits, signal }: ListOptions,
): Promise<{ survey: Survey; warnings: readonly Warning[] }> {
  const damage = new Map<Digest, LadingError>();
  const onDamage = (error: LadingError, digest: Digest): void => void damage.set(digest, error);
  const survey = await surveyImages(store, targets, { records, onDamage, limits: limitsOf(limits), signal });
  const warnings = [...damage.values()].map(({ message }): Warning => ({ code: 'WARN_DAMAGED', message }));
  return { survey, warnings: [...warnings, ...survey.warnings] };
}
