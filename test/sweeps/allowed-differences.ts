import { isDeepStrictEqual } from 'node:util';
import type { Descriptor } from '../../src/model/descriptor.js';
import { isIndexType, isManifestType } from '../../src/model/media-types.js';
import type { Committed } from './outcome.js';

/** What one changed bit made of the one image of a small archive. */
export type Difference = 'none' | AllowedDifference | 'unexpected';

/**
 * What no digest of an archive vouches for, so that a changed bit of it makes another valid archive. All of them are
 * fields of `index.json` or of a docker-archive's `manifest.json`; the content that is committed is the same in each case
 * but the last.
 */
export type AllowedDifference =
  /** A letter of the image's name: the image is whole, under another name. */
  | 'name'
  /** A letter of an annotation or of its key, of a platform or of an unknown field: the root's digest is the same. */
  | 'descriptor'
  /** A letter of the root's media type: the root alone is kept, as bytes of a type that nobody knows. */
  | 'opaque';

/** Compares what was committed with what the good archive commits; each of them one image. */
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
