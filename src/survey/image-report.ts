import type { ImageRecord } from '../model/image-list.js';
import { platformReportOf, type ImageReport } from './reports.js';
import type { Survey } from './survey-images.js';

/** The report of one image. `digest` is the root that it has in the archive or store. */
export function imageReportOf(survey: Survey, target: ImageRecord, digest = target.descriptor.digest): ImageReport {
  const { name, descriptor } = target;
  return {
    ...(name !== undefined && { name }),
    digest,
    ...(digest !== descriptor.digest && { sourceDigest: descriptor.digest }),
    platforms: survey.platforms.outcomesOf(target).map(platformReportOf),
  };
}
