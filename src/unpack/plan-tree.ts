import { setImmediate } from 'node:timers/promises';
import { isWhole } from '../content/is-whole.js';
import { LayerReader } from '../layers/layer-reader.js';
import { unpackedLayer, type DiffLayer } from '../layers/unpacked-layer.js';
import { throwIfAborted } from '../model/aborted.js';
import { totalBytes } from '../model/content.js';
import { isDamage, LadingError, quote } from '../model/errors.js';
import type { LayerEntry } from '../model/layer-header.js';
import type { Limits } from '../model/limits.js';
import type { SourceReader } from '../stores/store.js';
import { labelOfRecord, type Warning } from '../survey/reports.js';
import { FileTable } from '../tree/file-table.js';
import { FileTree, TREE_LIMITS, type TreeLimits } from '../tree/file-tree.js';
import { filesAt } from '../tree/find-files.js';
import { LayerChanges, STEPS_PER_TURN } from '../tree/layer-changes.js';
import { TreeListing, type TreeCounts } from '../tree/tree-listing.js';
import type { ChosenImage } from './choose-manifest.js';
import type { UnpackOptions } from './unpack-options.js';

/** A layer as the first pass saw it. */
export interface PlannedLayer extends DiffLayer {
  readonly entries: number;
  /** The ordinals of its entries: from `start` up to, not including, `end`. */
  readonly start: number;
  readonly end: number;
  /** Unpacked. */
  readonly bytes: number;
}

/** The tree of an image, and what the first pass learned. */
export interface PlannedTree {
  readonly image: ChosenImage;
  readonly files: FileTable;
  /** Names that a later entry or marker removed or replaced. */
  readonly hidden: number;
  /** The regular files at the paths that were asked for, where there are any. */
  readonly found: ReadonlyMap<string, number>;
  readonly listing: TreeListing;
  readonly counts: TreeCounts;
  readonly layers: readonly PlannedLayer[];
  /** Extended attributes that no unpacking keeps, and the first entry that had one. */
  readonly dropped: { readonly count: number; readonly first?: string };
  /** Whether an entry had an extended attribute that is kept. */
  readonly hasXattrs: boolean;
  readonly warnings: readonly Warning[];
}

/** The options that count here. */
export interface PlanTreeOptions extends Pick<UnpackOptions, 'maxNames' | 'onProgress' | 'signal'> {
  readonly limits: Limits;
  /** Paths of regular files to look for in the tree. */
  readonly finds: readonly string[];
}

/**
 * Reads every layer once and builds the tree. All digests, sizes and diff ids were right when it returns. Throws
 * ERR_TAR_HEADER, ERR_TAR_ENTRY, ERR_ARCHIVE_TRUNCATED, ERR_COMPRESSED_DATA, ERR_DIGEST_MISMATCH, ERR_SIZE_MISMATCH,
 * ERR_DIFF_ID_MISMATCH, limits, ERR_ABORTED; `details.layer` and `details.entry` say where.
 */
export async function planTree(
  reader: SourceReader,
  image: ChosenImage,
  options: PlanTreeOptions,
): Promise<PlannedTree> {
  const planner = new TreePlanner(reader, image, options);
  for (const layer of image.layers) await planner.addLayer(layer);
  return await planner.finish();
}

class TreePlanner {
  readonly #reader: SourceReader;
  readonly #image: ChosenImage;
  readonly #options: PlanTreeOptions;
  readonly #limits: TreeLimits;
  readonly #tree: FileTree;
  readonly #files = new FileTable();
  readonly #layers: PlannedLayer[] = [];
  readonly #warnings: Warning[] = [];
  #dropped: PlannedTree['dropped'] = { count: 0 };
  #hasXattrs = false;
  #entries = 0;
  #bytesRead = 0;

