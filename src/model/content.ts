import type { Digest } from './digest.js';
import { isIndexType, isManifestType } from './media-types.js';
import { fields, TEXT } from './rules.js';

/** Digest and size of a blob. */
export interface Content {
  readonly digest: Digest;
  readonly size: number;
}

/** A part of a blob, in bytes. `end` is not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** `manifest`: an index or a manifest. `blob`: everything else, configs and layers (distribution-spec, "Endpoints"). */
export type ContentKind = 'manifest' | 'blob';

const DESCRIBED = fields({ mediaType: TEXT });

/** The kind of content of a media type. */
export function contentKindOf(descriptor: { readonly mediaType: string }): ContentKind {
  DESCRIBED(descriptor, 'descriptor');
  const { mediaType } = descriptor;
  return isIndexType(mediaType) || isManifestType(mediaType) ? 'manifest' : 'blob';
}

/** The bytes of all together. */
export function totalBytes(sizes: Iterable<number>): number {
  let bytes = 0;
  for (const size of sizes) bytes += size;
  return bytes;
}

/** The bytes of blobs, from pairs of a digest and its bytes. */
export function bytesOfBlobs(blobs: Iterable<readonly [Digest, number]>): number {
  return totalBytes(Array.from(blobs, ([, size]) => size));
}
