import type { ImageRecord } from '../model/image-list.js';
import type { Digest } from '../model/digest.js';

/** Some blobs or files, and their bytes together. */
export interface Amount {
  readonly count: number;
  readonly bytes: number;
}

/** Blobs that an operation holds, beside those that images need anyway. `ageMs` since it last claimed one. */
export interface HeldBlobs extends Amount {
  /** `alive`: it is running. `over`: it was interrupted, and may be resumed. `unknown`: of another host or container. */
  readonly state: 'alive' | 'over' | 'unknown';
  readonly ageMs: number;
  readonly pid?: number;
  readonly host?: string;
}

/** What a prune removed, or would remove, and what keeps the rest. */
export interface PruneReport {
  readonly images: readonly ImageRecord[];
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
  /** Damaged blobs that were moved away before, past the grace time. */
  readonly damaged: readonly { readonly digest: Digest; readonly size: number }[];
  /** Files that interrupted loads have left half written. */
  readonly interrupted: Amount;
  readonly kept: {
    /** Blobs that images need. */
    readonly images: Amount;
    readonly held: readonly HeldBlobs[];
    /** Blobs that nothing needs and that are younger than the grace time; damaged ones that are kept as long. */
    readonly young: Amount;
  };
}

/**
 * When a prune starts: `now`, `graceMs` and `resumeMs` in milliseconds. What is younger than the grace time stays, and what an
 * interrupted load had stored stays for the resume time, 24 hours by default.
 */
export interface PruneOptions {
  readonly now: number;
  readonly graceMs: number;
  readonly resumeMs?: number;
  readonly dryRun?: boolean;
}
