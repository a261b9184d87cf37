import { badTreeEntry } from './tree-error.js';

/** Where an entry goes: a name in a directory, both as bytes, one character each. The root is undefined. */
export interface EntryPath {
  /** The path of the directory: no slash at either end, empty for the root. */
  readonly parent: string;
  readonly name: string;
}

/** What the name of an entry asks for. `hidden`: what AUFS kept for itself; only links of the same layer may name it. */
export type EntryMeaning =
  | { readonly kind: 'root' }
  | { readonly kind: 'entry'; readonly path: EntryPath }
  | { readonly kind: 'whiteout'; readonly path: EntryPath }
  | { readonly kind: 'opaque'; readonly directory: string }
  | { readonly kind: 'hidden'; readonly path: string };

/** What marks a name that a layer removes (image-spec, "Whiteouts"). */
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';
const AUFS = /^\.wh\.\.wh\.(?:aufs$|(?:plnk|orph)(?:\/|$))/;

/** Bytes of one component (Linux, NAME_MAX). */
const MAX_COMPONENT = 255;

/** A part of a path that normal form does not have. */
const ODD = /(?:^|\/)(?:\/|\.\.?(?:\/|$))/;

/**
 * A path in normal form: without slashes at its ends, doubled slashes and `.`. Throws ERR_TAR_ENTRY for a `..`, and for a
 * path or component that no Linux file system takes.
 */
export function normalPath(text: string, maxBytes: number): string {
  if (text.length > maxBytes) throw badTreeEntry(text, `has a name of more than ${maxBytes} bytes`);
  const path = ODD.test(text) ? withoutDots(text) : text.endsWith('/') ? text.slice(0, -1) : text;
  if (path.length > MAX_COMPONENT && path.split('/').some(({ length }) => length > MAX_COMPONENT)) {
    throw badTreeEntry(text, `has a component of more than ${MAX_COMPONENT} bytes`);
  }
  return path;
}

function withoutDots(text: string): string {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw badTreeEntry(text, 'has ".." in its name');
  return parts.join('/');
}

/** The directory and the last component of a path in normal form. */
export function splitPath(path: string): EntryPath {
  const slash = path.lastIndexOf('/');
  return { parent: slash === -1 ? '' : path.slice(0, slash), name: path.slice(slash + 1) };
}

/** What a name in normal form asks for. Throws ERR_TAR_ENTRY for a marker that cannot be one. */
export function meaningOf(path: string): EntryMeaning {
  if (path === '') return { kind: 'root' };
  if (!path.includes(WHITEOUT)) return { kind: 'entry', path: splitPath(path) };
  if (AUFS.test(path)) return { kind: 'hidden', path };
  const { parent, name } = splitPath(path);
  if (parent.split('/').some((part) => part.startsWith(WHITEOUT))) throw badTreeEntry(path, 'is below a whiteout');
  if (!name.startsWith(WHITEOUT)) return { kind: 'entry', path: { parent, name } };
  if (name === OPAQUE) return { kind: 'opaque', directory: parent };
  const hidden = name.slice(WHITEOUT.length);
  if (['', '.', '..'].includes(hidden) || hidden.startsWith(WHITEOUT)) {
    throw badTreeEntry(path, 'is a whiteout of nothing that can be there');
  }
  return { kind: 'whiteout', path: { parent, name: hidden } };
}
