import { LadingError } from '../model/errors.js';
import { CAPABILITY, type LayerEntry } from '../model/layer-header.js';
import { bytesOfChange, changeOf, flat } from './entry-changes.js';
import { meaningOf, normalPath, splitPath, type EntryMeaning, type EntryPath } from './entry-path.js';
import type { FileTable } from './file-table.js';
import type { FileTree, Walker } from './file-tree.js';
import { Directory, type Special, type TreeNode } from './nodes.js';
import { PendingChanges, type Change } from './pending-changes.js';
import { badTreeEntry, shownName } from './tree-error.js';

type Marker = Extract<EntryMeaning, { readonly kind: 'whiteout' | 'opaque' }>;

/** The entries between two turns of other work, and the steps through links that weigh as much. */
const ENTRIES_PER_TURN = 2000;
export const STEPS_PER_TURN = 100_000;

/**
 * The changes of one layer to the tree below it. All entries are added first; then all markers act on the tree below,
 * wherever in the layer they stand, and the other entries follow in their order (image-spec, "Layer Filesystem
 * Changeset"). Holds the names of the layer.
 */
export class LayerChanges {
  readonly #tree: FileTree;
  readonly #files: FileTable;
  readonly #layer: number;
  /** The first regular file of this layer. */
  readonly #firstFile: number;
  readonly #markers: Marker[] = [];
  /** What AUFS kept at the root, by path: links of this layer may name it. */
  readonly #hidden = new Map<string, number>();
  readonly #pending = new PendingChanges();
  #parent = '';
  #heldBytes = 0;
  /** Names that are links of this layer to what a lower layer has. */
  readonly #linked = new Map<Directory, Set<string>>();
  #lowerLink: string | undefined;

  constructor(tree: FileTree, files: FileTable, layer: number) {
    this.#tree = tree;
    this.#files = files;
    this.#layer = layer;
    this.#firstFile = files.length;
  }

  /** The first name of this layer that leads through a symlink of a lower one. */
  get lowerLink(): string | undefined {
    return this.#lowerLink;
  }

  /**
   * Adds an entry; `ordinal` is its number among those of all layers. Throws ERR_TAR_ENTRY for an entry that no tree can
   * have, and limits.
   */
  add(entry: LayerEntry, ordinal: number): void {
    const path = normalPath(entry.name, this.#tree.limits.maxPathBytes);
    const meaning = meaningOf(path);
    if (meaning.kind === 'whiteout' || meaning.kind === 'opaque') return this.#addMarker(meaning, path);
    const { maxPathBytes } = this.#tree.limits;
    const change =
      entry.type === '0'
        ? this.#fileOf(entry, ordinal)
        : changeOf(entry, { ordinal, layer: this.#layer, maxPathBytes });
    if (meaning.kind === 'hidden') {
      if (typeof change === 'number') this.#hide(meaning.path, change);
      return;
    }
    if (meaning.kind === 'entry') return this.#push(meaning.path, change);
    if (typeof change !== 'object' || !('directory' in change)) throw badTreeEntry(entry.name, 'has no name');
    this.#push({ parent: '', name: '' }, change);
  }

  #hide(path: string, file: number): void {
    this.#hold(path.length);
    this.#hidden.set(path, file);
    this.#checkNames();
  }

  #addMarker(marker: Marker, path: string): void {
    this.#hold(path.length);
    this.#markers.push(marker);
    this.#checkNames();
  }

  #push({ parent, name }: EntryPath, change: Change): void {
    // What a marker removes is below this layer, and below the first there is nothing: its entries need not wait.
    if (this.#layer === 0) return this.#apply(parent, flat(name), change);
    if (parent !== this.#parent) {
      // One string for all entries of a directory that come one after another.
      this.#parent = flat(parent);
      this.#hold(parent.length);
    }
    this.#pending.add(this.#parent, flat(name), change);
    this.#hold(name.length + bytesOfChange(change));
    this.#checkNames();
  }

  #hold(bytes: number): void {
    this.#heldBytes += bytes;
    this.#tree.hold(bytes);
  }

  #checkNames(): void {
    const { maxNames } = this.#tree.limits;
    if (this.#pending.length + this.#markers.length + this.#hidden.size <= maxNames) return;
    throw new LadingError('ERR_LIMIT_ENTRIES', `it has more than ${maxNames} names`);
  }

