import { isDevice } from '../../files/special-calls.js';
import { CAPABILITY, type Xattrs } from '../../model/layer-header.js';
import type { Special } from '../../tree/nodes.js';

/** What the target can take. A flat tar takes all. */
export interface Abilities {
  readonly devices: boolean;
  readonly fifos: boolean;
  /** Extended attributes of files and directories: `user.` ones, and others. */
  readonly userXattrs: boolean;
  readonly otherXattrs: boolean;
  /** `user.` attributes of symlinks and special files, which the kernel refuses. */
  readonly specialXattrs: boolean;
  readonly owners: boolean;
  /** Set-id bits and file capabilities of regular files. */
  readonly setIds: boolean;
}

/** Whether the target gets this symlink, device or fifo. */
export function canMake({ devices, fifos }: Abilities, { kind, major, minor }: Special): boolean {
  if (kind === 'symlink') return true;
  return kind === 'fifo' ? fifos : devices && isDevice({ major, minor });
}

/** The extended attributes that the target gets of those of a node. */
export function keptXattrs(
  { userXattrs, otherXattrs, specialXattrs, setIds }: Abilities,
  xattrs: Xattrs | undefined,
  kind: 'file' | 'directory' | 'special',
): readonly (readonly [name: string, value: Buffer])[] {
  const takesUser = kind === 'special' ? specialXattrs : userXattrs;
  return [...(xattrs ?? [])].filter(([name]) => {
    if (name === CAPABILITY && kind === 'file') return otherXattrs && setIds;
    return name.startsWith('user.') ? takesUser : otherXattrs;
  });
}
