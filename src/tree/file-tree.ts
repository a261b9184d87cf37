import { LadingError } from '../model/errors.js';
import { bytesIn, Directory, heldBytes, IMPLIED, type Metadata, type Special, type TreeNode } from './nodes.js';
import { badTreeEntry } from './tree-error.js';

/** What a tree may hold, and how long it may take to build. */
export interface TreeLimits {
  /** Names in the tree, and in one layer. */
  readonly maxNames: number;
  /** Entries of all layers. */
  readonly maxEntries: number;
  /** Bytes of names, link targets and extended attributes. */
  readonly maxHeldBytes: number;
  /** Components that are walked through symlinks, for all layers. */
  readonly maxSteps: number;
  /** Bytes of a path. */
  readonly maxPathBytes: number;
}

/** The defaults. */
export const TREE_LIMITS: TreeLimits = {
  maxNames: 500_000,
  maxEntries: 4_000_000,
  maxHeldBytes: 64 * 1024 * 1024,
  maxSteps: 10_000_000,
  // PATH_MAX on Linux.
  maxPathBytes: 4096,
};

/** Symlinks in one path (Linux, MAXSYMLINKS). */
export const MAX_LINKS = 40;

/** Who walks: the layer that is applied, and what it may change. */
export interface Walker {
  /** Whether missing directories are made, and a lower layer's file in the way is replaced. */
  readonly makes: boolean;
  /** The path as its entry has it, for errors. */
  readonly entry: string;
  /** Whether the layer that is applied made this name. */
  readonly isOwn: (directory: Directory, name: string, node: number | Special) => boolean;
  /** Called for a symlink on the way. */
  readonly onLink: (directory: Directory, name: string, link: Special) => void;
}

/**
 * The root file system that layers make, built from their headers. Paths are bytes, one character each. Holds one small
 * object for each directory, symlink and special file, and a number for each regular file.
 */
export class FileTree {
  readonly root = new Directory('', undefined, IMPLIED);
  readonly limits: TreeLimits;
  #names = 0;
  #heldBytes = 0;
  #steps = 0;
  #hidden = 0;
  /** The directory of the last path: entries of one directory mostly come one after another. */
  #last: { readonly path: string; readonly directory: Directory } | undefined;

  constructor(limits: TreeLimits) {
    this.limits = limits;
  }

  /** Names in the tree, without the root. */
  get names(): number {
    return this.#names;
  }

  /** Names that a layer had and that a later entry or marker removed or replaced. */
  get hidden(): number {
    return this.#hidden;
  }

  /** Components walked through symlinks so far. */
  get steps(): number {
    return this.#steps;
  }

  /** Counts bytes that are held for the tree. Throws ERR_LIMIT_BYTES. */
  hold(bytes: number): void {
    this.#heldBytes += bytes;
    const { maxHeldBytes } = this.limits;
    if (this.#heldBytes <= maxHeldBytes) return;
    throw new LadingError('ERR_LIMIT_BYTES', `names, links and attributes have more than ${maxHeldBytes} bytes`);
  }

  /**
   * The directory of a path. Symlinks on the way are followed inside the root. Undefined where it is not there, unless
   * the walker makes it. Throws ERR_TAR_ENTRY, ERR_LIMIT_DEPTH.
   */
  walk(path: string, walker: Walker): Directory | undefined {
    if (this.#last?.path === path) return this.#last.directory;
    const links = { followed: 0 };
    const directory = this.#walk(path, walker, links);
    // A path through symlinks is walked again, so that the walker hears of them.
    if (directory !== undefined && links.followed === 0) this.#last = { path, directory };
    return directory;
  }

  #walk(path: string, walker: Walker, links: { followed: number }): Directory | undefined {
    const todo = path === '' ? [] : path.split('/').toReversed();
    let at = this.root;
    /** Components that are not there, or that a directory is to replace. */
    const missing: string[] = [];
    for (let name = todo.pop(); name !== undefined; name = todo.pop()) {
      if (links.followed > 0) this.#step();
      if (name === '' || name === '.') continue;
      if (name === '..') {
        if (missing.pop() === undefined) at = at.parent ?? at;
        continue;
      }
      const child = missing.length > 0 ? undefined : at.children?.get(name);
      if (child instanceof Directory) at = child;
      else if (typeof child === 'object' && child.kind === 'symlink') {
        this.#follow(links, walker.entry);
        walker.onLink(at, name, child);
        if (child.target.startsWith('/')) at = this.root;
        for (const part of child.target.split('/').toReversed()) todo.push(part);
      } else if (!walker.makes) return undefined;
      else if (child !== undefined && walker.isOwn(at, name, child)) {
        throw badTreeEntry(walker.entry, 'is below a file of the same layer');
      } else missing.push(name);
    }
    for (const name of missing) at = this.#implied(at, name, walker.entry);
    return at;
  }

  #follow(links: { followed: number }, entry: string): void {
    links.followed += 1;
    if (links.followed > MAX_LINKS) throw badTreeEntry(entry, `leads through more than ${MAX_LINKS} links`);
  }

  #step(): void {
    this.#steps += 1;
    const { maxSteps } = this.limits;
    if (this.#steps <= maxSteps) return;
    throw new LadingError('ERR_LIMIT_DEPTH', `the paths of the image take more than ${maxSteps} steps through links`);
  }

  #implied(parent: Directory, name: string, entry: string): Directory {
    const made = new Directory(name, parent, IMPLIED);
    this.put(parent, name, made, entry);
    return made;
  }

  /** Puts a node in place of what has the name, with all that is below it. Throws ERR_TAR_ENTRY, limits. */
  put(directory: Directory, name: string, node: TreeNode, entry: string): void {
    const { maxNames, maxPathBytes } = this.limits;
    if (bytesIn(directory, name) > maxPathBytes) {
      throw badTreeEntry(entry, `leads to a path of more than ${maxPathBytes} bytes`);
    }
    this.remove(directory, name);
    this.#names += 1;
    if (this.#names > maxNames) {
      throw new LadingError('ERR_LIMIT_ENTRIES', `the tree has more than ${maxNames} names`);
    }
    this.hold(name.length + heldBytes(node));
    directory.children ??= new Map();
    directory.children.set(name, node);
  }

  /** Gives a directory that stays the metadata of an entry. */
  describe(directory: Directory, metadata: Metadata): void {
    const before = heldBytes(directory);
    directory.metadata = metadata;
    this.hold(heldBytes(directory) - before);
  }

  /** Removes a name with all that is below it, if it is there. */
  remove(directory: Directory, name: string): void {
    const node = directory.children?.get(name);
    if (node === undefined || directory.isGone) return;
    directory.children?.delete(name);
    this.#forget(name, node);
  }

  /** Removes all names in a directory. */
  empty(directory: Directory): void {
    for (const name of directory.children?.keys() ?? []) this.remove(directory, name);
  }

  /** Counts a removed node and what is below it. Not recursive: links make trees of any depth. */
  #forget(name: string, node: TreeNode): void {
    // Another path may lead through what is gone.
    if (typeof node !== 'number') this.#last = undefined;
    const open: (readonly [name: string, node: TreeNode])[] = [[name, node]];
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      const [gone, what] = next;
      this.#names -= 1;
      this.#hidden += 1;
      this.#heldBytes -= gone.length + heldBytes(what);
      if (!(what instanceof Directory)) continue;
      what.isGone = true;
      for (const child of what.children ?? []) open.push(child);
    }
  }
}
