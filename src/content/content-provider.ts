import type { ByteRange, ContentKind } from '../model/content.js';
import type { Digest } from '../model/digest.js';
import type { LadingError } from '../model/errors.js';

/** A blob that is here: its bytes, and what is wrong with it where that is known. */
export interface FoundBlob {
  readonly size: number;
  readonly damage?: LadingError;
}

/** What is read of a blob: all of it, or a range. */
export interface OpenOptions {
  readonly kind: ContentKind;
  readonly range?: ByteRange;
}

/** A place where content can be looked up and read. A registry has two endpoints, so that it must know the kind of each. */
export interface ContentProvider {
  /** The blob, or undefined where it is not here. */
  stat(digest: Digest, kind: ContentKind): Promise<FoundBlob | undefined>;
  /** The blob's bytes, not verified. Opened when the first chunk is asked for. The chunks throw ERR_BLOB_MISSING. */
  open(digest: Digest, options: OpenOptions): AsyncIterable<Buffer>;
}
