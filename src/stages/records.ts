import type { FoundBlob } from '../content/content-provider.js';
import type { FilePart, PouredPart } from '../files/file-part.js';
import type { LayerFacts } from '../layers/layer-probe.js';
import type { ContentKind } from '../model/content.js';
import type { Descriptor } from '../model/descriptor.js';
import type { Digest, Digester } from '../model/digest.js';
import type { ImageIndex } from '../model/image-index.js';
import type { ImageRecord } from '../model/image-list.js';
import type { Limits } from '../model/limits.js';
import type { PlatformSet } from '../model/platform-set.js';
import type { Platform } from '../model/platform.js';
import type { ThinList } from '../model/thin-list.js';
import { fields, OBJECT, oneOf, TEXT, wholeNumber, type Rule } from '../model/rules.js';
import type { ReferrerPolicy } from '../model/wanted-blobs.js';
import type { IngestOutcome, SourceReader } from '../stores/store.js';

/** One index or manifest of an image. Each stage reads the document itself if it needs it, so that nodes stay small. */
export interface ManifestNode {
  /** The image that it was found in, compared by identity. */
  readonly target: ImageRecord;
  readonly descriptor: Descriptor;
  /** `opaque`: of a media type that we do not know; carried as bytes, unread. */
  readonly kind: 'index' | 'manifest' | 'opaque';
  /** The manifest's platform: its own, its config's, or that of the index it stands in. */
  readonly platform?: Platform;
  /** The index that lists it; undefined for the root and for referrers that no index lists. */
  readonly parent?: Digest;
  /** The digest that an attestation or referrer describes; undefined for an image. */
  readonly subject?: Digest;
}

/** One blob that an archive or a store must have. */
export interface BlobNeed {
  readonly target: ImageRecord;
  readonly descriptor: Descriptor;
  readonly kind: 'index' | 'manifest' | 'config' | 'layer';
  /** The manifest that asks for it (for an index: itself). */
  readonly manifest: Digest;
}

const DESCRIPTOR = fields({ digest: TEXT, mediaType: TEXT });

/** An image, or a blob that it needs, as a record of a stage. */
export const DESCRIBED: Rule = fields({ descriptor: DESCRIPTOR });

/** A node as a record of a stage. */
export const NODE: Rule = fields({ target: OBJECT, descriptor: DESCRIPTOR, kind: TEXT });

/** The bytes of an entry. Read them to the end or stop with `return()`; never just drop them. */
export type Body = AsyncIterable<Uint8Array>;

/** One entry of an archive, as it was read or as it will be written. `size` is the length of the body in bytes. */
export interface ArchiveEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  readonly size: number;
  /** The digest in the name of a blob, if an earlier stage has parsed it: all stages then share one string. */
  readonly digest?: Digest;
  readonly linkname?: string;
  readonly mode?: number;
  readonly body: Body;
  /** Where the body stands in a file, so that it can be copied from there instead of read from `body`. */
  readonly part?: FilePart;
  /** The body as it comes through a pipe, so that it can be poured into a file instead of read from `body`. */
  readonly poured?: PouredPart;
  /** Skips the body without reading it, if the source can. */
  readonly skip?: () => void | Promise<void>;
}

/** An entry as a record of a stage. */
export const ENTRY: Rule = fields({
  name: TEXT,
  type: oneOf('file', 'directory', 'symlink', 'link'),
  size: wholeNumber(Number.MAX_SAFE_INTEGER),
  body: OBJECT,
});

/** An entry that a load keeps, and why. */
export interface SelectedEntry extends ArchiveEntry {
  /** The kind of content, as far as the documents read so far list it; else `blob`. */
  readonly kind: ContentKind;
  /** `metadata`: a layout file. `needed`: an image needs it. `candidate`: an image may need it. `link`: a link. */
  readonly use: 'metadata' | 'needed' | 'candidate' | 'link';
  /** The parsed `index.json`, for its entry. It may be large: nobody has to parse it again. */
  readonly index?: ImageIndex;
  /** The same for the list of a thin archive. */
  readonly thin?: ThinList;
}

