import { setImmediate } from 'node:timers/promises';
import { LadingError, quote } from '../model/errors.js';
import { canMake, type Abilities } from '../stores/rootfs/abilities.js';
import type { Warning } from '../survey/reports.js';
import type { Metadata } from '../tree/nodes.js';
import { pathOf } from '../tree/nodes.js';
import { shownName } from '../tree/tree-error.js';
import type { PlannedTree } from './plan-tree.js';
import type { Skipped, SkippedKind } from './report-shapes.js';

/** The abilities of a flat tar. */
export const ALL_ABILITIES: Abilities = {
  devices: true,
  fifos: true,
  userXattrs: true,
  otherXattrs: true,
  specialXattrs: true,
  owners: true,
  setIds: true,
};

/** Inodes between two turns of other work. */
const INODES_PER_TURN = 20_000;

/** Counts what is left out. */
export class SkipCounter {
  readonly #counts = new Map<SkippedKind, Skipped>();

  add(what: SkippedKind, path: string, count = 1): void {
    if (count === 0) return;
    const known = this.#counts.get(what) ?? { what, count: 0, first: shownName(path) };
    this.#counts.set(what, { ...known, count: known.count + count });
  }

  get all(): readonly Skipped[] {
    const order: readonly SkippedKind[] = ['device', 'xattr', 'owner', 'set-id'];
    return order.flatMap((what) => this.#counts.get(what) ?? []);
  }
}

/**
 * What of the tree the target cannot take. Root and the caller, whose ids are `caller`, are no owners to lose: what
 * belongs to root in an image belongs to the caller where all does.
 */
export async function skippedOf(plan: PlannedTree, abilities: Abilities, caller: Ids): Promise<SkipCounter> {
  const counter = new SkipCounter();
  const { listing, files } = plan;
  let count = 0;
  listing.rewind();
  for (let inode = listing.take(); inode !== undefined; inode = listing.take()) {
    const { node, path } = inode;
    if ((count += 1) % INODES_PER_TURN === 0) await setImmediate();
    if (typeof node === 'number') {
      const { uid, gid, setId, capability, userXattrs, otherXattrs } = files.row(node);
      if (!abilities.owners && isForeign({ uid, gid }, caller)) counter.add('owner', path);
      const gives = setId || (capability && abilities.otherXattrs);
      if (gives && !abilities.setIds) counter.add('set-id', path);
      if (!abilities.userXattrs) counter.add('xattr', path, userXattrs);
      if (!abilities.otherXattrs) counter.add('xattr', path, otherXattrs);
      continue;
    }
    const isMade = canMake(abilities, node);
    if (!isMade) counter.add('device', path);
    else if (!abilities.owners && isForeign(node.metadata, caller)) counter.add('owner', path);
    const { user, other } = xattrsOf(node.metadata);
    counter.add('xattr', path, isMade && abilities.specialXattrs ? 0 : user);
    counter.add('xattr', path, isMade && abilities.otherXattrs ? 0 : other);
  }
  for (const directory of listing.directories) {
    const path = pathOf(directory) || './';
    if (!abilities.owners && isForeign(directory.metadata, caller)) counter.add('owner', path);
    const { user, other } = xattrsOf(directory.metadata);
    counter.add('xattr', path, abilities.userXattrs ? 0 : user);
    counter.add('xattr', path, abilities.otherXattrs ? 0 : other);
  }
  return counter;
}

/** An owner. */
export interface Ids {
  readonly uid: number;
  readonly gid: number;
}

function isForeign({ uid, gid }: Ids, caller: Ids): boolean {
  return (uid !== 0 && uid !== caller.uid) || (gid !== 0 && gid !== caller.gid);
}

function xattrsOf({ xattrs }: Metadata): { readonly user: number; readonly other: number } {
  const names = [...(xattrs?.keys() ?? [])];
  const user = names.filter((name) => name.startsWith('user.')).length;
  return { user, other: names.length - user };
}

const WORDS: Readonly<Record<SkippedKind, string>> = {
  device: 'devices and fifos',
  xattr: 'extended attributes',
  owner: 'owners',
  'set-id': 'set-id bits and file capabilities',
};

/** The warning about one kind that was left out. */
export function skippedWarning({ what, count, first }: Skipped, image: string): Warning {
  const message = `${count} ${WORDS[what]} of ${image} were left out, first that of ${quote(first)}`;
  return { code: 'WARN_UNPACK_SKIPPED', message, image };
}

/** Throws ERR_UNPACK_INCOMPLETE if anything would be left out. */
export function refuseSkipped(skipped: readonly Skipped[], image: string): void {
  if (skipped.length === 0) return;
  const list = skipped.map(({ what, count, first }) => `${count} ${WORDS[what]} (first ${quote(first)})`).join(', ');
  const message = `${image} was not unpacked: this would leave out ${list}`;
  throw new LadingError('ERR_UNPACK_INCOMPLETE', message, { details: { skipped } });
}
