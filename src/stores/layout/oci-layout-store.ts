import type { FoundBlob, OpenOptions } from '../../content/content-provider.js';
import { namesIn, readIfThere } from '../../files/if-there.js';
import { readError, storageError } from '../../files/storage-error.js';
import { tracedPrune } from '../../flow/tracing.js';
import type { Descriptor } from '../../model/descriptor.js';
import { parseDigest, type Digest } from '../../model/digest.js';
import { LadingError } from '../../model/errors.js';
import type { ImageRecord } from '../../model/image-list.js';
import { CALLBACK, check, FLAG, listOf, optionsOf, PATH, TEXT } from '../../model/rules.js';
import { ListedImages } from '../listed-images.js';
import { PRUNE_OPTIONS, type PruneOptions, type PruneReport } from '../prune-report.js';
import type { DestinationSession, SourceReader, Store } from '../store.js';
import { BlobFiles } from './blobs/blob-files.js';
import type { LayoutParts } from './layout-parts.js';
import { isOurs } from './place/check-ownership.js';
import { FORMAT_VERSION, LayoutPaths } from './place/layout-paths.js';
import { ChangeQueue } from './refs/change-queue.js';
import { RefsLog } from './refs/refs-log.js';

/** How to open a store. With `readOnly` nothing is written, and a folder that does not exist is an empty store. */
export interface OpenStoreOptions {
  readonly readOnly?: boolean;
  /**
   * With `readOnly`: readers claim what they read all the same, if they may write to the store, so that no other
   * process removes it meanwhile.
   */
  readonly claimReads?: boolean;
  /** Returns how many bytes to read at once; called for each blob, which holds two such chunks. Default: 1 MiB. */
  readonly chunkBytes?: () => number;
  /**
   * Returns the time in milliseconds since 1970. It is recorded for each name and image that comes to the list of
   * images. Without it, and in lists of older programs, no time is known, which counts as just now.
   */
  readonly now?: () => number;
}

const OPEN_ARGUMENTS = {
  directory: PATH,
  options: optionsOf<OpenStoreOptions>({ readOnly: FLAG, claimReads: FLAG, chunkBytes: CALLBACK, now: CALLBACK }),
};

const TEXTS = listOf(TEXT);

/**
 * A store in one directory, which is a valid OCI image layout at rest. Its folder `.lading/` has the list of images,
 * leases and unfinished files. Processes on one host may use it at the same time. Holds the list of images, and none of
 * its content. Code that only writing needs is loaded with the first write, so that a listing starts faster.
 */
export class OciLayoutStore implements Store {
  readonly directory: string;
  readonly #parts: LayoutParts;
  readonly #changes = new ChangeQueue();
  readonly #readOnly: boolean;
  readonly #claimReads: boolean;
  #listed = new ListedImages([]);

