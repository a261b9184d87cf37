import { once } from 'node:events';
import type { Transform } from 'node:stream';
import { Digester, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import { DEFAULT_LIMITS, exceedsRatio, type Limits } from '../model/limits.js';
import { compressionOf, MAGIC_BYTES, type Compression } from './compressions.js';

/** What the bytes of a layer show. */
export interface LayerFacts {
  readonly compression: 'none' | Compression['name'];
  /** The sha256 digest of the unpacked bytes. Undefined for a plain layer, with `headOnly`, and beside an error. */
  readonly diffId?: Digest;
  /** Why unpacking failed: ERR_COMPRESSED_DATA, ERR_LIMIT_RATIO, ERR_COMPRESSION_UNSUPPORTED. */
  readonly error?: LadingError;
}

/** Options of a probe. */
export interface LayerProbeOptions {
  readonly limits?: Limits;
  /** Reads only the first bytes, and unpacks nothing. */
  readonly headOnly?: boolean;
}

const CHUNK_BYTES = 64 * 1024;

/**
 * Computes a layer's diff id from its bytes as they pass, so that they need not be read again. Holds six bytes, and
 * what the decompressor holds (under 1 MiB for gzip).
 */
export class LayerProbe {
  readonly #limits: Limits;
  readonly #headOnly: boolean;
  #head: Buffer | undefined = Buffer.alloc(0);
  #compression: Compression | undefined;
  #unpack: Transform | undefined;
  #bytesIn = 0;
  #outcome: Promise<Omit<LayerFacts, 'compression'>> = Promise.resolve({});

  constructor({ limits = DEFAULT_LIMITS, headOnly = false }: LayerProbeOptions = {}) {
    this.#limits = limits;
    this.#headOnly = headOnly;
  }

  /** Whether it needs no more bytes: the layer is plain, or it does not unpack this one. */
  get isDone(): boolean {
    return this.#head === undefined && this.#unpack === undefined;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.isDone) return;
    if (this.#head === undefined) return await this.#pass(chunk);
    this.#head = Buffer.concat([this.#head, chunk]);
    if (this.#head.length >= MAGIC_BYTES) await this.#begin(this.#head);
  }

  async end(): Promise<LayerFacts> {
    if (this.#head !== undefined) await this.#begin(this.#head);
    this.#unpack?.end();
    return { compression: this.#compression?.name ?? 'none', ...(await this.#outcome) };
  }

  /** Ends early. May be called at any time. */
  destroy(): void {
    this.#unpack?.destroy();
  }

  async #begin(head: Buffer): Promise<void> {
    this.#head = undefined;
    this.#compression = compressionOf(head);
    if (this.#compression === undefined || this.#headOnly) return;
    try {
      this.#unpack = this.#compression.open(CHUNK_BYTES);
    } catch (error) {
      this.#outcome = Promise.resolve({ error: error as LadingError });
      return;
    }
    this.#outcome = this.#digestOf(this.#unpack);
    await this.#pass(head);
  }

  /** Also ends when unpacking failed: then the decompressor never drains. */
  async #pass(chunk: Uint8Array): Promise<void> {
    this.#bytesIn += chunk.length;
    const unpack = this.#unpack;
    if (unpack === undefined || unpack.destroyed || unpack.write(chunk)) return;
    await Promise.race([once(unpack, 'drain').catch(() => {}), this.#outcome]);
  }

  async #digestOf(unpacked: AsyncIterable<Buffer>): Promise<Omit<LayerFacts, 'compression'>> {
    const digester = new Digester();
    try {
      for await (const chunk of unpacked) {
        digester.update(chunk);
        if (exceedsRatio(this.#bytesIn, digester.size, this.#limits)) return { error: tooPacked(this.#limits) };
      }
      return { diffId: digester.digest() };
    } catch (cause) {
      return { error: new LadingError('ERR_COMPRESSED_DATA', 'it is damaged or was cut', { cause }) };
    }
  }
}

function tooPacked({ maxRatio }: Limits): LadingError {
  return new LadingError('ERR_LIMIT_RATIO', `it unpacks to more than ${maxRatio} times its size`);
}
