import { randomUUID } from 'node:crypto';
import type { OpenOptions } from '../../content/content-provider.js';
import type { Digest } from '../../model/digest.js';
import type { SourceReader } from '../store.js';
import { ClaimedBlobs } from './blobs/claimed-blobs.js';
import type { LayoutParts } from './layout-parts.js';
import { Lease } from './leases/lease.js';

/** Codes of a store that can be read but not written: a read-only medium, a store of another user, a full disk. */
const UNWRITABLE: readonly string[] = ['EROFS', 'EACCES', 'EPERM', 'ENOENT', 'ENOSPC', 'EDQUOT'];

/** One operation that reads a directory store, under a lease if one can be written. Holds the claimed digests. */
export class LayoutReader implements SourceReader {
  readonly #blobs: LayoutParts['blobs'];
  readonly #paths: LayoutParts['paths'];
  #claimed: ClaimedBlobs | undefined;

  private constructor({ blobs, paths }: LayoutParts, lease: Lease | undefined) {
    this.#blobs = blobs;
    this.#paths = paths;
    this.#claimed = lease && new ClaimedBlobs(blobs, lease);
  }

  /** Starts an operation of this process. */
  static async start(parts: LayoutParts): Promise<LayoutReader> {
    const lease = await whereWritable(async () => await Lease.create(parts.paths.leases, randomUUID()));
    return new LayoutReader(parts, lease);
  }

  async claim(digests: readonly Digest[]): Promise<void> {
    await whereWritable(() => this.#claimed?.claim(digests));
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    const claimed = this.#claimed;
    if (claimed === undefined) return await this.#blobs.stat(digest);
    await whereWritable(() => claimed.lease.claim([digest]));
    return await claimed.find(digest);
  }

  open(digest: Digest, options: OpenOptions): AsyncIterable<Buffer> {
    return this.#blobs.open(digest, options);
  }

  fileOf(digest: Digest): string | undefined {
    return this.#claimed?.isUnmoved(digest) === true ? this.#paths.blob(digest) : undefined;
  }

  async end(): Promise<void> {
    const lease = this.#claimed?.lease;
    this.#claimed = undefined;
    await lease?.end({ keep: false });
  }
}

/** Reading must not depend on writing: blobs that cannot be claimed are read all the same, and verified as always. */
async function whereWritable<T>(write: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await write();
  } catch (error) {
    if (UNWRITABLE.includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
