import { mapInTurns } from '../flow/in-turns.js';
import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { formatPlatformFull } from '../model/platform.js';
import { imageReportOf, missingIndexesOf, platformReportsOf } from './image-report.js';
import { nodesOf } from './nodes-of.js';
import { isLeftOut, wasLeftOut } from './left-out.js';
import { labelOfRecord, type ImageReport, type PlatformReport, type Warning } from './reports.js';
import type { Survey } from './survey-images.js';

/**
 * What to do if a requested platform is not available. `fail` throws an error; `skip` takes the other platforms, and
 * the result is incomplete.
 */
export type MissingPlatforms = 'fail' | 'skip';

/** The images that have something to take, and whether anything requested is missing. */
export interface Judgement {
  readonly taken: readonly ImageRecord[];
  /** The other images, with the state of each of their platforms. */
  readonly leftOut: readonly ImageReport[];
  readonly incomplete: boolean;
  readonly warnings: readonly Warning[];
}

/** A requested platform that an image does not list (`absent`), or lists without all of its content (`missing`). */
interface Unavailable {
  readonly image: string;
  readonly platform: string;
  readonly state: 'absent' | 'missing';
  readonly missing?: Digest;
  /** An index of the image that is missing, and may list the platform. */
  readonly index?: Digest;
}

/**
 * Decides which of the surveyed images can be taken. `doing` is a word for messages. Throws ERR_PLATFORM_UNAVAILABLE.
 * If no platforms were requested, throws ERR_BLOB_MISSING for an image that has no complete platform.
 */
export async function judgePlatforms(
  survey: Survey,
  targets: readonly ImageRecord[],
  missingPlatforms: MissingPlatforms,
  doing: 'saved' | 'loaded',
): Promise<Judgement> {
  const judged = await mapInTurns(targets, (target) => ({
    target,
    has: hasAnything(survey, target),
    unavailable: unavailableOf(survey, target),
  }));
  const taken = judged.filter(({ has }) => has).map(({ target }) => target);
  const others = judged.filter(({ has }) => !has).map(({ target }) => target);
  const unavailable = judged.flatMap((one) => one.unavailable);
  if (survey.platforms.wantsAll) refuseEmpty(survey, others, taken, missingPlatforms, doing);
  else if (unavailable.length > 0 && (missingPlatforms === 'fail' || taken.length === 0)) {
    throw unavailableError(survey, targets, unavailable, doing);
  }
  const leftOut = await mapInTurns(others, (target) => imageReportOf(survey, target));
  const isOnPurpose = doing === 'loaded' ? isLeftOut : wasLeftOut;
  const isExpected = (target: ImageRecord, { digest, state }: PlatformReport): boolean =>
    survey.platforms.wantsAll && state === 'missing' && isOnPurpose(target, digest);
  const warnings = await mapInTurns(targets, (target) => missingWarnings(survey, target, isExpected));
  return { taken, leftOut, incomplete: unavailable.length > 0 || leftOut.length > 0, warnings: warnings.flat() };
}

/** True if the image has a complete manifest that is wanted. Without a list, also if its indexes are here and empty. */
function hasAnything(survey: Survey, target: ImageRecord): boolean {
  const { platforms } = survey;
  const outcomes = platforms.outcomesOf(target);
  if (outcomes.some(({ state }) => state === 'complete')) return platforms.wantsAll || isMet(platforms, target);
  if (!platforms.wantsAll || outcomes.length > 0 || missingIndexesOf(survey, target).length > 0) return false;
  return nodesOf(survey, target).some(
    ({ node, completeness }) => isRoot(node.descriptor.digest, target) && completeness.state === 'complete',
  );
}

function isMet(platforms: Survey['platforms'], target: ImageRecord): boolean {
  return platforms.unmetOf(target).length < platforms.requested.length;
}

function isRoot(digest: Digest, target: ImageRecord): boolean {
  return digest === target.descriptor.digest;
}

