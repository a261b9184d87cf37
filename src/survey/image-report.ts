import type { Survey } from './survey-images.js';
import type { ImageRecord } from '../model/image-list.js';
import { type ImageReport, platformReportOf } from './reports.js';

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
