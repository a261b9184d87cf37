import type { Digest } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import { FLAG, milliseconds, must, optionsOf, type Rule } from '../model/rules.js';

/** A number of blobs or files, and the sum of their bytes. */
export interface Amount {
  readonly count: number;
  readonly bytes: number;
}

/** Blobs that an operation holds and that no image needs. `ageMs` is the time since it last claimed a blob. */
export interface HeldBlobs extends Amount {
  /** `alive`: it is running. `over`: it was interrupted and may be resumed. `unknown`: on another host or container. */
  readonly state: 'alive' | 'over' | 'unknown';
  readonly ageMs: number;
  readonly pid?: number;
  readonly host?: string;
}

/** What a prune removed, or would remove, and why it kept the rest. */
export interface PruneReport {
  readonly images: readonly ImageRecord[];
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
  /** Damaged blobs that were moved away longer ago than the grace time. */
  readonly damaged: readonly { readonly digest: Digest; readonly size: number }[];
  /** Files that interrupted loads left half written. */
  readonly interrupted: Amount;
  readonly kept: {
    /** Blobs that images need. */
    readonly images: Amount;
    /** Images that were loaded without a name. They stay unless `dangling` is given. */
    readonly unnamed: number;
    readonly held: readonly HeldBlobs[];
    /** Unneeded blobs that are younger than the grace time, and damaged ones that were moved away as recently. */
    readonly young: Amount;
  };
}

/**
 * What decides which content a prune removes. Times are in milliseconds: content younger than `graceMs` at the time
 * `now` stays; the blobs of an interrupted load stay for `resumeMs`, 24 hours by default.
 */
export interface PruneOptions {
  readonly now: number;
  readonly graceMs: number;
  readonly resumeMs?: number;
  /** Also removes images that were loaded without a name. By default only those that have lost theirs. */
  readonly dangling?: boolean;
  readonly dryRun?: boolean;
}

/** Rules of these options. */
export const PRUNE_OPTIONS: Rule = optionsOf<PruneOptions>(
  {
    now: must('a time in milliseconds', Number.isFinite),
    graceMs: milliseconds(),
    resumeMs: milliseconds(),
    dangling: FLAG,
    dryRun: FLAG,
  },
  ['now', 'graceMs'],
);
