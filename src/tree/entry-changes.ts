import type { LayerEntry } from '../model/layer-header.js';
import { normalPath } from './entry-path.js';
import { bytesOfXattrs, heldBytes, type Metadata, type Special } from './nodes.js';
import type { Change } from './pending-changes.js';
import { badTreeEntry } from './tree-error.js';

const KINDS: Readonly<Record<string, Special['kind']>> = {
  '2': 'symlink',
  '3': 'character',
  '4': 'block',
  '6': 'fifo',
};

/** Where an entry stands, and how long a path may be. */
export interface EntryPlace {
  readonly ordinal: number;
  readonly layer: number;
  readonly maxPathBytes: number;
}

/** What an entry that is no regular file and no marker does to its name. Throws ERR_TAR_ENTRY. */
export function changeOf(entry: LayerEntry, { ordinal, layer, maxPathBytes }: EntryPlace): Change {
  const { type, name, size, linkname, major, minor } = entry;
  const kind = KINDS[type];
  if (kind === undefined && type !== '1' && type !== '5') throw badTreeEntry(name, unknownType(type));
  if (size !== 0) throw badTreeEntry(name, 'is not a file but has a size');
  if (type === '1') return { link: normalPath(linkname, maxPathBytes) };
  const metadata = metadataOf(entry, layer);
  if (kind === undefined) return { directory: metadata };
  if (kind === 'symlink') checkTarget(entry, maxPathBytes);
  return { kind, metadata, ordinal, target: kind === 'symlink' ? linkname : '', major, minor };
}

/** Bytes of what a change holds beside its path. */
export function bytesOfChange(change: Change): number {
  if (typeof change === 'number') return 0;
  if ('link' in change) return change.link.length;
  return 'directory' in change ? bytesOfXattrs(change.directory) : heldBytes(change);
}

const SCRATCH = Buffer.alloc(4096);

/** A text of its own: a part of another text would keep all of that in memory. */
export function flat(text: string): string {
  if (text.length > SCRATCH.length) return Buffer.from(text, 'latin1').toString('latin1');
  return SCRATCH.toString('latin1', 0, SCRATCH.write(text, 'latin1'));
}

function metadataOf({ mode, uid, gid, mtime, xattrs }: LayerEntry, layer: number): Metadata {
  return { mode, uid, gid, mtime, xattrs, layer };
}

function checkTarget({ name, linkname }: LayerEntry, maxBytes: number): void {
  if (linkname === '') throw badTreeEntry(name, 'is a symlink without a target');
  // The kernel needs one byte for the end.
  if (linkname.length >= maxBytes) throw badTreeEntry(name, `is a symlink to more than ${maxBytes - 1} bytes`);
}

function unknownType(type: string): string {
  if (type === 'S') return 'is a sparse file; pack the layer again without sparse files';
  return `is of type ${JSON.stringify(type)}, which no layer needs`;
}
