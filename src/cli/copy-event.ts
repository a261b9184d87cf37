import type { Digest } from '../model/digest.js';
import type { RateLimit } from '../registry/origin-memory.js';

/* What the lines of a report have. */

/** What became of one line of a list, as a line of a report has it. */
export interface CopyEvent {
  readonly from: string;
  readonly to: string;
  readonly status: 'planned' | 'up-to-date' | 'copied' | 'failed';
  /** When it ended (RFC 3339). Absent in reports of earlier versions. */
  readonly time?: string;
  /** What was chosen of the images. */
  readonly choices: string;
  readonly images?: readonly CopiedImage[];
  readonly bytes?: number;
  /** Signatures and other referrers that went along, beside those that an index lists. */
  readonly referrers?: number;
  /** What the registry of the source, or else of the destination, said last of how much it still allows. */
  readonly rateLimit?: RateLimit;
  readonly seconds: number;
  readonly incomplete?: boolean;
  readonly error?: { readonly code: string; readonly message: string };
}

/** What becomes of one tag that a sync has written and that no rule keeps, as a line of a report has it. */
export interface RemovalEvent {
  /** The repository that it came from. */
  readonly from: string;
  /** The tag. */
  readonly to: string;
  /** `removing` is on disk before the registry is asked. */
  readonly status: 'would-remove' | 'removing' | 'removed' | 'gone' | 'moved' | 'remove-failed' | 'not-tried';
  readonly time: string;
  readonly digest: Digest;
  readonly reason: string;
  readonly error?: { readonly code: string; readonly message: string };
}

/** A line of a report. */
export type ReportEvent = CopyEvent | (RemovalEvent & { readonly images?: never });

/** An image of a line: its name, the digest that it has at the source, and the one at the destination. */
export interface CopiedImage {
  readonly name?: string;
  readonly source: Digest;
  readonly digest: Digest;
}
