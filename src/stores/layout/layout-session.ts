import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { OpenOptions } from '../../content/content-provider.js';
import { syncFolder } from '../../files/durable-file.js';
import { storageError } from '../../files/storage-error.js';
import { algorithmOf, type Digest, type Digester } from '../../model/digest.js';
import type { DestinationSession, EndOptions, ExpectedContent, ImageListChange } from '../store.js';
import { ClaimedBlobs } from './blobs/claimed-blobs.js';
import { FileIngest, type FileIngestOptions } from './ingest/file-ingest.js';
import { PartCopier } from './ingest/part-copier.js';
import type { LayoutParts } from './layout-parts.js';
import { Lease } from './leases/lease.js';
import { withTimes } from '../../model/stored-times.js';
import type { ChangeQueue } from './refs/change-queue.js';
import { RefsPublisher } from './refs/refs-publisher.js';
import { collect } from './trash/collect.js';

/**
 * One operation that writes to a directory store, under a lease. Holds the claimed digests, and the folders with new
 * names that are not on stable storage yet.
 */
export class LayoutSession implements DestinationSession {
  readonly #store: LayoutParts;
  readonly #lease: Lease;
  readonly #claimed: ClaimedBlobs;
  readonly #changes: ChangeQueue;
  readonly #unsynced = new Set<string>();
  readonly transfers = undefined;
  #copier: PartCopier | undefined;

  private constructor(store: LayoutParts, changes: ChangeQueue, lease: Lease) {
    this.#store = store;
    this.#changes = changes;
    this.#lease = lease;
    this.#claimed = new ClaimedBlobs(store.blobs, lease);
  }

  /** Starts a session of this process, under a lease of its own. */
  static async start(store: LayoutParts, changes: ChangeQueue): Promise<LayoutSession> {
    return new LayoutSession(store, changes, await Lease.create(store.paths.leases, randomUUID()));
  }

  async claim(digests: readonly Digest[]): Promise<void> {
    try {
      this.#claimed.claim(digests);
    } catch (error) {
      throw storageError(error, 'cannot claim blobs');
    }
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    try {
      this.#lease.claim([digest]);
      const found = await this.#claimed.find(digest);
      // The process that stored it may not have made its name durable yet, and an image published here may need it.
      if (found !== undefined) this.#unsynced.add(path.dirname(this.#store.paths.blob(digest)));
      return found;
    } catch (error) {
      throw storageError(error, `cannot look up blob ${digest}`);
    }
  }

  open(digest: Digest, options: OpenOptions): AsyncIterable<Buffer> {
    return this.#store.blobs.open(digest, options);
  }

  fileOf(digest: Digest): string {
    return this.#store.paths.blob(digest);
  }

  get copies(): PartCopier {
    return (this.#copier ??= new PartCopier(() => this.#newIngest()));
  }

  async begin(expected: ExpectedContent | undefined, digester?: Digester): Promise<FileIngest> {
    const algorithm = expected && algorithmOf(expected.digest);
    const isDocument = expected?.kind === 'manifest';
    return await FileIngest.create({ ...this.#newIngest(), digester, algorithm, isDocument });
  }

  async publish(change: ImageListChange): Promise<void> {
    const { paths, now } = this.#store;
    const timed: ImageListChange = (records) => withTimes(records, change(records), now?.());
    try {
      for (const folder of this.#unsynced) await syncFolder(folder);
      if (this.#unsynced.size > 0) await syncFolder(paths.blobs);
      this.#unsynced.clear();
      const publisher = new RefsPublisher(paths, () => paths.newIngest(this.#lease.id));
      await this.#changes.add(timed, async (changes) => await publisher.publish(changes));
    } catch (error) {
      throw storageError(error, 'cannot publish the images');
    }
  }

  async discard(digests: Iterable<Digest>): Promise<readonly Digest[]> {
    const unwanted = [...digests];
    if (unwanted.length === 0) return [];
    try {
      return await collect(this.#store, unwanted, { except: [this.#lease.id] });
    } catch (error) {
      throw storageError(error, 'cannot remove blobs');
    }
  }

  async end({ resumable = false, holdMs, unneeded = [] }: EndOptions = {}): Promise<void> {
    await this.#copier?.end();
    try {
      await this.#lease.end({ keep: resumable || holdMs !== undefined, ...(holdMs !== undefined && { holdMs }) });
    } catch (error) {
      throw storageError(error, 'cannot end the operation');
    }
    // A prune removes what is left after an error.
    await this.discard(unneeded).catch(() => {});
  }

  /** The options of a new ingest. It claims its blob before the blob gets its name. */
  #newIngest(): FileIngestOptions {
    const { paths } = this.#store;
    return {
      file: paths.newIngest(this.#lease.id),
      claimBlobPath: (digest) => {
        this.#lease.claim([digest]);
        return paths.blob(digest);
      },
      onLinked: (folder) => this.#unsynced.add(folder),
    };
  }
}
