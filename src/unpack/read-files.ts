import { LayerReader } from '../layers/layer-reader.js';
import { unpackedLayer } from '../layers/unpacked-layer.js';
import { throwIfAborted } from '../model/aborted.js';
import { isDamage, LadingError } from '../model/errors.js';
import type { LayerEntry } from '../model/layer-header.js';
import type { Limits } from '../model/limits.js';
import type { SourceReader } from '../stores/store.js';
import { normalPath } from '../tree/entry-path.js';
import type { Inode } from '../tree/tree-listing.js';
import { inLayer, type PlannedLayer, type PlannedTree } from './plan-tree.js';

/** A regular file of the tree: its header, and its bytes in pieces. */
export interface FoundFile {
  readonly inode: Inode;
  readonly entry: LayerEntry;
  /** The position of its layer. */
  readonly layer: number;
}

/** What the second pass meets: the start of a file, a piece of its body, or a node that no layer need be read for. */
export type TreePart =
  | ({ readonly kind: 'file' } & FoundFile)
  | { readonly kind: 'piece'; readonly bytes: Buffer; readonly isLast: boolean }
  | { readonly kind: 'special'; readonly inode: Inode };

/** The options that count here. */
export interface ReadFilesOptions {
  readonly limits: Limits;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The second pass: everything in the tree but its directories, in the order of the entries that made it. Reads only the
 * layers that files of the tree are in. Ends only if each of them had its diff id once more; what came before may be
 * wrong. Throws ERR_DIFF_ID_MISMATCH and what the first pass throws.
 */
export async function* readFiles(
  reader: SourceReader,
  plan: PlannedTree,
  options: ReadFilesOptions,
): AsyncGenerator<Iterable<TreePart>> {
  plan.listing.rewind();
  for (const [at, layer] of plan.layers.entries()) {
    try {
      yield* new LayerPass(plan, layer, at, options).parts(reader);
    } catch (error) {
      throw inSecondPass(layer, error);
    }
  }
}

/** One layer of the second pass. */
class LayerPass {
  readonly #plan: PlannedTree;
  readonly #layer: PlannedLayer;
  readonly #at: number;
  readonly #options: ReadFilesOptions;
  readonly #tar: LayerReader;
  #ordinal: number;
  /** Bytes that the file which is read still lacks. */
  #left = 0;

  constructor(plan: PlannedTree, layer: PlannedLayer, at: number, options: ReadFilesOptions) {
    this.#plan = plan;
    this.#layer = layer;
    this.#at = at;
    this.#options = options;
    this.#tar = new LayerReader(options.limits);
    this.#ordinal = layer.start;
  }

  /** The specials that come before the next regular file and before this ordinal. */
  *#specials(before: number): Generator<TreePart> {
    const { listing } = this.#plan;
    while (listing.nextOrdinal < before && listing.nextIsSpecial) {
      const inode = listing.take();
      if (inode !== undefined) yield { kind: 'special', inode };
    }
  }

  async *parts(reader: SourceReader): AsyncGenerator<Iterable<TreePart>> {
    yield this.#specials(this.#layer.end);
    if (this.#plan.listing.nextOrdinal >= this.#layer.end) return;
    const { limits, signal } = this.#options;
    for await (const piece of unpackedLayer(reader, this.#layer, { limits, checksDigest: false })) {
      throwIfAborted(signal, 'unpacking the image');
      yield this.#checkedParts(piece);
    }
    this.#tar.end();
    yield this.#specials(this.#layer.end);
    if (this.#plan.listing.nextOrdinal < this.#layer.end) throw changedLayer(this.#layer);
  }

  /** These are read by the caller, where `readFiles` sees no error. */
  *#checkedParts(piece: Buffer): Generator<TreePart> {
    try {
      yield* this.#partsIn(piece);
    } catch (error) {
      throw inSecondPass(this.#layer, error);
    }
  }

  *#partsIn(piece: Buffer): Generator<TreePart> {
    const { listing } = this.#plan;
    for (const item of this.#tar.read(piece)) {
      if (!('type' in item)) {
        if (this.#left > 0) yield this.#piece(item);
        continue;
      }
      const ordinal = this.#ordinal;
      this.#ordinal += 1;
      // The body of the file before is over.
      yield* this.#specials(ordinal);
      if (ordinal !== listing.nextOrdinal || listing.nextIsSpecial) continue;
      const inode = listing.take(normalPath(item.name, Number.POSITIVE_INFINITY));
      if (inode === undefined) throw changedLayer(this.#layer);
      this.#checkSame(inode, item);
      this.#left = item.bodySize;
      yield { kind: 'file', inode, entry: item, layer: this.#at };
    }
  }

  #piece(bytes: Buffer): TreePart {
    this.#left -= bytes.length;
    return { kind: 'piece', bytes, isLast: this.#left === 0 };
  }

  #checkSame({ node }: Inode, { type, bodySize }: LayerEntry): void {
    if (typeof node === 'number' && type === '0' && this.#plan.files.sizeOf(node) === bodySize) return;
    throw changedLayer(this.#layer);
  }
}

/** The first pass found no fault, so what is damaged now was changed. */
function inSecondPass(layer: PlannedLayer, error: unknown): unknown {
  return inLayer(layer, isDamage(error) ? changedLayer(layer, error) : error);
}

function changedLayer({ diffId, descriptor: { digest } }: PlannedLayer, cause?: unknown): LadingError {
  const message = 'its content changed while it was unpacked; look for what writes to the store';
  return new LadingError('ERR_DIFF_ID_MISMATCH', message, { details: { digest, diffId }, cause });
}
