import { LadingError } from '../model/errors.js';
import type { Digest } from '../model/digest.js';
import type { ByteRange } from '../model/content.js';

/** A blob that is here: its bytes, and what is wrong with it where that is known. */
export interface FoundBlob {
  readonly size: number;
  readonly damage?: LadingError;
}

/** Where content can be looked up and read. */
export interface ContentProvider {
  /** The blob, or undefined where it is not here. */
  stat(digest: Digest): Promise<FoundBlob | undefined>;
  /** The blob's bytes, not verified. Opened with the first chunk that is asked for. The chunks throw ERR_BLOB_MISSING. */
  open(digest: Digest, range?: ByteRange): AsyncIterable<Buffer>;
}