/** An entry whose body throws at its end if size or digest are wrong. `digester` sees every byte that passes. */
export type VerifiedEntry<Entry extends ArchiveEntry = ArchiveEntry> = Entry & { readonly digester: Digester };

/** One blob that came into the store: `stored`, or `present` if the store had it already. `size` in bytes. */
export interface CommitEvent {
  readonly name: string;
  readonly digest: Digest;
  readonly size: number;
  readonly outcome: IngestOutcome;
}

/** A file without a digest in its name: the digest and size of its bytes, and what is known of them. */
export interface ArchiveFile {
  readonly digest: Digest;
  readonly size: number;
  /** The bytes of a small file, which is stored and unpacked only if an image turns out to need it. */
  readonly bytes?: Buffer;
}

/** The contents of an archive, complete when its last entry was read. */
export interface ArchiveContents {
  /** The bytes of `oci-layout` and `manifest.json`, and the parsed `index.json`, if the archive has them. */
  readonly layout?: Buffer;
  readonly manifestJson?: Buffer;
  readonly index?: ImageIndex;
  /** What a thin archive says of itself. */
  readonly thin?: ThinList;
  /** Files that are not blobs, by name: the layers and configs of a docker-archive. */
  readonly files: ReadonlyMap<string, ArchiveFile>;
  /** Files that are not blobs and that stand in the archive before, with the same bytes. */
  readonly skipped: { readonly count: number; readonly bytes: number };
  /** What is known about blobs as layers. Closing the archive adds more. */
  readonly layers: Map<Digest, LayerFacts>;
  /** Links by name, with the name of the entry that each one points to. */
  readonly links: ReadonlyMap<string, string>;
  /** Blobs that this load wrote, with their sizes in bytes. Closing the archive adds more. */
  readonly stored: Map<Digest, number>;
  /** The blobs that another session had stored when this one came to it. */
  readonly storedByOthers: ReadonlySet<Digest>;
  /** Files and links whose name stood in the archive more than once. */
  readonly repeated: ReadonlySet<string>;
  /** Blobs with a wrong size or digest, with the size that they had. The load fails only if an image needs one. */
  readonly damaged: ReadonlyMap<Digest, Required<Omit<FoundBlob, 'mountedFrom'>>>;
  /** Whether a file with this plain name came and was not kept, since nothing had asked for it. */
  readonly hasLeft?: (name: string) => boolean;
  /** Whether a blob came as a file of the archive, kept or not. */
  readonly hasCome?: (digest: Digest) => boolean;
}

/** Which entries to keep, and where to look for content that is stored already. */
export interface SelectEntriesOptions {
  /** Looks up what the destination has. */
  readonly present: SourceReader;
  readonly platforms: PlatformSet<ImageRecord>;
  readonly referrers: ReferrerPolicy;
  /** Only the images with these names, tags, digests or patterns, and what belongs to them. */
  readonly images?: readonly string[];
  readonly limits: Limits;
  /**
   * When a damaged wanted blob ends the load. `fatal`: at once, for a load whose filter drops nothing. `later`: at the
   * end of the load, if the blob turns out to be needed.
   */
  readonly damage: 'fatal' | 'later';
  /** Passes every blob on, wanted or not: to verify an archive, not to load it. */
  readonly passesAll: boolean;
  /** Waits until all entries passed on so far are stored, so that a document that came before its index can be read. */
  readonly untilStored: () => Promise<void>;
  /** Is told what the archive lists and what is not passed on. */
  readonly watcher?: EntryWatcher;
  /** Is told of a thin archive. */
  readonly thin?: ThinWatcher;
}

/** Is told what a thin archive counts on. */
export interface ThinWatcher {
  /** The list, when it was read. */
  listed(thin: ThinList): void;
  /**
   * Called once, before the first blob that comes when every document was read: which of the list's layers are needed is
   * known then.
   */
  known(thin: ThinList): Promise<void>;
}

/** Is told what a selection of entries finds. */
export interface EntryWatcher {
  /** The parsed `index.json`, when it was read. */
  listed(index: ImageIndex): void;
  /** A blob that is not passed on: the store has it, or nothing needs it. */
  passedOver(entry: ArchiveEntry, state: 'present' | 'skipped'): void;
}
