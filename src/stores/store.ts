import type { ContentProvider } from '../content/content-provider.js';
import type { Cut } from '../content/closure.js';
import type { FilePart } from '../files/file-part.js';
import type { Content, ContentKind } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest, Digester } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { PruneOptions, PruneReport } from './prune-report.js';

/*
 * The ports, by capability: where images come from, where they go to, and what only a store of our own can do. A store has
 * all three. No method is optional; what a place cannot do is an object that it does not have.
 */

/** One operation that reads. What it claims or looks up is safe from garbage collection until it ends. */
export interface SourceReader extends ContentProvider {
  /** Makes many blobs safe at once, as looking up each of them does one by one. */
  claim(digests: readonly Digest[]): Promise<void>;
  end(): Promise<void>;
}

/** Where images come from. Content that is read outside of an operation may be removed meanwhile. */
export interface ImageSource extends ContentProvider {
  /**
   * The images that the texts mean, in the order of the texts, one after another. Throws ERR_IMAGE_UNKNOWN,
   * ERR_REFERENCE_INVALID, ERR_REFERENCE_AMBIGUOUS.
   */
  resolve(texts: readonly string[]): Promise<readonly ImageRecord[]>;
  /** What refers to a manifest or index without being listed by an index. */
  referrersOf(subject: Digest): Promise<readonly Descriptor[]>;
  /** Starts an operation that reads, also in a place that cannot be written to: such a place loses nothing. */
  reader(): Promise<SourceReader>;
}

/** What became of a blob: `present` where the place had it already. */
export type IngestOutcome = 'stored' | 'present';

/** One blob on its way into a store. Invisible until it is committed. */
export interface Ingest {
  /** Takes bytes. The chunk belongs to the ingest from now on. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the blob visible, once its size and digest are those expected. Whatever the outcome, the ingest is over.
   * Throws ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH, ERR_NO_SPACE, ERR_STORAGE_IO.
   */
  commit(expected: Content): Promise<IngestOutcome>;
  /** Leaves no trace. May be called at any time, also twice. */
  abort(): Promise<void>;
}

/** Content that is expected, before its first byte comes. */
export interface ExpectedContent extends Content {
  readonly kind: ContentKind;
}

/** Copies blobs that stand in files, beside each other, without their bytes passing through the caller. */
export interface PartCopies {
  /** Throws what `Ingest.commit` throws, and ERR_ABORTED when the signal is given. */
  copy(part: FilePart, expected: Content, signal: AbortSignal): Promise<IngestOutcome>;
  /** Ends what copies have taken, such as threads. None may be running, and none may follow. */
  end(): Promise<void>;
}

/** Changes the list of images. Called again with a newer list when another process changed the list meanwhile. */
export type ImageListChange = (records: readonly ImageRecord[]) => readonly ImageRecord[];

/** One operation that writes. What it stores is safe, too, until it ends, and its names become visible together. */
export interface DestinationSession extends SourceReader {
  /**
   * Starts a blob. `expected` is what its name promises, undefined where only its bytes will tell. A `digester` that sees
   * the bytes on their way here saves hashing them again.
   */
  begin(expected: ExpectedContent | undefined, digester?: Digester): Promise<Ingest>;
  /** Undefined where the place cannot copy from files. */
  readonly copies: PartCopies | undefined;
  /** Makes everything that was stored durable, then applies the change to the list of images at once. */
  publish(change: ImageListChange): Promise<void>;
  /**
   * Removes those of the blobs that no image reaches and no other session holds, and returns the removed ones. Through its
   * own root, a cut reaches nothing.
   */
  discard(digests: Iterable<Digest>, cut?: Cut): Promise<readonly Digest[]>;
  /** Ends the session. With `resumable` its blobs stay safe for a while, so that a second try finds them. */
  end(options?: { readonly resumable?: boolean }): Promise<void>;
}

/** Where images go to. */
export interface ImageDestination {
  /** The roots that the names mean there now, by full name; a name that means nothing is left out. */
  holders(names: readonly string[]): Promise<ReadonlyMap<string, Digest>>;
  /** Starts an operation that writes. Throws ERR_STORE_READONLY. */
  session(): Promise<DestinationSession>;
}

/** What only a store of our own can do: it knows all that it has. */
export interface Housekeeping {
  /** The images, named ones by name, then unnamed ones by digest. */
  list(): Promise<readonly ImageRecord[]>;
  /** Every blob, in no order. */
  digests(): AsyncIterable<Digest>;
  /** Removes unnamed images, then blobs that nothing reaches, if they are older than the grace time. A dry run removes nothing. */
  prune(options: PruneOptions): Promise<PruneReport>;
  /**
   * Takes a blob out of the store if it is damaged, which is found out by reading it, so that a load stores it again. Returns
   * whether it was taken out. What was taken out is kept until a prune after its grace time. Throws ERR_STORE_READONLY.
   */
  quarantine(digest: Digest): Promise<boolean>;
}

/** Where content and the names of images live. */
export interface Store extends ImageSource, ImageDestination, Housekeeping {}
