import { once } from 'node:events';
import { createGunzip, type Gunzip } from 'node:zlib';
import { Digester, type Digest } from '../model/digest.js';

/** What a layer's bytes are: `diffId` is the digest of what gzip packs, undefined where it cannot be unpacked. */
export type LayerFacts = { readonly gzip: false } | { readonly gzip: true; readonly diffId: Digest | undefined };

/**
 * Learns from a layer's bytes, as they pass, what its diff id is, so that nobody has to read them again. Holds two bytes,
 * and what zlib holds (under 1 MiB).
 */
export class LayerProbe {
  #head = Buffer.alloc(0);
  #gunzip: Gunzip | undefined;
  #diffId: Promise<Digest | undefined> = Promise.resolve(undefined);

  /** Whether the bytes so far tell that this is no gzip, so that no more are needed. */
  get isPlain(): boolean {
    return this.#head.length >= MAGIC.length && this.#gunzip === undefined;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.isPlain) return;
    if (this.#gunzip !== undefined) return await this.#unpack(this.#gunzip, chunk);
    this.#head = Buffer.concat([this.#head, chunk]);
    if (!this.#head.subarray(0, MAGIC.length).equals(MAGIC)) return;
    this.#gunzip = createGunzip();
    this.#diffId = digestOfAll(this.#gunzip);
    await this.#unpack(this.#gunzip, this.#head);
  }

  async end(): Promise<LayerFacts> {
    this.#gunzip?.end();
    return this.#gunzip === undefined ? { gzip: false } : { gzip: true, diffId: await this.#diffId };
  }

  /** Gives up. May be called at any time. */
  destroy(): void {
    this.#gunzip?.destroy();
  }

  /** What cannot be unpacked ends as an unknown diff id, whether it waits for room or not. */
  async #unpack(gunzip: Gunzip, chunk: Uint8Array): Promise<void> {
    if (gunzip.destroyed || gunzip.write(chunk)) return;
    await Promise.race([once(gunzip, 'drain').catch(() => {}), this.#diffId]);
  }
}

/** The first bytes of gzip (RFC 1952, 2.3.1). */
const MAGIC = Buffer.from([0x1f, 0x8b]);

async function digestOfAll(unpacked: AsyncIterable<Buffer>): Promise<Digest | undefined> {
  const digester = new Digester();
  try {
    for await (const chunk of unpacked) digester.update(chunk);
    return digester.digest();
  } catch {
    return undefined;
  }
}
