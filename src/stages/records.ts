import type { Descriptor } from '../model/descriptor.js';
import type { Digest, Digester } from '../model/digest.js';
import type { Platform } from '../model/platform.js';
import type { FilePart } from '../files/file-part.js';
import type { LayerFacts } from '../layers/layer-probe.js';
import type { FoundBlob } from '../content/content-provider.js';
import type { ContentKind } from '../model/content.js';
import type { IngestOutcome } from '../stores/store.js';
import type { ImageRecord } from '../model/image-list.js';

/** One index or manifest of an image. Its document is read by the stage that needs it, so that nodes stay small. */
export interface ManifestNode {
  /** The image that it was found in, compared by identity. */
  readonly target: ImageRecord;
  readonly descriptor: Descriptor;
  /** `opaque`: of a media type that we do not know; carried as bytes. */
  readonly kind: 'index' | 'manifest' | 'opaque';
  /** The manifest's platform: its own, its config's, or that of the index it stands in. */
  readonly platform?: Platform;
  /** The index that lists it; undefined for the root and for referrers that no index lists. */
  readonly parent?: Digest;
  /** What an attestation or referrer speaks of; undefined for an image. */
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

/** The bytes of an entry. Read to its end or given up with `return()`, never dropped. */
export type Body = AsyncIterable<Uint8Array>;

/** One entry of an archive, as it is read or before it is written. `size` is the body's bytes. */
export interface ArchiveEntry {
  readonly name: string;
  readonly type: 'file' | 'directory' | 'symlink' | 'link';
  readonly size: number;
  /** What the name of a blob promises, where somebody found it already: every stage holds the same text. */
  readonly digest?: Digest;
  readonly linkname?: string;
  readonly mode?: number;
  readonly body: Body;
  /** Where the body stands in a file, for whoever copies it from there instead of reading `body`. */
  readonly part?: FilePart;
  /** Gives the body up without reading it, where the source can pass over it. */
  readonly skip?: () => void;
}

/** An entry that a load keeps, and what for. */
export interface SelectedEntry extends ArchiveEntry {
  /** The kind that the documents read so far give it; `blob` where none of them lists it. */
  readonly kind: ContentKind;
  /** `metadata`: a layout file; `needed`: content known to be wanted; `candidate`: may turn out to be; `link`: a link. */
  readonly use: 'metadata' | 'needed' | 'candidate' | 'link';
}

/** An entry whose body fails at its end unless it is what its name promises; `digester` sees every byte that passes. */
export type VerifiedEntry<Entry extends ArchiveEntry = ArchiveEntry> = Entry & { readonly digester: Digester };

/**
 * Told by commit of each blob: `storing` while it is written, every few MiB; in the end `stored`, or `present` where it was
 * there already. `bytes` of its `size` are written so far. Of one that is
 * copied from a file only the end is told. A file without a digest in its name has one when it is stored.
 */
export interface CommitEvent {
  readonly name: string;
  readonly digest?: Digest;
  readonly size: number;
  readonly bytes: number;
  readonly outcome: 'storing' | IngestOutcome;
}

/** A file that is no blob: what it hashes to, and what it is as a layer. */
export interface ArchiveFile {
  readonly digest: Digest;
  readonly size: number;
  readonly layer: LayerFacts;
  /** The bytes of a small file, which the store gets only if an image turns out to need them. */
  readonly bytes?: Buffer;
}

/** What an archive was found to have, when its last entry was read. */
export interface ArchiveContents {
  /** The bytes of `oci-layout`, `index.json` and `manifest.json`, where they are. */
  readonly layout?: Buffer;
  readonly index?: Buffer;
  readonly dockerManifest?: Buffer;
  /** Files that are not blobs, by name: the layers and configs of a docker-archive. */
  readonly files: ReadonlyMap<string, ArchiveFile>;
  /** What was learned of blobs as layers. */
  readonly layers: ReadonlyMap<Digest, LayerFacts>;
  /** Links by name, with the entry that each one means. */
  readonly links: ReadonlyMap<string, string>;
  /** Blobs that this load wrote, and their bytes. Whoever closes the archive adds what it writes. */
  readonly stored: Map<Digest, number>;
  /** Files and links whose name stood in the archive more than once. */
  readonly repeated: ReadonlySet<string>;
  /** Blobs that were not what their name says, with the bytes that they had. Fatal only for what the images need. */
  readonly damaged: ReadonlyMap<Digest, Required<FoundBlob>>;
}
