import { closeSync, lstatSync } from 'node:fs';
import { link } from 'node:fs/promises';
import path from 'node:path';
import type { ContentProvider, OpenOptions } from '../../../content/content-provider.js';
import { notInStore, openBlob } from '../../../files/open-blob.js';
import { namesIn } from '../../../files/if-there.js';
import { readFileChunks } from '../../../files/read-file.js';
import { isNotFound, readError } from '../../../files/storage-error.js';
import { isDigest, type Digest } from '../../../model/digest.js';
import { collectionsIn } from '../place/collections.js';
import type { LayoutPaths } from '../place/layout-paths.js';

/** The file of a blob: its path, its size in bytes, and when it was stored. */
export interface BlobFile {
  readonly file: string;
  readonly size: number;
  readonly mtimeMs: number;
}

/**
 * The blobs of a directory store. A collection may move a blob to the trash and put it back a moment later, so a reader
 * looks in `blobs/`, in `trash/` and in `blobs/` again, once more for each collection. Holds nothing.
 */
export class BlobFiles implements ContentProvider {
  readonly #paths: LayoutPaths;
  readonly #chunkBytes: (() => number) | undefined;

  /** `chunkBytes` returns how many bytes of a blob to read at once; two such chunks are held while it is read. */
  constructor(paths: LayoutPaths, chunkBytes?: () => number) {
    this.#paths = paths;
    this.#chunkBytes = chunkBytes;
  }

  async stat(digest: Digest): Promise<BlobFile | undefined> {
    for (const file of this.#placesOf(digest)) {
      const found = statFile(file);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async *open(digest: Digest, { range }: Partial<OpenOptions> = {}): AsyncGenerator<Buffer> {
    const file = { acquire: () => this.#openFile(digest), release: closeSync };
    try {
      yield* readFileChunks(file, range, this.#chunkBytes?.());
    } catch (error) {
      throw readError(error, `cannot read blob ${digest}`);
    }
  }

  /**
   * The blob of a claimed digest, in `blobs/`, where it will stay. If a collection was about to remove it, it is put
   * back first. Undefined also if the collection read the claims before this one was made, and has removed the blob.
   */
  async statClaimed(digest: Digest): Promise<BlobFile | undefined> {
    for (;;) {
      const found = await this.stat(digest);
      if (found === undefined || found.file === this.#paths.blob(digest)) return found;
      await this.rescue(found.file, digest);
    }
  }

  /** The blob of a digest, if no collection can have moved it. */
  statUnmoved(digest: Digest): BlobFile | undefined {
    return statFile(this.#paths.blob(digest));
  }

  /** Whether a collection is running, or was killed: it may move blobs that were claimed before it was seen. */
  isCollected(): boolean {
    return collectionsIn(this.#paths.trash).length > 0;
  }

  /** Puts a file that a collection was about to remove back into `blobs/`. */
  async rescue(trashed: string, digest: Digest): Promise<void> {
    try {
      await link(trashed, this.#paths.blob(digest));
    } catch (error) {
      // Removed or put back already: nothing is left to do.
      if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  /** Every blob, in no order. Files with other names are left out. */
  async *digests(): AsyncGenerator<Digest> {
    for (const algorithm of await namesIn(this.#paths.blobs)) {
      for (const encoded of await namesIn(path.join(this.#paths.blobs, algorithm))) {
        const digest = `${algorithm}:${encoded}`;
        if (isDigest(digest)) yield digest;
      }
    }
  }

  #openFile(digest: Digest): number {
    for (const file of this.#placesOf(digest)) {
      try {
        return openBlob(file, digest).fd;
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    throw notInStore(digest);
  }

  /**
   * All paths where the blob may be, in the order to try them. A blob may be put back just after a look into the trash,
   * and moved again just before the look into `blobs/`. It is then in the trash of another collection, since each one
   * moves it only once; so there is one round for each. A blob must not seem missing: a collection that misses a
   * manifest would remove its layers.
   */
  *#placesOf(digest: Digest): Generator<string> {
    const blob = this.#paths.blob(digest);
    const seen = new Set<string>();
    yield blob;
    for (let rounds = 0; rounds <= seen.size; rounds += 1) {
      for (const collection of collectionsIn(this.#paths.trash)) {
        seen.add(collection);
        yield this.#paths.trashed(collection, digest);
      }
      yield blob;
    }
  }
}

/** Synchronous, since the call is short: a call on a thread takes ten times as long. */
function statFile(file: string): BlobFile | undefined {
  try {
    // An archive may name a hundred thousand missing blobs: an exception for each takes longer than the look-up.
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    // A symlink in place of a blob is never followed: its size of -1 matches no descriptor.
    return { file, size: found.isFile() ? found.size : -1, mtimeMs: found.mtimeMs };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw readError(error, 'cannot look up a blob');
  }
}
