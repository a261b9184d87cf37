import type { Descriptor } from '../model/descriptor.js';
import type { Digest, Digester } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Cut } from './closure.js';

/** A part of a blob: `start` and `end` in bytes, `end` not included. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** Where content can be looked up and read. */
export interface ContentProvider {
  /** The blob's size in bytes, or undefined where it is not here. */
  stat(digest: Digest): Promise<{ readonly size: number } | undefined>;
  /** The blob's bytes, not verified. Opened with the first chunk that is asked for. The chunks throw ERR_BLOB_MISSING. */
  open(digest: Digest, range?: ByteRange): AsyncIterable<Buffer>;
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
export interface StoreReader extends ContentProvider {
  end(): Promise<void>;
}

/**
 * One operation that writes. What it looks up or stores is safe from garbage collection until it ends, and its names
 * become visible together.
 */
export interface StoreSession extends ContentProvider {
  /** Starts a blob. A `digester` that already sees its bytes on their way here saves hashing them again. */
  begin(digester?: Digester): Promise<Ingest>;
  /** Makes everything that was stored durable, then applies the change to the list of images at once. */
  publish(change: ImageListChange): Promise<void>;
  /**
   * Removes those of the blobs that no image reaches and no other session holds, and gives the removed ones. Through its
   * own root, a cut reaches nothing.
   */
  discard(digests: Iterable<Digest>, cut?: Cut): Promise<readonly Digest[]>;
  /** Ends the session. With `resumable` its blobs stay safe for a while, so that a second try finds them. */
  end(options?: { readonly resumable?: boolean }): Promise<void>;
}

/** What a prune removed, or would remove. */
export interface PruneReport {
  readonly images: readonly ImageRecord[];
  readonly blobs: readonly { readonly digest: Digest; readonly size: number }[];
}

/** When a prune starts: `now` and `graceMs` in milliseconds; what is younger than the grace time stays. */
export interface PruneOptions {
  readonly now: number;
  readonly graceMs: number;
  readonly dryRun?: boolean;
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
  /** Removes unnamed images, then blobs that nothing reaches, if they are older than the grace time. */
  prune(options: PruneOptions): Promise<PruneReport>;
}