  constructor(reader: SourceReader, image: ChosenImage, options: PlanTreeOptions) {
    this.#reader = reader;
    this.#image = image;
    this.#options = options;
    const { maxNames = TREE_LIMITS.maxNames, limits } = options;
    // An image of more names may also have more entries and bytes.
    const more = Math.max(1, maxNames / TREE_LIMITS.maxNames);
    this.#limits = {
      maxNames,
      maxEntries: TREE_LIMITS.maxEntries * more,
      maxHeldBytes: TREE_LIMITS.maxHeldBytes * more,
      maxSteps: TREE_LIMITS.maxSteps,
      maxPathBytes: Math.min(TREE_LIMITS.maxPathBytes, limits.maxNameBytes),
    };
    this.#tree = new FileTree(this.#limits);
  }

  async addLayer(layer: DiffLayer): Promise<void> {
    const changes = new LayerChanges(this.#tree, this.#files, this.#layers.length);
    try {
      await this.#read(layer, changes);
      for (const _ of changes.apply()) await this.#giveTurn();
    } catch (error) {
      throw inLayer(layer, await this.#firstFault(layer, error));
    }
    this.#bytesRead += layer.descriptor.size;
    if (changes.lowerLink !== undefined) this.#warnings.push(this.#linkWarning(layer, changes.lowerLink));
  }

  async #read(layer: DiffLayer, changes: LayerChanges): Promise<void> {
    const start = this.#entries;
    const tar = new LayerReader(this.#options.limits);
    let bytes = 0;
    let { steps } = this.#tree;
    const onRead = (read: number): void => this.#progress(read);
    const { limits, signal } = this.#options;
    for await (const piece of unpackedLayer(this.#reader, layer, { limits, checksDigest: true, onRead })) {
      throwIfAborted(signal, 'unpacking the image');
      bytes += piece.length;
      for (const item of tar.read(piece)) {
        if ('type' in item) this.#add(item, changes);
        if (this.#tree.steps - steps < STEPS_PER_TURN) continue;
        steps = this.#tree.steps;
        await this.#giveTurn();
      }
    }
    tar.end();
    this.#layers.push({ ...layer, entries: this.#entries - start, start, end: this.#entries, bytes });
  }

  #add(entry: LayerEntry, changes: LayerChanges): void {
    const { maxEntries } = this.#limits;
    if (this.#entries >= maxEntries) {
      throw new LadingError('ERR_LIMIT_ENTRIES', `the layers of the image have more than ${maxEntries} entries`);
    }
    changes.add(entry, this.#entries);
    this.#entries += 1;
    const { droppedXattrs, name, xattrs } = entry;
    this.#hasXattrs ||= xattrs !== undefined;
    if (droppedXattrs === 0) return;
    this.#dropped = { first: name, ...this.#dropped, count: this.#dropped.count + droppedXattrs };
  }

  async #giveTurn(): Promise<void> {
    await setImmediate();
    throwIfAborted(this.#options.signal, 'unpacking the image');
  }

  #progress(read: number): void {
    const { layers } = this.#image;
    const total = totalBytes(layers.map(({ descriptor }) => descriptor.size));
    const bytes = this.#bytesRead + read;
    const place = { layer: this.#layers.length + 1, layers: layers.length };
    this.#options.onProgress?.({ phase: 'plan', ...place, bytes, total, entries: this.#entries });
  }

  /** Damage of what is stored explains every other fault of a layer. */
  async #firstFault({ descriptor: { digest } }: DiffLayer, error: unknown): Promise<unknown> {
    if (!isDamage(error) || error.category === 'integrity') return error;
    if ((await isWhole(this.#reader, digest)) !== false) return error;
    const message = `blob ${digest}: its content has another digest; it is damaged or was changed, fetch it again`;
    return new LadingError('ERR_DIGEST_MISMATCH', message, { details: { digest }, cause: error });
  }

  #linkWarning({ descriptor: { digest } }: DiffLayer, entry: string): Warning {
    const message =
      `layer ${digest}: ${quote(entry)} leads through a link of a lower layer and goes to where that points; ` +
      'overlay file systems put a directory in the place of the link';
    return { code: 'WARN_LAYER_LINK', message, image: labelOfRecord(this.#image.record) };
  }

  async finish(): Promise<PlannedTree> {
    // Before the tree is taken apart.
    const found = filesAt(this.#tree, this.#options.finds);
    const listing = new TreeListing(this.#files);
    for (const _ of listing.fill(this.#tree)) await this.#giveTurn();
    const counting = listing.count(this.#layers.map(({ end }) => end));
    let step = counting.next();
    for (; step.done !== true; step = counting.next()) await this.#giveTurn();
    return {
      image: this.#image,
      files: this.#files,
      hidden: this.#tree.hidden,
      found,
      listing,
      counts: step.value,
      layers: this.#layers,
      dropped: this.#dropped,
      hasXattrs: this.#hasXattrs,
      warnings: this.#warnings,
    };
  }
}

/** The error of a layer, with the layer's digest. */
export function inLayer({ descriptor: { digest } }: DiffLayer, error: unknown): unknown {
  if (!(error instanceof LadingError)) return error;
  if (!['integrity', 'invalid-archive', 'limit', 'unsupported'].includes(error.category)) return error;
  const { code, message, details } = error;
  const text = message.includes(digest) ? message : `layer ${digest}: ${message}`;
  return new LadingError(code, text, { details: { ...details, layer: digest }, cause: error.cause });
}
