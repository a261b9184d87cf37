import type { Digest } from '../model/digest.js';
import type { Warning } from '../survey/reports.js';
import type { TreeCounts } from '../tree/tree-listing.js';

/** What an unpacking may leave out. A fifo counts as a device. */
export type SkippedKind = 'device' | 'xattr' | 'owner' | 'set-id';

/** How much of one kind was left out, and the first path that has it. */
export interface Skipped {
  readonly what: SkippedKind;
  readonly count: number;
  readonly first: string;
}

/** Whose the unpacked files are: as the image says, or the caller's. */
export type Ownership = 'keep' | 'caller';

/** The image of an unpacking. */
export interface UnpackedImage {
  /** Full name; undefined for an unnamed image. */
  readonly name?: string;
  /** The root. */
  readonly digest: Digest;
  readonly manifest: Digest;
  readonly config: Digest;
  readonly platform?: string;
}

/** One layer of an unpacking. */
export interface UnpackedLayer {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly entries: number;
  /** Entries that describe a directory, file, symlink or special file of the tree. Further names do not count. */
  readonly kept: number;
  /** Of the unpacked layer. */
  readonly bytes: number;
}

/** What an unpacking makes, or would make. */
export interface UnpackPlan {
  readonly image: UnpackedImage;
  readonly layers: readonly UnpackedLayer[];
  /** `bytes` are those of regular files; `directories` counts the root too; `hardLinks` counts names beyond the first. */
  readonly tree: Omit<TreeCounts, 'kept'>;
  /** Names of layers that a later entry or marker removed or replaced. */
  readonly hidden: { readonly names: number };
  readonly ownership: 'kept' | 'caller';
  readonly skipped: readonly Skipped[];
  readonly warnings: readonly Warning[];
}

/** Where the tree went. */
export interface UnpackTarget {
  readonly kind: 'directory' | 'bundle' | 'tar';
  readonly path?: string;
}

/** What an unpacking made. */
export interface UnpackReport extends UnpackPlan {
  readonly target: UnpackTarget;
}
