import { createHash } from 'node:crypto';
import { checkJobs } from '../../copy/copy-blobs.js';
import { DEFAULT_BLOB_JOBS } from '../../copy/copy-images.js';
import type { IndexPolicy } from '../../export/choose-roots.js';
import type { OnConflict } from '../../model/image-list.js';
import type { OnProgress } from '../../model/progress-event.js';
import type { ReferrerPolicy } from '../../model/wanted-blobs.js';
import type { Policy } from '../../trust/policy.js';
import type { CommandContext, CommonOptions } from '../command-context.js';
import type { RegistryOptions } from '../registry-options.js';

/** The options of `copy`, `pull` and `push`. */
export interface CopyCommandOptions extends CommonOptions, RegistryOptions {
  readonly platform?: readonly string[];
  readonly index: IndexPolicy;
  readonly referrers: ReferrerPolicy;
  readonly allowMissing?: boolean;
  readonly onConflict: OnConflict;
  readonly allTags?: boolean;
  readonly dryRun?: boolean;
  readonly blobJobs: string;
  /** The policy of `--key` and `--policy`. */
  readonly trust?: Policy | undefined;
}

/** What the options of `copy`, `pull` and `push` choose, as the library takes it. */
export function choicesOf(
  { platform = [], index, referrers, allowMissing, onConflict, trust }: CopyCommandOptions,
  { signal }: Pick<CommandContext, 'signal'>,
  onProgress?: OnProgress,
) {
  const missingPlatforms = allowMissing === true ? 'skip' : 'fail';
  const told = onProgress && { onProgress };
  const policy = trust && { policy: trust };
  return { platforms: platform, index, referrers, missingPlatforms, onConflict, ...policy, signal, ...told } as const;
}

/** What decides which content an image has at its destination, as a short text. */
export function choicesText({ platform = [], index, referrers, allowMissing = false }: CopyCommandOptions): string {
  const text = JSON.stringify([platform.toSorted(), index, referrers, allowMissing]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

/** What a line of a sync document says itself of its content. */
export type LineChoices = Partial<
  Pick<CopyCommandOptions, 'platform' | 'index' | 'referrers' | 'allowMissing' | 'onConflict'>
>;

/** A text that is the same for the same choices. */
export function choicesKey({ platform, index, referrers, allowMissing, onConflict }: LineChoices = {}): string {
  return JSON.stringify([platform, index, referrers, allowMissing, onConflict]);
}

/** The options of a command, with those of a line in their place. */
export function withChoices<Options extends CopyCommandOptions>(options: Options, choices: LineChoices = {}): Options {
  return { ...options, ...choices };
}

/** How many blobs go at once. Throws ERR_OPTION_INVALID. */
export function blobJobsOf({ blobJobs }: CopyCommandOptions): number {
  const jobs = Number(blobJobs ?? DEFAULT_BLOB_JOBS);
  checkJobs(jobs, '--blob-jobs');
  return jobs;
}
