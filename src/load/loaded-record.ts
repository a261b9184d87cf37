import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { withKept } from '../model/kept-parts.js';
import { isIndexType } from '../model/media-types.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import type { ListedNode, Survey } from '../survey/survey-images.js';

/**
 * The record of a loaded image or referrer, with the part of it that this load keeps. What a load passed over, and what
 * was not in its archive, is not kept, though the root lists it.
 */
export function loadedRecord(survey: Survey, record: ImageRecord, follow: ReferrerPolicy): ImageRecord {
  const { mediaType, digest } = record.descriptor;
  return withKept(record, isIndexType(mediaType) ? keptOf(survey, digest, follow) : undefined);
}

/** The complete manifests and indexes that were surveyed; undefined if the root lists no others. */
function keptOf({ nodes, platforms }: Survey, root: Digest, follow: ReferrerPolicy): readonly Digest[] | undefined {
  const targets = new Set(nodes.filter(({ node }) => node.descriptor.digest === root).map(({ node }) => node.target));
  const own = nodes.filter(({ node }) => targets.has(node.target));
  if (platforms.wantsAll && follow === 'follow' && own.every(isComplete)) return undefined;
  return own
    .filter(isComplete)
    .flatMap(({ node: { descriptor } }) => (descriptor.digest === root ? [] : descriptor.digest));
}

function isComplete({ completeness }: ListedNode): boolean {
  return completeness.state === 'complete';
}
