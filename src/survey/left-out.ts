import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { keepsPart, missesPart } from '../model/kept-parts.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import { nodesOf } from './nodes-of.js';
import type { Survey } from './survey-images.js';

/** Whether a part of an image of an archive was left out on purpose, as its record tells. */
export function isLeftOut(record: ImageRecord, digest: Digest | undefined): boolean {
  return digest !== undefined && !keepsPart(record, digest);
}

/** The same of an image of a store. A record of an older version does not tell. */
export function wasLeftOut(record: ImageRecord, digest: Digest | undefined): boolean {
  return record.missed !== undefined && digest !== undefined && !isMeant(record, digest);
}

/** Whether a part is kept or missed. */
function isMeant(record: ImageRecord, digest: Digest): boolean {
  return keepsPart(record, digest) || missesPart(record, digest);
}

/**
 * What a save of an image means to have below its root, present or not; undefined if that is all. What the filter
 * excludes is left out on purpose, and so is what is missing and was left out before.
 */
export function meantParts(
  survey: Survey,
  target: ImageRecord,
  referrers: ReferrerPolicy,
): readonly Digest[] | undefined {
  const below = nodesOf(survey, target).filter(({ node }) => node.descriptor.digest !== target.descriptor.digest);
  const meant = below.filter(
    ({ node, completeness }) => completeness.state === 'complete' || isMeant(target, node.descriptor.digest),
  );
  const excludes = survey.platforms.outcomesOf(target).some(({ state }) => state === 'excluded');
  if (!excludes && referrers === 'follow' && meant.length === below.length) return undefined;
  return [...new Set(meant.map(({ node }) => node.descriptor.digest))].toSorted();
}
