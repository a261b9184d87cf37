import path from 'node:path';
import { closeSync, constants, lstatSync, readdirSync } from 'node:fs';
import { link } from 'node:fs/promises';
import { isDigest, type Digest } from '../../../model/digest.js';
import { LadingError } from '../../../model/errors.js';
import type { ContentProvider, OpenOptions } from '../../../content/content-provider.js';
import { openRegular, readFileChunks } from '../../../files/read-file.js';
import { isNotFound, readError } from '../../../files/storage-error.js';
import { QUARANTINE, type LayoutPaths } from '../place/layout-paths.js';
import { namesIn } from '../../../files/if-there.js';

/** A blob's file as found: where, how large, and when it was stored. */
export interface BlobFile {
  readonly file: string;
  readonly size: number;
  readonly mtimeMs: number;
}

const { O_NOFOLLOW } = constants;

/**
 * The blobs of a directory store. A collection may have put a blob into the trash for a moment before it puts it back, so a
 * reader looks in `blobs/`, in `trash/` and in `blobs/` again, as often as collections can hide it. Holds nothing.
 */
export class BlobFiles implements ContentProvider {
  readonly #paths: LayoutPaths;
  readonly #chunkBytes: (() => number) | undefined;

  /** `chunkBytes`: how much of a blob is read at once; two such chunks are held while it is read. */
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
   * The blob of a digest that is claimed, where it will stay: one that a collection was about to remove is taken back first.
   * Undefined also where the collection, which looked before the claim was there, was faster.
   */
  async statClaimed(digest: Digest): Promise<BlobFile | undefined> {
    for (;;) {
      const found = await this.stat(digest);
      if (found === undefined || found.file === this.#paths.blob(digest)) return found;
      await this.rescue(found.file, digest);
    }
  }

  /** The blob of a digest that no collection can have moved. */
  statUnmoved(digest: Digest): BlobFile | undefined {
    return statFile(this.#paths.blob(digest));
  }

  /** Whether there is a collection that may have blobs in the trash, or put some there that were claimed before it was seen. */
  isCollected(): boolean {
    return collectionsIn(this.#paths.trash).length > 0;
  }

  /** Takes a file that a collection was about to remove back into `blobs/`. */
  async rescue(trashed: string, digest: Digest): Promise<void> {
    try {
      await link(trashed, this.#paths.blob(digest));
    } catch (error) {
      // Gone or back already: either way there is nothing to take back.
      if (!['ENOENT', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }

  /** Every blob, in no order; files with other names are not ours. */
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
        return openBlob(file, digest);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    throw new LadingError('ERR_BLOB_MISSING', `blob ${digest} is not in the store`, { details: { digest } });
  }

  /**
   * A blob that is put back behind a reader's look and moved again before the next one is in the trash of another collection,
   * and each collection moves it once. A collection that takes a manifest for missing would take its layers away.
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

/** Opens a file for reading, and nothing else: a link may lead anywhere. */
function openBlob(file: string, digest: Digest): number {
  try {
    return openRegular(file, O_NOFOLLOW, () => notRegular(digest));
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ELOOP' ? notRegular(digest) : error;
  }
}

function notRegular(digest: Digest): LadingError {
  const message = `blob ${digest}: what has its name in the store is no regular file; lading verify moves it away`;
  return new LadingError('ERR_STORE_TAMPERED', message, { details: { digest } });
}

/** One short call: to have a thread make it, and to wait for the thread, takes ten times as long. */
function statFile(file: string): BlobFile | undefined {
  try {
    // An archive may name a hundred thousand blobs that are not here: an exception for each takes longer than the look.
    const found = lstatSync(file, { throwIfNoEntry: false });
    if (found === undefined) return undefined;
    // A symlink in place of a blob is never followed: it has the size of nothing that anybody expects.
    return { file, size: found.isFile() ? found.size : -1, mtimeMs: found.mtimeMs };
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw readError(error, 'cannot look up a blob');
  }
}

/** The collections that have a folder in the trash. What was found damaged there is no blob any more. */
function collectionsIn(trash: string): readonly string[] {
  try {
    return readdirSync(trash).filter((name) => name !== QUARANTINE);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw readError(error, 'cannot look up a blob');
  }
}
