import { LadingError } from '../model/errors.js';
import { layerText, parseLayerHeader, typeOfHeader, type LayerEntry } from '../model/layer-header.js';
import type { Limits } from '../model/limits.js';
import { isExtension, TarExtensions, type ExtensionType } from '../model/tar-extensions.js';
import { badHeader, isZero, paddingOf, TAR_BLOCK, tarNumberIn } from '../model/tar-header.js';

/** Bytes of PAX records and long names of a layer. An archive may have 16 MiB; half a million names need more. */
const MAX_HEADER_BYTES = 256 * 1024 * 1024;

/** What comes next. `last-block`: the second of two zero blocks. `over`: what follows the end is no entry. */
type Phase =
  | { readonly kind: 'header' | 'body' | 'padding' | 'last-block' | 'over' }
  | { readonly kind: 'extension'; readonly type: ExtensionType };

/**
 * Reads the tar of a layer: its entries, each followed by the pieces of its body. Whether a type or a name can be part
 * of a tree is for the tree to say. End blocks may be missing, since the digest vouches for the end. Holds one header
 * block, and the extensions of one entry (at most 1 MiB).
 * Errors: ERR_TAR_HEADER, ERR_TAR_ENTRY, ERR_ARCHIVE_TRUNCATED, ERR_LIMIT_BYTES, ERR_LIMIT_ENTRIES.
 */
export class LayerReader {
  readonly #extensions: TarExtensions;
  #phase: Phase = { kind: 'header' };
  #left = TAR_BLOCK;
  #collected: Buffer[] = [];
  #isExtended = false;
  #padding = 0;

  constructor({ maxEntryHeaderBytes, maxPaxRecords }: Limits) {
    this.#extensions = new TarExtensions({
      maxEntryHeaderBytes,
      maxPaxRecords,
      maxHeaderBytes: MAX_HEADER_BYTES,
      text: layerText,
      takesBack: true,
      resizing: 'ERR_TAR_ENTRY',
    });
  }

  /** The entries and the pieces of bodies in the next bytes. A piece belongs to the entry before it. */
  *read(chunk: Buffer): Generator<LayerEntry | Buffer> {
    for (let at = 0; at < chunk.length;) {
      if (this.#phase.kind === 'over') return;
      const part = at === 0 && chunk.length <= this.#left ? chunk : chunk.subarray(at, at + this.#left);
      at += part.length;
      this.#left -= part.length;
      if (this.#phase.kind === 'body') yield part;
      else if (this.#phase.kind !== 'padding') this.#collected.push(part);
      if (this.#left > 0) continue;
      const entry = this.#endPhase();
      if (entry !== undefined) yield entry;
    }
  }

  /** Checks that the layer may end here. */
  end(): void {
    const { kind } = this.#phase;
    if (kind === 'over') return;
    const isBetween =
      (kind === 'header' || kind === 'last-block') && this.#left === TAR_BLOCK && !this.#extensions.hasPending;
    if (!isBetween) throw new LadingError('ERR_ARCHIVE_TRUNCATED', 'its tar ends inside an entry');
  }

  #expect(phase: Phase, bytes: number): void {
    this.#phase = phase;
    this.#left = bytes;
  }

  #endPhase(): LayerEntry | undefined {
    const { kind } = this.#phase;
    if (kind === 'body' && this.#padding > 0) this.#expect({ kind: 'padding' }, this.#padding);
    else if (kind === 'body' || kind === 'padding') this.#expect({ kind: 'header' }, TAR_BLOCK);
    else return this.#endCollecting();
    return undefined;
  }

  #endCollecting(): LayerEntry | undefined {
    const [first] = this.#collected;
    const bytes = first !== undefined && this.#collected.length === 1 ? first : Buffer.concat(this.#collected);
    this.#collected = [];
    if (this.#phase.kind === 'extension') this.#addExtension(this.#phase.type, bytes);
    else if (bytes[0] === 0 && isZero(bytes)) this.#endZeros();
    else return this.#startEntry(bytes);
    return undefined;
  }

  #addExtension(type: ExtensionType, body: Buffer): void {
    this.#extensions.add(type, body);
    const padding = paddingOf(body.length);
    this.#expect({ kind: padding > 0 ? 'padding' : 'header' }, padding > 0 ? padding : TAR_BLOCK);
  }

  #endZeros(): void {
    if (this.#extensions.hasPending) throw badHeader('no entry follows its extension');
    if (this.#phase.kind === 'header') this.#expect({ kind: 'last-block' }, TAR_BLOCK);
    else this.#phase = { kind: 'over' };
  }

  #startEntry(block: Buffer): LayerEntry | undefined {
    if (this.#phase.kind === 'last-block') throw badHeader('it follows a zero block');
    const type = typeOfHeader(block);
    if (isExtension(type)) {
      const size = tarNumberIn(block, 124, 136);
      this.#extensions.checkSize(size);
      this.#isExtended = true;
      this.#expect({ kind: 'extension', type }, size);
      return undefined;
    }
    const entry = parseLayerHeader(block, this.#isExtended ? this.#extensions.take() : undefined);
    this.#isExtended = false;
    this.#padding = paddingOf(entry.bodySize);
    if (entry.bodySize > 0) this.#expect({ kind: 'body' }, entry.bodySize);
    else this.#expect({ kind: 'header' }, TAR_BLOCK);
    return entry;
  }
}
