import { setImmediate } from 'node:timers/promises';
import { CAPABILITY, type LayerEntry, type Xattrs } from '../model/layer-header.js';
import { treeHeaderBlocks, type TreeHeader } from '../model/tree-header.js';
import type { SourceReader } from '../stores/store.js';
import { pathOf, type Directory, type Metadata, type Special } from '../tree/nodes.js';
import type { Inode, Place } from '../tree/tree-listing.js';
import type { PlannedTree } from './plan-tree.js';
import { readFiles, type FoundFile, type ReadFilesOptions, type TreePart } from './read-files.js';
import { TarChunks } from './tar-chunks.js';
import type { TarOrder, UnpackProgress } from './unpack-options.js';

/** How to write a flat tar. */
export interface FlatTarOptions extends ReadFilesOptions {
  readonly order: TarOrder;
  readonly setId: boolean;
  readonly onProgress?: ((progress: UnpackProgress) => void) | undefined;
}

/** Directories or links between two turns of other work. */
const ENTRIES_PER_TURN = 2000;

/**
 * The tree of a plan as one tar. Files, symlinks and special files come in the order of their layers and entries, each
 * with its other names right behind it. Holds one chunk of 256 KiB, and what the second pass holds.
 */
export async function* flatTar(
  reader: SourceReader,
  plan: PlannedTree,
  options: FlatTarOptions,
): AsyncGenerator<Buffer> {
  const tar = new FlatTar(plan, options);
  for await (const parts of readFiles(reader, plan, options)) {
    for (const part of parts) {
      for (const _ of tar.add(part)) {
        while (tar.chunks.isFull) yield tar.chunks.take();
      }
    }
  }
  let count = 0;
  for (const _ of tar.addDirectories()) {
    while (tar.chunks.isFull) yield tar.chunks.take();
    if ((count += 1) % ENTRIES_PER_TURN === 0) await setImmediate();
  }
  yield tar.chunks.end();
}

/** The entries of a flat tar. Each method yields where a chunk may be taken. */
class FlatTar {
  readonly chunks = new TarChunks();
  readonly #plan: PlannedTree;
  readonly #options: FlatTarOptions;
  /** Directories that are written already: only where they come before their children. */
  readonly #written = new Set<Directory>();
  /** The file whose body comes. */
  #open: FoundFile | undefined;
  #bytes = 0;

  constructor(plan: PlannedTree, options: FlatTarOptions) {
    this.#plan = plan;
    this.#options = options;
  }

  *add(part: TreePart): Generator<void> {
    if (part.kind === 'special') yield* this.#addSpecial(part.inode);
    else if (part.kind === 'file') {
      yield* this.#addFile(part.inode, part.entry, part.layer);
      if (part.entry.bodySize === 0) yield* this.#endFile(part);
      else this.#open = part;
    } else {
      this.#bytes += part.bytes.length;
      this.chunks.addBody(part.bytes);
      yield;
      if (part.isLast && this.#open !== undefined) yield* this.#endFile(this.#open);
    }
  }

  *#endFile({ inode, entry }: FoundFile): Generator<void> {
    this.#open = undefined;
    const mode = this.#modeOf(entry);
    const { uid, gid, mtime } = entry;
    yield* this.#addLinks(inode.path, { mode, uid, gid, mtime, xattrs: undefined }, inode.links);
  }

  #modeOf({ mode }: LayerEntry): number {
    return this.#options.setId ? mode : mode & ~0o6000;
  }

  /** File capabilities give what set-id bits give. */
  #xattrsOf({ xattrs }: LayerEntry): Xattrs | undefined {
    if (this.#options.setId || xattrs?.has(CAPABILITY) !== true) return xattrs;
    return new Map([...xattrs].filter(([name]) => name !== CAPABILITY));
  }

  *#addFile({ directory, path }: Inode, entry: LayerEntry, layer: number): Generator<void> {
    yield* this.#addParents(directory);
    const { bodySize, uid, gid, mtime } = entry;
    const xattrs = this.#xattrsOf(entry);
    this.#header(path, { mode: this.#modeOf(entry), uid, gid, mtime, xattrs }, { type: 'file', size: bodySize });
    this.#tell(layer);
    yield;
  }

  #tell(layer: number): void {
    const { counts, layers } = this.#plan;
    const place = { layer: layer + 1, layers: layers.length };
    this.#options.onProgress?.({
      phase: 'write',
      ...place,
      bytes: this.#bytes,
      total: counts.bytes,
      entries: layers.at(-1)?.end ?? 0,
    });
  }

  *#addSpecial({ directory, path, node, links }: Inode): Generator<void> {
    yield* this.#addParents(directory);
    // A special node is an object; a number is a regular file.
    const { kind, metadata, target, major, minor } = node as Special;
    this.#header(path, metadata, { type: kind, size: 0, target, major, minor });
    yield;
    yield* this.#addLinks(path, metadata, links);
  }

  /** The other names of an inode. They repeat its metadata, which readers ignore or apply once more. */
  *#addLinks(target: string, { mode, uid, gid, mtime }: Described, links: Iterable<Place>): Generator<void> {
    for (const { directory, path } of links) {
      yield* this.#addParents(directory);
      this.#header(path, { mode, uid, gid, mtime, xattrs: undefined }, { type: 'link', size: 0, target });
      yield;
    }
  }

  #header(name: string, { mode, uid, gid, mtime, xattrs }: Described, shape: Shape): void {
    const { type, size, target = '', major = 0, minor = 0 } = shape;
    const header = { type, name, target, size, mode, uid, gid, mtime, xattrs, major, minor };
    this.chunks.addHeader(treeHeaderBlocks(header), size);
  }

  /** A directory and those above it that are not written yet, from the root on. */
  *#addParents(directory: Directory): Generator<void> {
    if (this.#options.order === 'directories-last') return;
    const missing: Directory[] = [];
    for (let at: Directory | undefined = directory; at !== undefined && !this.#written.has(at); at = at.parent) {
      missing.push(at);
    }
    for (const one of missing.toReversed()) {
      this.#addDirectory(one);
      yield;
    }
  }

  /** All directories, or those that no child has brought. Children first, the root last, unless parents come first. */
  *addDirectories(): Generator<void> {
    const { directories } = this.#plan.listing;
    const isLast = this.#options.order === 'directories-last';
    for (let at = 0; at < directories.length; at += 1) {
      const directory = directories[isLast ? directories.length - 1 - at : at];
      if (directory !== undefined && !this.#written.has(directory)) this.#addDirectory(directory);
      yield;
    }
  }

  #addDirectory(directory: Directory): void {
    const path = pathOf(directory);
    if (this.#options.order === 'parents-first') this.#written.add(directory);
    const name = path === '' ? './' : `${path}/`;
    this.#header(name, directory.metadata, { type: 'directory', size: 0 });
  }
}

/** The metadata of an entry. */
type Described = Pick<Metadata, 'mode' | 'uid' | 'gid' | 'mtime' | 'xattrs'>;

/** What else a header says. Only links have a target, only devices have numbers. */
type Shape = Pick<TreeHeader, 'type' | 'size'> & Partial<Pick<TreeHeader, 'target' | 'major' | 'minor'>>;
