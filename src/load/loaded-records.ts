import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { withKept, type KeptPart } from '../model/kept-parts.js';
import { isIndexType } from '../model/media-types.js';
import { listingKeyOf } from '../model/platform.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import { isLeftOut } from '../survey/left-out.js';
import { nodesOf } from '../survey/nodes-of.js';
import type { ListedNode, Survey } from '../survey/survey-images.js';

/**
 * The records of loaded images and referrers, with the part of each that this load keeps. What a load passed over, and
 * what was not in its archive, is not kept, though the root lists it; the latter is missed.
 */
export function loadedRecords(
  survey: Survey,
  records: readonly ImageRecord[],
  follow: ReferrerPolicy,
): readonly ImageRecord[] {
  const indexes = records.filter(isIndex);
  const targets = targetsOf(survey, new Set(indexes.map(({ descriptor }) => descriptor.digest)));
  const takesAll = survey.platforms.wantsAll && follow === 'follow';
  // Once for each root: it may have many thousand names.
  const kept = new Map([...targets].map(([root, holders]) => [root, keptOf(survey, root, holders.values(), takesAll)]));
  return records.map((record) => withKept(record, (isIndex(record) && kept.get(record.descriptor.digest)) || {}));
}

function isIndex({ descriptor }: ImageRecord): boolean {
  return isIndexType(descriptor.mediaType);
}

/** The surveyed images that have each root in them; of those that are walked alike only one. */
function targetsOf(
  { nodes }: Survey,
  roots: ReadonlySet<Digest>,
): ReadonlyMap<Digest, ReadonlyMap<string, ImageRecord>> {
  const targets = new Map([...roots].map((root) => [root, new Map<string, ImageRecord>()]));
  for (const { node } of nodes) targets.get(node.descriptor.digest)?.set(walkKeyOf(node.target), node.target);
  return targets;
}

function walkKeyOf({ descriptor: { digest, platform, mediaType, size } }: ImageRecord): string {
  return `${listingKeyOf(digest, platform)} ${mediaType} ${size}`;
}

/**
 * The complete manifests and indexes that were surveyed, and those that are missing though the archive did not leave
 * them out on purpose; neither if the root lists only complete ones.
 */
function keptOf(survey: Survey, root: Digest, targets: Iterable<ImageRecord>, takesAll: boolean): KeptPart {
  const own = [...targets].flatMap((target) => nodesOf(survey, target));
  if (takesAll && own.every(isComplete)) return {};
  const below = own.filter(({ node }) => node.descriptor.digest !== root);
  const missed = below.filter(
    ({ node, completeness }) => completeness.state !== 'complete' && !isLeftOut(node.target, node.descriptor.digest),
  );
  return { kept: below.filter(isComplete).map(digestOf), missed: missed.map(digestOf) };
}

function digestOf({ node }: ListedNode): Digest {
  return node.descriptor.digest;
}

function isComplete({ completeness }: ListedNode): boolean {
  return completeness.state === 'complete';
}
