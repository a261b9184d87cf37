import { isDeepStrictEqual } from 'node:util';
import type { Descriptor } from '../../src/model/descriptor.js';
import { isIndexType, isManifestType } from '../../src/model/media-types.js';
import type { Committed } from './outcome.js';

/** How the loaded image differs after one bit of a small archive was changed. */
export type Difference = 'none' | AllowedDifference | 'unexpected';

/**
 * Changes in fields that no digest covers, so that the archive stays valid. All of them are fields of `index.json` or
 * of a docker-archive's `manifest.json`. The committed content is the same in each case but the last.
 */
export type AllowedDifference =
  /** A letter of the image's name: the image is whole, under another name. */
  | 'name'
  /** A letter of an annotation or of its key, of a platform or of an unknown field: the root's digest is the same. */
  | 'descriptor'
  /** A letter of the root's media type: the root alone is kept, as bytes of an unknown type. */
  | 'opaque';

/** Compares a committed image with that of the good archive. Each store must have exactly one. */
export function differenceOf(good: Committed, actual: Committed): Difference {
  if (isDeepStrictEqual(good, actual)) return 'none';
  const [expected] = good.images;
  const [image, ...others] = actual.images;
  if (expected === undefined || image === undefined || others.length > 0) return 'unexpected';
  if (image.descriptor.digest !== expected.descriptor.digest) return 'unexpected';
  if (!isImage(image.descriptor)) {
    return isDeepStrictEqual(actual.blobs, [expected.descriptor.digest]) ? 'opaque' : 'unexpected';
  }
  if (!isDeepStrictEqual(actual.blobs, good.blobs)) return 'unexpected';
  return isDeepStrictEqual(image.descriptor, expected.descriptor) ? 'name' : 'descriptor';
}

function isImage({ mediaType }: Descriptor): boolean {
  return isIndexType(mediaType) || isManifestType(mediaType);
}
