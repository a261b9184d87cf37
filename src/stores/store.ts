import type { Descriptor } from '../model/descriptor.js';
import type { Digest, Digester } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Cut } from '../content/closure.js';
import type { FilePart } from '../files/file-part.js';
import type { ContentProvider } from '../content/content-provider.js';
import type { PruneOptions, PruneReport } from './prune-report.js';

/** Content that an operation looks up, and that is safe from garbage collection from then on until the operation ends. */
export interface ClaimingProvider extends ContentProvider {
  /** Makes many blobs safe at once, as looking up each of them does, for a store to which that is less work. */
  claim?(digests: readonly Digest[]): Promise<void>;
}

/** One blob on its way into a store. Invisible until it is committed. */
export interface Ingest {
  /** Takes bytes. The chunk belongs to the ingest from now on. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the blob visible, once its size and digest are those expected; `present` where the store had it already.
   * Whatever the outcome, the ingest is over. Throws ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH, ERR_NO_SPACE, ERR_STORAGE_IO.
   */
  commit(expected: Pick<Descriptor, 'digest' | 'size'>): Promise<'stored' | 'present'>;
  /** Leaves no trace. May be called at any time, also twice. */
  abort(): Promise<void>;
}

/** Changes the list of images; called again with a newer list when somebody else changed it meanwhile. */
export type ImageListChange = (records: readonly ImageRecord[]) => readonly ImageRecord[];

/**
 * One operation that reads. What it looks up is safe from garbage collection until it ends, as far as the store may be
 * written to: a store on a read-only medium loses nothing anyway.
 */
export interface StoreReader extends ClaimingProvider {
  end(): Promise<void>;
}

/**
 * One operation that writes. What it looks up or stores is safe from garbage collection until it ends, and its names
 * become visible together.
 */
export interface StoreSession extends ClaimingProvider {
  /** Starts a blob. A `digester` that already sees its bytes on their way here saves hashing them again. */
  begin(digester?: Digester): Promise<Ingest>;
  /**
   * Stores a blob whose bytes stand in a file, where the store can do that beside others and without their bytes coming by
   * here. Throws what `Ingest.commit` throws, and ERR_ABORTED when the signal is given.
   */
  copy?(
    part: FilePart,
    expected: Pick<Descriptor, 'digest' | 'size'>,
    signal: AbortSignal,
  ): Promise<'stored' | 'present'>;
  /** Ends what copies have taken, such as threads. None may be on its way, and none may follow. */
  endCopies?(): Promise<void>;
  /** Makes everything that was stored durable, then applies the change to the list of images at once. */
  publish(change: ImageListChange): Promise<void>;
  /**
   * Removes those of the blobs that no image reaches and no other session holds, and gives the removed ones. Through its
   * own root, a cut reaches nothing.
   */
  discard(digests: Iterable<Digest>, cut?: Cut): Promise<readonly Digest[]>;
  /**
   * Takes a blob out of the store if it is damaged, which is found out by reading it, so that a load stores it again. Gives
   * whether it went. What was taken out is kept until a prune after its grace time.
   */
  quarantine(digest: Digest): Promise<boolean>;
  /** Ends the session. With `resumable` its blobs stay safe for a while, so that a second try finds them. */
  end(options?: { readonly resumable?: boolean }): Promise<void>;
}

/** Where content and the names of images live. */
export interface Store extends ContentProvider {
  /** The images, named ones by name, then unnamed ones by digest. */
  list(): Promise<readonly ImageRecord[]>;
  /** Starts an operation that reads, also in a store that cannot be written to. */
  reader(): Promise<StoreReader>;
  /** Starts an operation that writes. Throws ERR_STORE_READONLY. */
  session(): Promise<StoreSession>;
  /** Every blob, in no order. */
  digests(): AsyncIterable<Digest>;
  /** Removes unnamed images, then blobs that nothing reaches, if they are older than the grace time. A dry run only tells. */
  prune(options: PruneOptions): Promise<PruneReport>;
}