function unavailableOf(survey: Survey, target: ImageRecord): readonly Unavailable[] {
  const [index] = missingIndexesOf(survey, target);
  return survey.platforms.unmetOf(target).map(({ platform, state, missing }) => ({
    image: labelOfRecord(target),
    platform: formatPlatformFull(platform),
    state,
    ...(missing && { missing }),
    ...(index && state === 'absent' && { index }),
  }));
}

function refuseEmpty(
  survey: Survey,
  [empty]: readonly ImageRecord[],
  taken: readonly ImageRecord[],
  missingPlatforms: MissingPlatforms,
  doing: string,
): void {
  if (empty === undefined || (missingPlatforms === 'skip' && taken.length > 0)) return;
  const missing = survey.platforms.outcomesOf(empty).find((outcome) => outcome.missing !== undefined)?.missing;
  const digest = missing ?? missingIndexesOf(survey, empty)[0] ?? empty.descriptor.digest;
  const message = `image ${labelOfRecord(empty)} was not ${doing}: none of its platforms is complete, ${digest} is missing`;
  throw new LadingError('ERR_BLOB_MISSING', message, { details: { image: labelOfRecord(empty), digest } });
}

function unavailableError(
  survey: Survey,
  targets: readonly ImageRecord[],
  unavailable: readonly Unavailable[],
  doing: string,
): LadingError {
  const message = unavailableMessage(survey, targets, unavailable, doing);
  return new LadingError('ERR_PLATFORM_UNAVAILABLE', message, { details: { unavailable } });
}

/** The Engine's own message if its case fits exactly; else every image and platform that is not available, and why. */
function unavailableMessage(
  { platforms }: Survey,
  targets: readonly ImageRecord[],
  unavailable: readonly Unavailable[],
  doing: string,
): string {
  const images = [...new Set(unavailable.map(({ image }) => image))];
  const list = platforms.requested.map((platform) => formatPlatformFull(platform)).join(' ');
  const isAllAbsent = unavailable.every(({ state, index }) => state === 'absent' && index === undefined);
  if (isAllAbsent && unavailable.length === targets.length * platforms.requested.length) {
    if (images.length === 1)
      return `image ${images[0]} was not ${doing}: it doesn't provide the requested platform ([${list}])`;
    return `images [${images.join(', ')}] were not ${doing}: they don't provide the requested platform ([${list}])`;
  }
  const [first] = unavailable;
  if (unavailable.every(({ state }) => state === 'missing') && images.length === 1) {
    const found = unavailable.map(({ platform }) => platform).join(' ');
    return `image ${images[0]} was not ${doing}: requested platform(s) ([${found}]) found, but some content is missing: ${first?.missing}`;
  }
  return `not ${doing}: ${unavailable.map(whyUnavailable).join('; ')}`;
}

function whyUnavailable({ image, platform, state, missing, index }: Unavailable): string {
  if (state === 'missing') return `${image} lists ${platform}, but ${missing} is missing`;
  if (index !== undefined) return `${image} may have ${platform}, but its index ${index} is missing`;
  return `${image} does not list ${platform}`;
}

/** A warning for each platform that is not taken, though it was requested or the image lists it. */
function missingWarnings(
  survey: Survey,
  target: ImageRecord,
  isExpected: (target: ImageRecord, report: PlatformReport) => boolean,
): readonly Warning[] {
  const image = labelOfRecord(target);
  return platformReportsOf(survey, target)
    .filter((report) => (report.state === 'missing' || report.state === 'absent') && !isExpected(target, report))
    .map((report) => ({
      code: 'WARN_PLATFORM_MISSING',
      message: missingMessage(image, report),
      image,
      platform: report.platform,
    }));
}

function missingMessage(image: string, { platform, state, digest, missing }: PlatformReport): string {
  if (state === 'absent') return `${image} does not list ${platform}`;
  if (platform === 'unknown' && digest === missing) return `${image}: ${missing} is listed, but missing`;
  return `${image}: ${platform} is listed, but ${missing} is missing`;
}
