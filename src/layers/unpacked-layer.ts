import { pipeline } from 'node:stream';
import { compressionOf, MAGIC_BYTES } from '../compression/compressions.js';
import type { ContentProvider } from '../content/content-provider.js';
import { digestMismatch, sizeMismatch } from '../content/mismatch.js';
import { readAhead } from '../flow/read-ahead.js';
import type { Descriptor } from '../model/descriptor.js';
import { algorithmOf, Digester, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { exceedsRatio, type Limits } from '../model/limits.js';
import { asLayerError, tooPacked } from './layer-probe.js';

/** A layer of an image: what is stored, and the digest of what it unpacks to. */
export interface DiffLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
}

/** How to read a layer. */
export interface UnpackedLayerOptions {
  readonly limits: Limits;
  /** Whether the stored bytes are compared with their descriptor too, not only the unpacked ones with the diff id. */
  readonly checksDigest: boolean;
  /** Called with the number of stored bytes that have been read of it. */
  readonly onRead?: (bytes: number) => void;
}

/**
 * The unpacked bytes of a layer. When they end, they had the diff id. Holds two pieces, and what the decompressor holds.
 * Throws ERR_DIGEST_MISMATCH, ERR_SIZE_MISMATCH, ERR_DIFF_ID_MISMATCH, ERR_COMPRESSED_DATA, ERR_LIMIT_RATIO,
 * ERR_COMPRESSION_UNSUPPORTED, and the errors of the provider.
 */
export async function* unpackedLayer(
  provider: ContentProvider,
  layer: DiffLayer,
  options: UnpackedLayerOptions,
): AsyncGenerator<Buffer> {
  const { digest } = layer.descriptor;
  const packed = new PackedBytes(provider.open(digest, { kind: 'blob' }), layer, options.checksDigest);
  const unpacked = new Digester(algorithmOf(layer.diffId));
  for await (const piece of readAhead(unpackedPieces(packed, options.limits))) {
    unpacked.update(piece);
    if (packed.isPacked && exceedsRatio(packed.size, unpacked.size, options.limits)) throw tooPacked(options.limits);
    options.onRead?.(packed.size);
    yield piece;
  }
  packed.check();
  if (unpacked.digest() !== layer.diffId) throw diffIdMismatch(layer, unpacked.digest());
}

function diffIdMismatch({ descriptor: { digest }, diffId }: DiffLayer, actual: Digest): LadingError {
  const message = `unpacks to ${actual}, its config says ${diffId}; do not trust the image`;
  return new LadingError('ERR_DIFF_ID_MISMATCH', message, { details: { digest, diffId, actual } });
}

/** The stored bytes of a layer, counted and hashed as they pass. */
class PackedBytes {
  readonly #source: AsyncIterable<Buffer>;
  readonly #descriptor: Descriptor;
  readonly #digester: Digester | undefined;
  size = 0;
  isPacked = false;

  constructor(source: AsyncIterable<Buffer>, { descriptor }: DiffLayer, checksDigest: boolean) {
    this.#source = source;
    this.#descriptor = descriptor;
    this.#digester = checksDigest ? new Digester(algorithmOf(descriptor.digest)) : undefined;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    for await (const chunk of this.#source) {
      this.size += chunk.length;
      this.#digester?.update(chunk);
      yield chunk;
    }
  }

  /** Throws if the bytes were not those of the descriptor. */
  check(): void {
    if (this.#digester === undefined) return;
    if (this.size !== this.#descriptor.size) throw sizeMismatch(this.#descriptor, this.size);
    const actual = this.#digester.digest();
    if (actual !== this.#descriptor.digest) throw digestMismatch(this.#descriptor.digest, actual);
  }
}

async function* unpackedPieces(packed: PackedBytes, limits: Limits): AsyncGenerator<Buffer> {
  const chunks = packed[Symbol.asyncIterator]();
  const head = await headOf(chunks);
  const compression = compressionOf(head);
  packed.isPacked = compression !== undefined;
  if (compression === undefined) {
    yield head;
    yield* chunks;
    return;
  }
  try {
    // The callback has the error too; the loop throws it.
    for await (const piece of pipeline(joined(head, chunks), compression.open(limits), () => {})) yield piece as Buffer;
  } catch (error) {
    throw asLayerError(error);
  }
}

/** The first bytes: as many as a magic number has, or all. */
async function headOf(chunks: AsyncGenerator<Buffer>): Promise<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < MAGIC_BYTES) {
    const { done, value } = await chunks.next();
    if (done === true) break;
    head = head.length === 0 ? value : Buffer.concat([head, value]);
  }
  return head;
}

async function* joined(head: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield head;
  yield* rest;
}
