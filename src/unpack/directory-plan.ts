import { LadingError } from '../model/errors.js';
import { specialCalls, type SpecialCalls } from '../files/special-calls.js';
import type { Abilities } from '../stores/rootfs/abilities.js';
import { callerIds } from '../stores/rootfs/caller.js';
import type { PlannedTree } from './plan-tree.js';
import type { Ownership, SkippedKind } from './report-shapes.js';
import { skippedOf, type SkipCounter } from './skipped.js';
import type { UnpackOptions } from './unpack-options.js';

/** The options of a directory, and whose its files will be. */
export type Decided = UnpackOptions & { readonly ownership: Ownership };

/** What a directory will have of a tree. */
export interface DirectoryPlan {
  readonly abilities: Abilities;
  /** Undefined if nothing needs them, or they are not to be had. */
  readonly calls: SpecialCalls | undefined;
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

/** What a directory will have of the tree, and what it will lack. Native calls are loaded only for what needs them. */
export async function directoryPlan(plan: PlannedTree, options: Decided): Promise<DirectoryPlan> {
  const { devices, fifos } = plan.counts;
  const calls = devices + fifos > 0 || plan.hasXattrs ? specialCalls() : undefined;
  const abilities = abilitiesOf(options, { isNative: calls !== undefined, isRoot: callerIds().uid === 0 });
  return { abilities, calls, skips: await skippedOf(plan, abilities, callerIds()) };
}

function abilitiesOf(
  { ownership, setId, bundle }: Decided,
  { isNative, isRoot }: { readonly isNative: boolean; readonly isRoot: boolean },
): Abilities {
  const owners = ownership === 'keep';
  return {
    owners,
    // Nobody else reaches the files of a bundle.
    setIds: (owners || bundle === true) && setId !== false,
    devices: isNative && isRoot,
    fifos: isNative,
    userXattrs: isNative,
    otherXattrs: isNative && isRoot,
    specialXattrs: false,
  };
}

/** Whether the caller asked for this to be left out. */
export function isWished(what: SkippedKind, { setId, owner }: UnpackOptions): boolean {
  return what === 'set-id' ? setId === false || owner === 'caller' : what === 'owner' && owner === 'caller';
}
