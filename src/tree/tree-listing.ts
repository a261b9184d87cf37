import type { FileTable } from './file-table.js';
import type { FileTree } from './file-tree.js';
import { Directory, pathOf, type Special } from './nodes.js';

/** What a tree has. Bytes are those of its regular files. */
export interface TreeCounts {
  /** With the root. */
  readonly directories: number;
  readonly files: number;
  /** Names beyond the first of a file, symlink or special file. */
  readonly hardLinks: number;
  readonly symlinks: number;
  readonly devices: number;
  readonly fifos: number;
  readonly bytes: number;
  /** For each layer, how many of its entries describe what is in the tree. */
  readonly kept: readonly number[];
}

/** A name in a directory. The path is bytes, one character each. */
export interface Place {
  readonly directory: Directory;
  readonly path: string;
}

/** A file, symlink or special file with all of its names. */
export interface Inode extends Place {
  readonly node: number | Special;
  /** Its other names. */
  readonly links: Iterable<Place>;
}

/** Nodes between two turns of other work. */
const NODES_PER_TURN = 20_000;

/**
 * A finished tree as lists: its directories, parents first, and everything else in the order of the entries that made it.
 * Holds 32 bytes for each name.
 */
export class TreeListing {
  readonly directories: Directory[] = [];
  readonly #files: FileTable;
  readonly #names: string[] = [];
  readonly #specials: Special[] = [];
  /** For each name, the position of its directory. */
  #parents = new Uint32Array(0);
  /** For each name, the number of its file, or -1 minus the position of its special node. */
  #nodes = new Int32Array(0);
  #order = new Float64Array(0);
  #next = 0;

  constructor(files: FileTable) {
    this.#files = files;
  }

  /** Lists the tree, and takes it apart meanwhile. Yields where other work may get its turn. */
  *fill(tree: FileTree): Generator<void> {
    this.directories.push(tree.root);
    [this.#parents, this.#nodes] = [new Uint32Array(tree.names), new Int32Array(tree.names)];
    let nodes = 0;
    for (let at = 0; at < this.directories.length; at += 1) {
      const directory = this.directories[at] as Directory;
      for (const [name, node] of directory.children ?? []) {
        if (node instanceof Directory) this.directories.push(node);
        else this.#add(at, name, node);
        if ((nodes += 1) % NODES_PER_TURN === 0) yield;
      }
      directory.children = undefined;
    }
    this.#sort();
  }

  #add(directory: number, name: string, node: number | Special): void {
    const at = this.#names.push(name) - 1;
    this.#parents[at] = directory;
    this.#nodes[at] = typeof node === 'number' ? node : -this.#specials.push(node);
  }

  #nodeAt(index: number): number | Special {
    const node = this.#nodes[index] ?? 0;
    // Every negative number stands for a special node.
    return node >= 0 ? node : (this.#specials[-1 - node] as Special);
  }

  /** By ordinal, then by place: both in one number, since a sort of numbers needs no function. */
  #sort(): void {
    const count = this.#names.length;
    this.#order = new Float64Array(count);
    for (let at = 0; at < count; at += 1) this.#order[at] = this.#ordinalOf(this.#nodeAt(at)) * count + at;
    this.#order.sort();
  }

  #ordinalOf(node: number | Special): number {
    return typeof node === 'number' ? this.#files.ordinalOf(node) : node.ordinal;
  }

  /** The ordinal of the next inode; infinity at the end. */
  get nextOrdinal(): number {
    return Math.floor((this.#order[this.#next] ?? Number.POSITIVE_INFINITY) / this.#names.length);
  }

  /** Whether the next inode is a symlink or special file. */
  get nextIsSpecial(): boolean {
    return (this.#nodes[this.#indexAt(this.#next)] ?? 0) < 0;
  }

  /** Takes the next inode, in the order of ordinals. Of its names, the wished one comes first. */
  take(wished?: string): Inode | undefined {
    const first = this.#next;
    if (first >= this.#order.length) return undefined;
    const ordinal = this.nextOrdinal;
    while (this.nextOrdinal === ordinal) this.#next += 1;
    if (wished !== undefined && this.#next - first > 1) this.#putFirst(first, wished);
    const node = this.#nodeAt(this.#indexAt(first));
    return { node, ...this.#placeAt(first), links: this.#links(first + 1, this.#next) };
  }

  /** Their places may change, since they all have the same ordinal. */
  #putFirst(first: number, wished: string): void {
    for (let at = first; at < this.#next; at += 1) {
      if (this.#placeAt(at).path !== wished) continue;
      const order = this.#order.subarray(first, at + 1);
      const [found = 0] = order.slice(-1);
      order.copyWithin(1, 0, order.length - 1);
      order[0] = found;
      return;
    }
  }

  /** Starts again at the first inode. */
  rewind(): void {
    this.#next = 0;
  }

  *#links(from: number, to: number): Generator<Place> {
    for (let at = from; at < to; at += 1) yield this.#placeAt(at);
  }

  #indexAt(at: number): number {
    return (this.#order[at] ?? 0) % this.#names.length;
  }

  #placeAt(at: number): Place {
    const index = this.#indexAt(at);
    const directory = this.directories[this.#parents[index] ?? 0] as Directory;
    return { directory, path: pathOf(directory, this.#names[index]) };
  }

  /**
   * Counts everything; `ends` has for each layer the ordinal that follows its last entry. Yields where other work may get
   * its turn.
   */
  *count(ends: readonly number[]): Generator<void, TreeCounts> {
    const kept = ends.map(() => 0);
    const keep = (layer: number): void => void (layer >= 0 && (kept[layer] = (kept[layer] ?? 0) + 1));
    for (const { metadata } of this.directories) keep(metadata.layer);
    let layer = 0;
    const counts = { files: 0, hardLinks: 0, symlinks: 0, devices: 0, fifos: 0, bytes: 0 };
    let last = -1;
    for (let at = 0; at < this.#order.length; at += 1) {
      if (at % NODES_PER_TURN === 0) yield;
      const node = this.#nodeAt(this.#indexAt(at));
      const ordinal = this.#ordinalOf(node);
      while (ordinal >= (ends[layer] ?? Number.POSITIVE_INFINITY)) layer += 1;
      if (ordinal === last) counts.hardLinks += 1;
      else keep(layer);
      if (ordinal === last) continue;
      if (typeof node === 'number') {
        counts.files += 1;
        counts.bytes += this.#files.sizeOf(node);
      } else if (node.kind === 'symlink') counts.symlinks += 1;
      else if (node.kind === 'fifo') counts.fifos += 1;
      else counts.devices += 1;
      last = ordinal;
    }
    return { directories: this.directories.length, ...counts, kept };
  }
}
