import { once } from 'node:events';
import type { Transform } from 'node:stream';
import { compressionOf, MAGIC_BYTES, type CompressionName } from '../compression/compressions.js';
import { Digester, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { exceedsRatio, type Limits } from '../model/limits.js';

/** What the bytes of a layer show. */
export interface LayerFacts {
  readonly compression: 'none' | CompressionName;
  /** The sha256 digest of the unpacked bytes. Undefined for a plain layer, with `headOnly`, and beside an error. */
  readonly diffId?: Digest;
  /** Why unpacking failed: ERR_COMPRESSED_DATA, ERR_LIMIT_RATIO, ERR_COMPRESSION_UNSUPPORTED. */
  readonly error?: LadingError;
}

/** Options of a probe. */
export interface LayerProbeOptions {
  readonly limits: Limits;
  /** Reads only the first bytes, and unpacks nothing. */
  readonly headOnly?: boolean;
}

/** `head`: the magic number has not fully come. `done`: no more bytes are needed. */
type Phase = { readonly kind: 'head'; readonly bytes: Buffer } | LaterPhase;
type LaterPhase = Unpacking | { readonly kind: 'done'; readonly facts: LayerFacts };

interface Unpacking {
  readonly kind: 'unpacking';
  readonly unpack: Transform;
  readonly facts: Promise<LayerFacts>;
}

/**
 * Computes a layer's diff id from its bytes as they pass, so that they need not be read again. Holds six bytes, and
 * what the decompressor holds: under 1 MiB for gzip, the window for zstd and xz.
 */
export class LayerProbe {
  readonly #limits: Limits;
  readonly #headOnly: boolean;
  #phase: Phase = { kind: 'head', bytes: Buffer.alloc(0) };
  #bytesIn = 0;

  constructor({ limits, headOnly = false }: LayerProbeOptions) {
    this.#limits = limits;
    this.#headOnly = headOnly;
  }

  /** Whether it needs no more bytes: the layer is plain, or it does not unpack this one. */
  get isDone(): boolean {
    return this.#phase.kind === 'done';
  }

  async write(chunk: Uint8Array): Promise<void> {
    const phase = this.#phase;
    if (phase.kind === 'done') return;
    if (phase.kind === 'unpacking') return await this.#pass(chunk, phase);
    const bytes = Buffer.concat([phase.bytes, chunk]);
    this.#phase = { kind: 'head', bytes };
    if (bytes.length >= MAGIC_BYTES) await this.#begin(bytes);
  }

  async end(): Promise<LayerFacts> {
    const phase = this.#phase.kind === 'head' ? await this.#begin(this.#phase.bytes) : this.#phase;
    if (phase.kind === 'unpacking') phase.unpack.end();
    return await phase.facts;
  }

  /** Ends early. May be called at any time. */
  destroy(): void {
    if (this.#phase.kind === 'unpacking') this.#phase.unpack.destroy();
  }

  async #begin(head: Buffer): Promise<LaterPhase> {
    const phase = this.#phaseAfter(head);
    this.#phase = phase;
    if (phase.kind === 'unpacking') await this.#pass(head, phase);
    return phase;
  }

  #phaseAfter(head: Buffer): LaterPhase {
    const found = compressionOf(head);
    if (found === undefined || this.#headOnly) return { kind: 'done', facts: { compression: found?.name ?? 'none' } };
    const unpack = found.open(this.#limits);
    const facts = this.#factsOf(found.name, unpack);
    void facts.then((known) => this.#finish(unpack, known));
    return { kind: 'unpacking', unpack, facts };
  }

  /** All is known, also before the last byte if unpacking failed: a decompressor then never drains. */
  #finish(unpack: Transform, facts: LayerFacts): void {
    unpack.destroy();
    this.#phase = { kind: 'done', facts };
  }

  /** Also ends when unpacking failed: then the decompressor never drains. */
  async #pass(chunk: Uint8Array, { unpack, facts }: Unpacking): Promise<void> {
    this.#bytesIn += chunk.length;
    if (unpack.destroyed || unpack.write(chunk)) return;
    await Promise.race([once(unpack, 'drain').catch(() => {}), facts]);
  }

  async #factsOf(compression: CompressionName, unpacked: AsyncIterable<Buffer>): Promise<LayerFacts> {
    const digester = new Digester();
    try {
      for await (const chunk of unpacked) {
        digester.update(chunk);
        if (exceedsRatio(this.#bytesIn, digester.size, this.#limits)) {
          return { compression, error: tooPacked(this.#limits) };
        }
      }
      return { compression, diffId: digester.digest() };
    } catch (error) {
      return { compression, error: asLayerError(error) };
    }
  }
}

/** What a decompressor threw. A layer is whole if its digest is right, so one that ends early was made like that. */
export function asLayerError(cause: unknown): LadingError {
  if (!(cause instanceof LadingError)) return new LadingError('ERR_COMPRESSED_DATA', 'is damaged', { cause });
  const { code, message, details } = cause;
  if (code !== 'ERR_ARCHIVE_TRUNCATED') return cause;
  return new LadingError('ERR_COMPRESSED_DATA', message, { cause, details });
}

/** ERR_LIMIT_RATIO, with a message that follows the name of the layer. */
export function tooPacked({ maxRatio }: Limits): LadingError {
  return new LadingError('ERR_LIMIT_RATIO', `unpacks to more than ${maxRatio} times its size`);
}
