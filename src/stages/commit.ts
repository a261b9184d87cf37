import { DOCKER_MANIFEST_ENTRY, digestOfEntry, INDEX_ENTRY, LAYOUT_ENTRY } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import { isDamage, LadingError } from '../model/errors.js';
import { LayerProbe, type LayerFacts } from '../stores/layer-probe.js';
import type { StoreSession } from '../stores/ports.js';
import { readAll } from '../stores/read-document.js';
import type { CommitEvent, SelectedEntry, VerifiedEntry } from './records.js';
import { Stage } from './stage.js';

/** A file that is no blob: what it hashes to, and what it is as a layer. */
export interface ArchiveFile {
  readonly digest: Digest;
  readonly size: number;
  readonly layer: LayerFacts;
}

/** What an archive was found to have, when its last entry was read. */
export interface ArchiveContents {
  /** The bytes of `oci-layout`, `index.json` and `manifest.json`, where they are. */
  readonly layout?: Buffer;
  readonly index?: Buffer;
  readonly dockerManifest?: Buffer;
  /** Files that are not blobs, by name: the layers and configs of a docker-archive. */
  readonly files: ReadonlyMap<string, ArchiveFile>;
  /** Links by name, with the entry that each one means. */
  readonly links: ReadonlyMap<string, string>;
  /** Blobs that this load wrote, and their bytes. Whoever closes the archive adds what it writes. */
  readonly stored: Map<Digest, number>;
  /** Blobs that were not what their name says. Fatal only for what the images turn out to need. */
  readonly damaged: ReadonlyMap<Digest, LadingError>;
}

/** What commit does with the contents once everything was read: close the graph and publish the names, or throw. */
export type CloseArchive = (contents: ArchiveContents) => Promise<void>;

/** How many bytes of a blob are written between two events. */
const TELL_BYTES = 4 * 1024 * 1024;

/**
 * Puts bodies into the store, and closes the archive after the last one. A damaged blob ends the load if it is known to be
 * needed; a damaged candidate is kept in mind. Holds one digest for each blob, and the layout's own documents.
 */
export class Commit extends Stage<VerifiedEntry<SelectedEntry>, CommitEvent> {
  readonly #session: StoreSession;
  readonly #close: CloseArchive;
  readonly #metadata = new Map<string, Buffer>();
  readonly #files = new Map<string, ArchiveFile>();
  readonly #links = new Map<string, string>();
  readonly #stored = new Map<Digest, number>();
  readonly #damaged = new Map<Digest, LadingError>();

  constructor(session: StoreSession, close: CloseArchive) {
    super({ writableHighWaterMark: 1 });
    this.#session = session;
    this.#close = close;
  }

  /** What was written so far, for a load that fails. */
  get stored(): ReadonlyMap<Digest, number> {
    return this.#stored;
  }

  protected override async *each(entry: VerifiedEntry<SelectedEntry>): AsyncGenerator<CommitEvent> {
    if (entry.use === 'link') this.#links.set(entry.name, entry.linkname ?? '');
    else if (entry.use === 'metadata') this.#metadata.set(entry.name, await readAll(entry.body, entry.size));
    else yield* this.#ingest(entry);
  }

  protected override async atEnd(): Promise<CommitEvent[]> {
    const [layout, index, dockerManifest] = [LAYOUT_ENTRY, INDEX_ENTRY, DOCKER_MANIFEST_ENTRY].map((name) =>
      this.#metadata.get(name),
    );
    await this.#close({
      ...(layout && { layout }),
      ...(index && { index }),
      ...(dockerManifest && { dockerManifest }),
      files: this.#files,
      links: this.#links,
      stored: this.#stored,
      damaged: this.#damaged,
    });
    return [];
  }

  async *#ingest(entry: VerifiedEntry<SelectedEntry>): AsyncGenerator<CommitEvent> {
    const promised = digestOfEntry(entry.name);
    try {
      yield* this.#store(entry, promised);
    } catch (error) {
      if (entry.use !== 'candidate' || promised === undefined || !isDamage(error)) throw error;
      this.#damaged.set(promised, error);
    }
  }

  async *#store(entry: VerifiedEntry<SelectedEntry>, promised: Digest | undefined): AsyncGenerator<CommitEvent> {
    const { name, size, body, digester } = entry;
    const ingest = await this.#session.begin(digester);
    // Only a docker-archive has layers without a digest in their name; their diff ids have to be known.
    const probe = promised === undefined ? new LayerProbe() : undefined;
    const told = { name, size, ...(promised && { digest: promised }) };
    let bytes = 0;
    let toldBytes = 0;
    try {
      for await (const chunk of body) {
        if (this.destroyed) throw new LadingError('ERR_ABORTED', `blob ${name} was given up`);
        await probe?.write(chunk);
        await ingest.write(chunk);
        bytes += chunk.length;
        if (bytes - toldBytes < TELL_BYTES) continue;
        toldBytes = bytes;
        yield { ...told, bytes, outcome: 'storing' };
      }
      const digest = promised ?? digester.digest();
      const outcome = await ingest.commit({ digest, size });
      if (outcome === 'stored') this.#stored.set(digest, size);
      if (probe !== undefined) this.#files.set(name, { digest, size, layer: await probe.end() });
      yield { ...told, digest, bytes, outcome };
    } finally {
      // Also where this generator is given up between two events; after a commit there is nothing left to abort.
      probe?.destroy();
      await ingest.abort();
    }
  }
}
