import { parseLayoutIndex } from '../content/parse-document.js';
import type { IndexPolicy } from '../export/choose-roots.js';
import type { ExportOptions, ExportPlan } from '../export/plan-export.js';
import type { BeforeCommit } from '../load/before-commit.js';
import type { CloseOptions } from '../load/close-archive.js';
import { INDEX_ENTRY, LAYOUT_ENTRY } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import type { OnConflict } from '../model/image-list.js';
import { limitsOf, type Limits } from '../model/limits.js';
import type { Platform } from '../model/platform.js';
import type { OnProgress } from '../model/progress-event.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import type { ArchiveContents } from '../stages/records.js';
import { hostPlatform, parseRequest } from '../survey/host-platform.js';
import type { MissingPlatforms } from '../survey/judge-platforms.js';
import type { Policy } from '../trust/policy.js';
import type { CopyEvent } from './copy-blobs.js';
import type { SharedWork } from './shared-work.js';

/** What to copy of the images, and how. */
export interface CopyOptions {
  /** Platforms to copy, as texts or OCI objects; none: all that are complete. */
  readonly platforms?: readonly (string | Platform)[];
  readonly index?: IndexPolicy;
  readonly referrers?: ReferrerPolicy;
  readonly missingPlatforms?: MissingPlatforms;
  readonly onConflict?: OnConflict;
  readonly hostPlatform?: Platform;
  readonly limits?: Partial<Limits>;
  /** Blobs at once. Default 4. */
  readonly blobJobs?: number;
  /** What this copy shares with others that run at the same time; takes the place of `blobJobs`. */
  readonly shared?: { readonly work: SharedWork; readonly place: string };
  /**
   * Made by `parsePolicy`: the copy fails before the first blob is sent unless every image meets it. What the
   * destination adds, such as other platforms of an index, is judged before any name moves.
   */
  readonly policy?: Policy;
  /** The name that an image has at its source, by the one that it gets: the policy is for the source's names. */
  readonly sourceName?: (name: string) => string;
  /** Called before any name moves, as that of `loadImages`. */
  readonly beforeCommit?: BeforeCommit;
  /** Called with the plan before anything is copied; what it throws ends the copy. */
  readonly onPlanned?: (plan: ExportPlan) => void;
  /** Called for each blob, and for each chunk of one. */
  readonly onBlob?: (event: CopyEvent) => void;
  /** Is told how the copy goes. */
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal;
}

/** What a plan takes of the options. */
export function choosingOf(options: CopyOptions): ExportOptions {
  const { onConflict: _, blobJobs: _1, shared: _2, policy: _3, sourceName: _4, ...rest } = options;
  const { beforeCommit: _5, onPlanned: _6, onBlob: _7, onProgress: _8, ...choosing } = rest;
  return choosing;
}

/** The plan's own list of images, as an archive would have it. */
export async function contentsOf(
  { entries }: ExportPlan,
  stored: Map<Digest, number>,
  limits: Limits,
): Promise<ArchiveContents> {
  const bytesOf = (wanted: string): Buffer => {
    const content = entries.find(({ name }) => name === wanted)?.content;
    return content !== undefined && 'bytes' in content ? content.bytes : Buffer.alloc(0);
  };
  return {
    layout: bytesOf(LAYOUT_ENTRY),
    index: await parseLayoutIndex(bytesOf(INDEX_ENTRY), limits),
    files: new Map(),
    layers: new Map(),
    links: new Map(),
    repeated: new Set(),
    skipped: { count: 0, bytes: 0 },
    stored,
    storedByOthers: new Set(),
    damaged: new Map(),
  };
}

/** How a copy ends: as a load does. */
export function closingOf(options: CopyOptions): CloseOptions {
  const {
    platforms,
    referrers = 'follow',
    missingPlatforms = 'fail',
    onConflict = 'replace',
    limits,
    signal,
  } = options;
  const { policy, sourceName, beforeCommit } = options;
  return {
    platforms: parseRequest(platforms, options.hostPlatform ?? hostPlatform()),
    referrers,
    missingPlatforms,
    onConflict,
    strict: false,
    policy,
    judgedName: sourceName,
    outcome: 'nothing was copied',
    policyReport: false,
    beforeCommit,
    digests: [],
    limits: limitsOf(limits),
    signal,
  };
}
