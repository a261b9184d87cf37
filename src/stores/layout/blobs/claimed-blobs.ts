import type { Digest } from '../../../model/digest.js';
import type { Lease } from '../leases/lease.js';
import type { BlobFile, BlobFiles } from './blob-files.js';

/** Looks up blobs for an operation that has a lease. Holds the digests that it claimed. */
export class ClaimedBlobs {
  readonly #blobs: BlobFiles;
  readonly lease: Lease;
  /** Claimed while no collection was running. One that begins later sees the claim and does not move the blob. */
  readonly #unmoved = new Set<Digest>();

  constructor(blobs: BlobFiles, lease: Lease) {
    this.#blobs = blobs;
    this.lease = lease;
  }

  /** Claims many blobs at once, with one write and one look for collections. */
  claim(digests: readonly Digest[]): void {
    if (digests.length === 0) return;
    this.lease.claim(digests);
    if (this.#blobs.isCollected()) return;
    for (const digest of digests) this.#unmoved.add(digest);
  }

  /** Whether the blob was claimed while no collection could move it. */
  isUnmoved(digest: Digest): boolean {
    return this.#unmoved.has(digest);
  }

  /** Finds a blob that was claimed, here or through the lease itself. */
  async find(digest: Digest): Promise<BlobFile | undefined> {
    return this.#unmoved.has(digest) ? this.#blobs.statUnmoved(digest) : await this.#blobs.statClaimed(digest);
  }
}
