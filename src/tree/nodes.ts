import type { FileTime } from '../model/file-time.js';
import type { Xattrs } from '../model/layer-header.js';

/** Owner, rights and time of a node. */
export interface Metadata {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: FileTime;
  readonly xattrs: Xattrs | undefined;
  /** The layer whose entry says so; -1 for none. */
  readonly layer: number;
}

/** What a directory has that no entry describes. */
export const IMPLIED: Metadata = { mode: 0o755, uid: 0, gid: 0, mtime: 0, xattrs: undefined, layer: -1 };

/** A symlink, device or fifo. Two names that hold the same object are hard links. */
export interface Special {
  readonly kind: 'symlink' | 'character' | 'block' | 'fifo';
  readonly metadata: Metadata;
  /** The number of its entry among those of all layers. */
  readonly ordinal: number;
  /** Where a symlink points to, as bytes, one character each. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
}

/** A directory. */
export class Directory {
  readonly name: string;
  readonly parent: Directory | undefined;
  /** Bytes of its path. */
  readonly pathBytes: number;
  metadata: Metadata;
  children: Map<string, TreeNode> | undefined;
  /** Whether it was removed from the tree. */
  isGone = false;

  constructor(name: string, parent: Directory | undefined, metadata: Metadata) {
    this.name = name;
    this.parent = parent;
    this.metadata = metadata;
    this.pathBytes = parent === undefined ? 0 : bytesIn(parent, name);
  }
}

/** A regular file is its number in the table of files: two names with the same number are hard links. */
export type TreeNode = number | Special | Directory;

/** Bytes of the path of a name in this directory. */
export function bytesIn({ pathBytes }: Directory, name: string): number {
  return pathBytes === 0 ? name.length : pathBytes + 1 + name.length;
}

/** The path of a name in a directory, as bytes, one character each; of the directory itself without a name. */
export function pathOf(directory: Directory, name?: string): string {
  const parts = name === undefined ? [] : [name];
  for (let at: Directory | undefined = directory; at?.parent !== undefined; at = at.parent) parts.push(at.name);
  return parts.toReversed().join('/');
}

/** Bytes of a link target and of attributes that the node holds. */
export function heldBytes(node: TreeNode): number {
  if (typeof node === 'number') return 0;
  return bytesOfXattrs(node.metadata) + (node instanceof Directory ? 0 : node.target.length);
}

/** Bytes of the names and values of extended attributes. */
export function bytesOfXattrs({ xattrs }: Metadata): number {
  let bytes = 0;
  for (const [name, value] of xattrs ?? []) bytes += name.length + value.length;
  return bytes;
}
