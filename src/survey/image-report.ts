import { companionSubject } from '../model/companion-tag.js';
import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { nodesOf } from './nodes-of.js';
import { platformReportOf, type ImageReport, type PlatformReport } from './reports.js';
import type { Survey } from './survey-images.js';

/** The report of one image. `digest` is the root that it has in the archive or store. */
export function imageReportOf(survey: Survey, target: ImageRecord, digest = target.descriptor.digest): ImageReport {
  const { name, tag, descriptor } = target;
  const companionOf = companionSubject(target);
  return {
    ...(name !== undefined && { name }),
    ...(tag !== undefined && { tag }),
    digest,
    ...(digest !== descriptor.digest && { sourceDigest: descriptor.digest }),
    ...(companionOf !== undefined && { companionOf }),
    platforms: platformReportsOf(survey, target),
  };
}

/** The states of the image's platforms, then its indexes that are not here: nobody knows what those list. */
export function platformReportsOf(survey: Survey, target: ImageRecord): readonly PlatformReport[] {
  const unknown = missingIndexesOf(survey, target).map(
    (digest) => ({ digest, state: 'missing', missing: digest }) as const,
  );
  return [...survey.platforms.outcomesOf(target), ...unknown].map(platformReportOf);
}

/** The indexes of the image that are listed but not here. */
export function missingIndexesOf(survey: Survey, target: ImageRecord): readonly Digest[] {
  return nodesOf(survey, target)
    .filter(({ node }) => node.kind === 'index' && node.subject === undefined)
    .filter(({ completeness }) => completeness.state === 'missing')
    .map(({ node }) => node.descriptor.digest);
}
