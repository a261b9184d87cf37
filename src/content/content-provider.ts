import type { ByteRange, ContentKind } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import type { LadingError } from '../model/errors.js';

/** A blob that is here: its size in bytes, and its damage if that is known. */
export interface FoundBlob {
  readonly size: number;
  /** The repository of the same registry that has just lent it, if the place is a repository. */
  readonly mountedFrom?: string;
  readonly damage?: LadingError;
}

/** Which part of a blob to read: all of it, or a range. */
export interface OpenOptions {
  readonly kind: ContentKind;
  readonly range?: ByteRange;
}

/** A place where content can be looked up and read. It needs the kind, since a registry has an endpoint for each. */
export interface ContentProvider {
  /** The blob, or undefined if it is not here. */
  stat(digest: Digest, kind: ContentKind): Promise<FoundBlob | undefined>;
  /** The blob's bytes, not verified. It is opened when its first chunk is read, which may throw ERR_BLOB_MISSING. */
  open(digest: Digest, options: OpenOptions): AsyncIterable<Buffer>;
}
