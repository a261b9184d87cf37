import type { Digest } from './digest.js';

/** A blob that is known by what it is, not by what somebody said. */
export interface Content {
  readonly digest: Digest;
  readonly size: number;
}

/** A part of a blob: `start` and `end` in bytes, `end` not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}
