import type { Content } from '../../../model/content.js';
import type { Digest, DigestAlgorithm } from '../../../model/digest.js';
import type { ThreadError } from '../../../model/thread-error.js';
import type { IngestOutcome } from '../../store.js';

/* The messages between CopyWorkers and its threads. */

/** A task: write a part of one open file to another, and hash it. With `target` null: only hash it. Sizes in bytes. */
export interface PartTask {
  readonly fd: number;
  readonly start: number;
  readonly size: number;
  readonly algorithm: DigestAlgorithm;
  readonly target: number | null;
  /** Where in `copied` to count the bytes; undefined: nowhere. */
  readonly slot?: number;
}

/** A task: store a part of an open file as the file `blob`, by way of the new file `file`, if it matches `expected`. */
export interface StoreTask {
  readonly fd: number;
  readonly start: number;
  readonly size: number;
  readonly expected: Content;
  readonly file: string;
  readonly blob: string;
}

export type CopyTask = PartTask | StoreTask;

/** The copied bytes: fewer than requested if the file ended early or the copy was aborted. */
export interface Copied {
  readonly size: number;
  readonly digest: Digest;
}

export type Answer =
  { readonly copied: Copied } | { readonly outcome: IngestOutcome } | { readonly error: ThreadError };

export interface CopyWorkerData {
  /** Not 0: every copy must end early. */
  readonly aborted: Int32Array;
  /** The bytes of each part that is on its way. */
  readonly copied: BigInt64Array;
}

/** How many parts can be counted at once. */
export const SLOTS = 16;
