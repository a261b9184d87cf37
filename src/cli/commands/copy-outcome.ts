import type { Digest } from '../../model/digest.js';
import type { OnProgress } from '../../model/progress-event.js';
import type { ImageReport, Warning } from '../../survey/reports.js';
import type { TrustReport } from '../../trust/trust-report.js';

/** What one copy did, as the command reports it. */
export interface CopyOutcome {
  readonly images: readonly ImageReport[];
  readonly blobs: CopiedBlobs;
  readonly warnings: readonly Warning[];
  /** The judgement of each image, if there was a policy. */
  readonly trust?: readonly TrustReport[];
  /** Signatures and other referrers that went along, beside those that an index lists. */
  readonly referrers?: number;
  readonly incomplete: boolean;
  readonly upToDate: boolean;
}

/** The counts of a copy, as far as they are known. */
export interface CopiedBlobs {
  readonly copied?: number;
  readonly present?: number;
  readonly planned?: number;
  readonly bytesCopied?: number;
  readonly bytesPresent?: number;
  readonly bytesPlanned?: number;
}

/** The digest that an image got when it was copied like this before. */
export type CopiedBefore = (source: Digest) => Digest | undefined;

/** What a copy is told of earlier ones, and whom it tells how it goes. */
export interface OneCopyOptions {
  readonly copiedBefore: CopiedBefore;
  readonly onProgress: OnProgress | undefined;
}
