import type { ContentProvider } from '../content/content-provider.js';
import type { FilePart, PouredPart } from '../files/file-part.js';
import type { ByteMeter } from '../model/byte-meter.js';
import type { Content, ContentKind } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest, Digester } from '../model/digest.js';
import type { ImageRecord } from '../model/image-list.js';
import type { PruneOptions, PruneReport } from './prune-report.js';

/*
 * The ports, by capability: a source of images, a destination for images, and the housekeeping of a Lading store. A
 * store has all three. No method is optional: a place that cannot do something has no object for it.
 */

/** One operation that reads from a source. The blobs that it claims or looks up are safe from removal until it ends. */
export interface SourceReader extends ContentProvider {
  /** Makes many blobs safe at once. Looking a blob up makes it safe, too. */
  claim(digests: readonly Digest[]): Promise<void>;
  /**
   * The file of a blob that was claimed with others. It stays until the end, if it was here at the claim. Undefined if
   * the place has no files, or if the blob may have been moved meanwhile: then look it up.
   */
  fileOf(digest: Digest): string | undefined;
  end(): Promise<void>;
}

/** A place where images come from. Content that is read outside of an operation may be removed meanwhile. */
export interface ImageSource extends ContentProvider {
  /**
   * The images that the texts mean, in the order of the texts. Throws ERR_IMAGE_UNKNOWN, ERR_REFERENCE_INVALID,
   * ERR_REFERENCE_AMBIGUOUS.
   */
  resolve(texts: readonly string[]): Promise<readonly ImageRecord[]>;
  /** The referrers of a manifest or index that no index lists. */
  referrersOf(subject: Digest): Promise<readonly Descriptor[]>;
  /**
   * The images of a repository, given as `host/path`, whose names say that they belong to one of the digests: signatures
   * and the like.
   */
  companionsOf(repository: string, subjects: ReadonlySet<Digest>): Promise<readonly ImageRecord[]>;
  /** Starts an operation that reads. Works also where nothing can be written, and so nothing removed. */
  reader(): Promise<SourceReader>;
}

/** The result of writing a blob: `present` if the place had it already. */
export type IngestOutcome = 'stored' | 'present';

/** One blob on its way into a store. It is invisible until it is committed. */
export interface Ingest {
  /** Takes bytes. The chunk belongs to the ingest from now on. */
  write(chunk: Uint8Array): Promise<void>;
  /**
   * Makes the blob visible if it has the expected size and digest. The ingest is over, also after an error.
   * Throws ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH, ERR_NO_SPACE, ERR_STORAGE_IO.
   */
  commit(expected: Content): Promise<IngestOutcome>;
  /** Removes what was written. May be called at any time, also twice; after a commit it does nothing. */
  abort(): Promise<void>;
}

/** The digest, size and kind of content whose bytes are still to come. */
export interface ExpectedContent extends Content {
  readonly kind: ContentKind;
}

/** Copies blobs from files and pipes, several at once, without their bytes passing through the caller. */
export interface PartCopies {
  /** Whether it takes blobs that are poured, too. If not, their bytes are passed through `begin`. */
  readonly pours: boolean;
  /**
   * Copies one blob. A place that can tell how far it is lets the meter follow that. Throws what `Ingest.commit` throws,
   * and ERR_ABORTED when the signal aborts.
   */
  copy(
    part: FilePart | PouredPart,
    expected: ExpectedContent,
    signal: AbortSignal,
    meter?: ByteMeter,
  ): Promise<IngestOutcome>;
  /** Releases what the copies used, such as threads. No copy may be running or follow. */
  end(): Promise<void>;
}

/** Takes blobs whose bytes can be read again, several at once: a place that is far away may need a second try. */
export interface Transfers {
  /** Stores one blob. `open` may be called several times. Throws what `Ingest.commit` throws. */
  transfer(expected: ExpectedContent, open: () => AsyncIterable<Uint8Array>): Promise<IngestOutcome>;
}

/** A function that changes the list of images. It is called again if another process changed the list meanwhile. */
export type ImageListChange = (records: readonly ImageRecord[]) => readonly ImageRecord[];

/** What becomes of the blobs of a session that ends. */
export interface EndOptions {
  /** They stay safe for a while, so that a second try finds them. */
  readonly resumable?: boolean;
  /** They stay safe for so many milliseconds, whatever the resume time of a prune is. */
  readonly holdMs?: number;
  /**
   * Those of these that no image needs and no session holds are removed once this one holds nothing any more: of two
   * sessions that have passed the same blob, the last one removes it. An error of that is not thrown: the work is done,
   * and a prune removes what is left.
   */
  readonly unneeded?: Iterable<Digest>;
}

/** One operation that writes to a destination. What it stores is safe, too; its names become visible together. */
export interface DestinationSession extends SourceReader {
  /**
   * Starts a blob. `expected` is undefined if only the bytes will show its digest. If a `digester` has seen the bytes
   * already, they are not hashed again.
   */
  begin(expected: ExpectedContent | undefined, digester?: Digester): Promise<Ingest>;
  /** Undefined if the place cannot copy from files. */
  readonly copies: PartCopies | undefined;
  /** Undefined if the place needs no second try. */
  readonly transfers: Transfers | undefined;
  /** Makes everything that was stored durable, then applies the change to the list of images at once. */
  publish(change: ImageListChange): Promise<void>;
  /** Removes those of the blobs that no image needs and no other session holds, and returns the removed ones. */
  discard(digests: Iterable<Digest>): Promise<readonly Digest[]>;
  /** Ends the session. */
  end(options?: EndOptions): Promise<void>;
}

/** A place where images go to. */
export interface ImageDestination {
  /** The roots that have these names now, by full name; a name that no image has is left out. */
  holders(names: readonly string[]): Promise<ReadonlyMap<string, Digest>>;
  /** Starts an operation that writes. Throws ERR_STORE_READONLY. */
  session(): Promise<DestinationSession>;
}

/** The work that only a Lading store can do, since it knows all of its content. */
export interface Housekeeping {
  /** The images, named ones by name, then unnamed ones by digest. */
  list(): Promise<readonly ImageRecord[]>;
  /** Every blob, in no order. */
  digests(): AsyncIterable<Digest>;
  /** The paths of files that stand in the place of the store's own and are none of them. They are never opened. */
  foreignFiles(): Promise<readonly string[]>;
  /**
   * Removes images that have lost their name, then unneeded blobs, that are older than the grace time. A dry run removes
   * nothing.
   */
  prune(options: PruneOptions): Promise<PruneReport>;
  /**
   * Reads a blob and takes it out of the store if it is damaged, so that a load stores it again. Returns true if it was
   * taken out. It is kept aside until a prune after its grace time. Throws ERR_STORE_READONLY.
   */
  quarantine(digest: Digest): Promise<boolean>;
  /** The blobs that were taken out since they were damaged, and that no load has stored again. */
  lost(): Promise<ReadonlySet<Digest>>;
}

/** A place that keeps content and the names of images. */
export interface Store extends ImageSource, ImageDestination, Housekeeping {}
