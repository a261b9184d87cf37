import { LadingError } from '../model/errors.js';
import { callerIds } from '../stores/rootfs/caller.js';
import type { PlannedTree } from './plan-tree.js';
import type { Ownership, SkippedKind } from './report-shapes.js';
import { skippedOf, type SkipCounter } from './skipped.js';
import type { UnpackOptions } from './unpack-options.js';

/** The options of a directory, and whose its files will be. */
export type Decided = UnpackOptions & { readonly ownership: Ownership };

/** What a directory will have of a tree. */
export interface DirectoryPlan {
  readonly keepsOwners: boolean;
  readonly keepsSetIds: boolean;
  readonly skips: SkipCounter;
}

/** An ERR_OPTION_INVALID about this option. */
export function wrongOption(option: string, message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option } });
}

/** Whose the files of a directory will be. Throws ERR_OPTION_INVALID for what only root can do. */
export function ownershipOf({ owner }: UnpackOptions): Ownership {
  const isRoot = callerIds().uid === 0;
  if (owner === 'keep' && !isRoot) throw wrongOption('owner', 'only root can keep the owners of files; use "caller"');
  return owner ?? (isRoot ? 'keep' : 'caller');
}

/** What a directory gets without native calls, beside owners and set-id bits. */
const NONE = { devices: false, fifos: false, userXattrs: false, otherXattrs: false, specialXattrs: false } as const;

/** What a directory will have of the tree, and what it will lack. */
export async function directoryPlan(plan: PlannedTree, { ownership, setId, bundle }: Decided): Promise<DirectoryPlan> {
  const keepsOwners = ownership === 'keep';
  // Nobody else reaches the files of a bundle.
  const keepsSetIds = (keepsOwners || bundle === true) && setId !== false;
  const abilities = { ...NONE, owners: keepsOwners, setIds: keepsSetIds };
  return { keepsOwners, keepsSetIds, skips: await skippedOf(plan, abilities, callerIds()) };
}

/** Whether the caller asked for this to be left out. */
export function isWished(what: SkippedKind, { setId, owner }: UnpackOptions): boolean {
  return what === 'set-id' ? setId === false || owner === 'caller' : what === 'owner' && owner === 'caller';
}
