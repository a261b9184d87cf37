import type { Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ImageRecord } from '../model/image-list.js';
import { formatPlatformFull } from '../model/platform.js';
import { labelOf, platformReportOf, type Warning } from './reports.js';
import type { Survey } from './survey-images.js';

/**
 * What to do if a requested platform is not available. `fail` throws an error; `skip` takes the other platforms, and
 * the result is incomplete.
 */
export type MissingPlatforms = 'fail' | 'skip';

/** The images that have something to take, and whether anything requested is missing. */
export interface Judgement {
  readonly taken: readonly ImageRecord[];
  readonly incomplete: boolean;
  readonly warnings: readonly Warning[];
}

/** A requested platform that an image does not list (`absent`), or lists without all of its content (`missing`). */
interface Unavailable {
  readonly image: string;
  readonly platform: string;
  readonly state: 'absent' | 'missing';
  readonly missing?: Digest;
}

/**
 * Decides which of the surveyed images can be taken. `doing` is a word for messages. Throws ERR_PLATFORM_UNAVAILABLE.
 * If no platforms were requested, throws ERR_BLOB_MISSING for an image that has no complete platform.
 */
export function judgePlatforms(
  survey: Survey,
  targets: readonly ImageRecord[],
  missingPlatforms: MissingPlatforms,
  doing: 'saved' | 'loaded',
): Judgement {
  const taken = targets.filter((target) => hasAnything(survey, target));
  const unavailable = targets.flatMap((target) => unavailableOf(survey, target));
  if (survey.platforms.wantsAll) refuseEmpty(survey, targets, taken, missingPlatforms, doing);
  else if (unavailable.length > 0 && (missingPlatforms === 'fail' || taken.length === 0)) {
    throw unavailableError(survey, targets, unavailable, doing);
  }
  const warnings = taken.flatMap((target) => missingWarnings(survey, target));
  return { taken, incomplete: unavailable.length > 0 || taken.length < targets.length, warnings };
}

/** True if the image has a complete manifest that is wanted. Without a list, also if its indexes are here and empty. */
function hasAnything({ platforms, nodes }: Survey, target: ImageRecord): boolean {
  const outcomes = platforms.outcomesOf(target);
  if (outcomes.some(({ state }) => state === 'complete')) return platforms.wantsAll || isMet(platforms, target);
  if (!platforms.wantsAll || outcomes.length > 0 || missingIndexOf(nodes, target) !== undefined) return false;
  return nodes.some(
    ({ node, completeness }) => isRoot(node.descriptor.digest, target) && completeness.state === 'complete',
  );
}

/** The first index of the image that is listed but not here: nothing is known of the manifests under it. */
function missingIndexOf(nodes: Survey['nodes'], target: ImageRecord): Digest | undefined {
  return nodes
    .filter(({ node }) => node.target === target && node.kind === 'index' && node.subject === undefined)
    .find(({ completeness }) => completeness.state === 'missing')?.node.descriptor.digest;
}

function isMet(platforms: Survey['platforms'], target: ImageRecord): boolean {
  return platforms.unmetOf(target).length < platforms.requested.length;
}

function isRoot(digest: Digest, target: ImageRecord): boolean {
  return digest === target.descriptor.digest;
}

function unavailableOf({ platforms }: Survey, target: ImageRecord): readonly Unavailable[] {
  return platforms.unmetOf(target).map(({ platform, state, missing }) => ({
    image: labelOf(imageOf(target)),
    platform: formatPlatformFull(platform),
    state,
    ...(missing && { missing }),
  }));
}

function refuseEmpty(
  survey: Survey,
  targets: readonly ImageRecord[],
  taken: readonly ImageRecord[],
  missingPlatforms: MissingPlatforms,
  doing: string,
): void {
  const empty = targets.find((target) => !taken.includes(target));
  if (empty === undefined || (missingPlatforms === 'skip' && taken.length > 0)) return;
  const missing = survey.platforms.outcomesOf(empty).find((outcome) => outcome.missing !== undefined)?.missing;
  const digest = missing ?? missingIndexOf(survey.nodes, empty) ?? empty.descriptor.digest;
  const message = `image ${labelOf(imageOf(empty))} was not ${doing}: none of its platforms is complete, ${digest} is missing`;
  throw new LadingError('ERR_BLOB_MISSING', message, { details: { image: labelOf(imageOf(empty)), digest } });
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
  const isAllAbsent = unavailable.every(({ state }) => state === 'absent');
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
  const pairs = unavailable.map(({ image, platform, state, missing }) =>
    state === 'absent' ? `${image} does not list ${platform}` : `${image} lists ${platform}, but ${missing} is missing`,
  );
  return `not ${doing}: ${pairs.join('; ')}`;
}

/** Warnings of the first missing index and of each platform that is not here. */
function missingWarnings({ platforms, nodes }: Survey, target: ImageRecord): readonly Warning[] {
  const index = missingIndexOf(nodes, target);
  const message = `${labelOf(imageOf(target))}: index ${index} is listed, but missing`;
  return [
    ...(index === undefined ? [] : [{ code: 'WARN_PLATFORM_MISSING', message } as const]),
    ...missingPlatformWarnings(platforms, target),
  ];
}

function missingPlatformWarnings(platforms: Survey['platforms'], target: ImageRecord): readonly Warning[] {
  return platforms
    .outcomesOf(target)
    .filter(({ state }) => state === 'missing' || state === 'absent')
    .map(platformReportOf)
    .map(({ platform, state, missing }) => ({
      code: 'WARN_PLATFORM_MISSING',
      message:
        state === 'absent'
          ? `${labelOf(imageOf(target))} does not list ${platform}`
          : `${labelOf(imageOf(target))}: ${platform} is listed, but ${missing} is missing`,
    }));
}

function imageOf({ name, descriptor }: ImageRecord): { readonly name?: string; readonly digest: Digest } {
  return { ...(name !== undefined && { name }), digest: descriptor.digest };
}