  #fileOf({ name, size, uid, gid, mode, xattrs }: LayerEntry, ordinal: number): number {
    // Readers differ on what such an entry is.
    if (name.endsWith('/')) throw badTreeEntry(name, 'is a file with a name that ends in "/"');
    const names = [...(xattrs?.keys() ?? [])];
    const userXattrs = names.filter((xattr) => xattr.startsWith('user.')).length;
    const otherXattrs = names.length - userXattrs;
    const [setId, capability] = [(mode & 0o6000) !== 0, names.includes(CAPABILITY)];
    return this.#files.add({ ordinal, size, uid, gid, setId, capability, userXattrs, otherXattrs });
  }

  /** Changes the tree. Yields where other work of the process may get its turn. */
  *apply(): Generator<void> {
    this.#applyMarkers();
    yield;
    let steps = this.#tree.steps;
    let count = 0;
    for (const { parents, names, changes } of this.#pending.blocks()) {
      for (const [at, change] of changes.entries()) {
        this.#apply(parents[at] ?? '', names[at] ?? '', change);
        if ((count += 1) % ENTRIES_PER_TURN > 0 && this.#tree.steps - steps < STEPS_PER_TURN) continue;
        steps = this.#tree.steps;
        yield;
      }
    }
    this.#tree.hold(-this.#heldBytes);
  }

  /** Finds all that markers mean in the tree below before one of them changes it. */
  #applyMarkers(): void {
    const found = this.#markers.map((marker) => {
      const parent = marker.kind === 'opaque' ? marker.directory : marker.path.parent;
      return { marker, directory: this.#tree.walk(parent, this.#walker(parent, false)) };
    });
    for (const { marker, directory } of found) {
      if (directory === undefined) continue;
      if (marker.kind === 'opaque') this.#tree.empty(directory);
      else this.#tree.remove(directory, marker.path.name);
    }
  }

  #walker(entry: string, makes: boolean): Walker {
    return {
      makes,
      entry,
      isOwn: (directory, name, node) => this.#isOwn(directory, name, node),
      onLink: (directory, name, link) => {
        if (!this.#isOwn(directory, name, link)) this.#lowerLink ??= shownName(entry);
      },
    };
  }

  #isOwn(directory: Directory, name: string, node: number | Special): boolean {
    if (this.#linked.get(directory)?.has(name) === true) return true;
    return this.#isOfThisLayer(node);
  }

  #isOfThisLayer(node: number | Special): boolean {
    return typeof node === 'number' ? node >= this.#firstFile : node.metadata.layer === this.#layer;
  }

  #apply(parent: string, name: string, change: Change): void {
    const entry = parent === '' ? name : `${parent}/${name}`;
    if (typeof change === 'object' && 'link' in change) return this.#link(parent, name, change.link);
    if (name === '' && typeof change === 'object' && 'directory' in change) {
      return this.#tree.describe(this.#tree.root, change.directory);
    }
    const directory = this.#parentOf(parent, entry);
    if (typeof change === 'number' || !('directory' in change)) return this.#put(directory, name, change, entry);
    const known = directory.children?.get(name);
    if (known instanceof Directory) this.#tree.describe(known, change.directory);
    else this.#put(directory, name, new Directory(name, directory, change.directory), entry);
  }

  #put(directory: Directory, name: string, node: TreeNode, entry: string): void {
    this.#linked.get(directory)?.delete(name);
    this.#tree.put(directory, name, node, entry);
  }

  #parentOf(parent: string, entry: string): Directory {
    const directory = this.#tree.walk(parent, this.#walker(entry, true));
    if (directory === undefined) throw badTreeEntry(entry, 'has no directory');
    return directory;
  }

  #link(parent: string, name: string, target: string): void {
    const entry = parent === '' ? name : `${parent}/${name}`;
    const { node, directory: from, name: last } = this.#targetOf(target, entry);
    const directory = this.#parentOf(parent, entry);
    if (directory === from && name === last) return;
    this.#put(directory, name, node, entry);
    if (!this.#isOfThisLayer(node)) {
      const names = this.#linked.get(directory) ?? new Set();
      this.#linked.set(directory, names.add(name));
    }
  }

  #targetOf(target: string, entry: string): EntryPath & { directory?: Directory; node: number | Special } {
    const hidden = this.#hidden.get(target);
    const path = splitPath(target);
    if (hidden !== undefined) return { ...path, node: hidden };
    const directory = this.#tree.walk(path.parent, this.#walker(entry, false));
    const node = directory?.children?.get(path.name);
    if (directory === undefined || node === undefined || node instanceof Directory) {
      const what = node === undefined ? 'what is not there' : 'a directory';
      throw badTreeEntry(entry, `is a hard link to ${what}: ${shownName(target)}`);
    }
    return { ...path, directory, node };
  }
}