  private constructor(
    paths: LayoutPaths,
    { readOnly = false, claimReads = !readOnly, chunkBytes, now }: OpenStoreOptions,
  ) {
    this.directory = paths.root;
    this.#parts = {
      paths,
      blobs: new BlobFiles(paths, chunkBytes),
      refs: new RefsLog(paths, { mayBeMissing: readOnly }),
      now,
    };
    this.#readOnly = readOnly;
    this.#claimReads = claimReads;
  }

  /**
   * Opens the store in a directory; a new or empty one becomes a store. Throws ERR_STORE_TAMPERED for a directory with
   * other content, ERR_STORE_UNSAFE, ERR_STORE_VERSION, ERR_STORE_READONLY, ERR_NO_SPACE, ERR_STORAGE_IO.
   */
  static async open(directory: string, options: OpenStoreOptions = {}): Promise<OciLayoutStore> {
    check(OPEN_ARGUMENTS, { directory, options });
    const store = new OciLayoutStore(new LayoutPaths(directory), options);
    try {
      await store.#checkKind();
      if (options.readOnly !== true) await (await import('./prepare-layout.js')).prepareLayout(store.#parts.paths);
    } catch (error) {
      const asError = options.readOnly === true ? readError : storageError;
      throw asError(error, `cannot open the store ${directory}`);
    }
    return store;
  }

  async list(): Promise<readonly ImageRecord[]> {
    try {
      return await this.#parts.refs.read();
    } catch (error) {
      throw readError(error, `cannot read the store ${this.directory}`);
    }
  }

  async resolve(texts: readonly string[]): Promise<readonly ImageRecord[]> {
    check({ texts: TEXTS }, { texts });
    return (await this.#images()).resolve(texts);
  }

  async holders(names: readonly string[]): Promise<ReadonlyMap<string, Digest>> {
    check({ names: TEXTS }, { names });
    return (await this.#images()).holders(names);
  }

  async referrersOf(subject: Digest): Promise<readonly Descriptor[]> {
    return (await this.#images()).referrersOf(subject);
  }

  async companionsOf(repository: string, subjects: ReadonlySet<Digest>): Promise<readonly ImageRecord[]> {
    return (await this.#images()).companionsOf(repository, subjects);
  }

  async stat(digest: Digest): Promise<FoundBlob | undefined> {
    return await this.#parts.blobs.stat(parseDigest(digest));
  }

  open(digest: Digest, options?: Partial<OpenOptions>): AsyncIterable<Buffer> {
    return this.#parts.blobs.open(parseDigest(digest), options);
  }

  digests(): AsyncIterable<Digest> {
    return this.#parts.blobs.digests();
  }

  async foreignFiles(): Promise<readonly string[]> {
    return await (await import('./leases/read-leases.js')).foreignLeases(this.#parts.paths.leases);
  }

  async reader(): Promise<SourceReader> {
    const { blobs, paths } = this.#parts;
    // The owner of the store could not read a lease of another user.
    if (!this.#claimReads || (this.#readOnly && !isOurs(paths))) {
      return {
        claim: async () => {},
        stat: async (digest) => await blobs.stat(digest),
        open: (digest, options) => blobs.open(digest, options),
        fileOf: () => undefined,
        end: async () => {},
      };
    }
    try {
      return await (await import('./layout-reader.js')).LayoutReader.start(this.#parts);
    } catch (error) {
      throw storageError(error, `cannot read the store ${this.directory}`);
    }
  }

  async session(): Promise<DestinationSession> {
    if (this.#readOnly) throw new LadingError('ERR_STORE_READONLY', `${this.directory} was opened read-only`);
    try {
      return await (await import('./layout-session.js')).LayoutSession.start(this.#parts, this.#changes);
    } catch (error) {
      throw storageError(error, `cannot write to the store ${this.directory}`);
    }
  }

  async prune(options: PruneOptions): Promise<PruneReport> {
    check({ options: PRUNE_OPTIONS }, { options });
    if (options.dryRun === true) return await this.#planPrune(options);
    return await tracedPrune(this, async () => await this.#prune(options));
  }

  async #prune(options: PruneOptions): Promise<PruneReport> {
    const session = await this.session();
    try {
      return await (await import('./trash/prune-layout.js')).pruneLayout(this.#parts, session, options);
    } catch (error) {
      throw storageError(error, `cannot prune the store ${this.directory}`);
    } finally {
      await session.end();
    }
  }

  async quarantine(digest: Digest): Promise<boolean> {
    parseDigest(digest);
    const session = await this.session();
    try {
      return await (await import('./trash/quarantine.js')).quarantine(this.#parts, digest);
    } catch (error) {
      throw storageError(error, `cannot move blob ${digest} away`);
    } finally {
      await session.end();
    }
  }

  async lost(): Promise<ReadonlySet<Digest>> {
    try {
      return await (await import('./trash/quarantine.js')).lostIn(this.#parts);
    } catch (error) {
      throw readError(error, `cannot read the store ${this.directory}`);
    }
  }

  async #images(): Promise<ListedImages> {
    const records = await this.list();
    // `list` returns the same array until the list changes.
    if (this.#listed.records !== records) this.#listed = new ListedImages(records);
    return this.#listed;
  }

  async #planPrune(options: PruneOptions): Promise<PruneReport> {
    try {
      return await (await import('./trash/prune-layout.js')).planPrune(this.#parts, options);
    } catch (error) {
      throw storageError(error, `cannot read the store ${this.directory}`);
    }
  }

  /** A directory with `.lading/` is a Lading store, and an empty one may become one. Throws for any other. */
  async #checkKind(): Promise<void> {
    const { paths } = this.#parts;
    const names = (await namesIn(paths.root)).filter((name) => name !== 'lost+found');
    if (names.includes('.lading')) return await this.#checkVersion();
    if (names.includes('index.json')) {
      const message = `${paths.root} is an OCI layout that another program made; load it into a store: lading load -i ${paths.root}`;
      throw new LadingError('ERR_STORE_TAMPERED', message);
    }
    if (names.length > 0)
      throw new LadingError('ERR_STORE_TAMPERED', `${paths.root} is not empty and is not a Lading store`);
  }

  async #checkVersion(): Promise<void> {
    const { version } = this.#parts.paths;
    const found = readIfThere(version)?.toString('utf8').trim();
    if (found === undefined || found === FORMAT_VERSION) return;
    const message = `${this.directory} has store format ${found}; this program knows format ${FORMAT_VERSION}`;
    throw new LadingError('ERR_STORE_VERSION', message);
  }
}
