import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { entryNameOf } from '../../../model/archive-layout.js';
import { isDigest, type Digest } from '../../../model/digest.js';

/** The format of a store's private part. A store of another format is refused. */
export const FORMAT_VERSION = '1';

/** The folder of the trash for blobs that were found damaged. */
export const QUARANTINE = 'damaged';

/** The name of a blob in the trash. */
export function trashName(digest: Digest): string {
  return digest.replace(':', '-');
}

/** The digest of a file in the trash; undefined for other names. */
export function digestOfTrashed(name: string): Digest | undefined {
  const digest = name.replace('-', ':');
  return isDigest(digest) ? digest : undefined;
}

/** In place of a session, in the names of files on their way while a store is being opened. */
export const OPENER = 'open';

/** Where things are in a store's directory. No path is ever made from a name inside an archive. */
export class LayoutPaths {
  readonly root: string;

  constructor(root: string) {
    this.root = path.resolve(root);
  }

  get layout(): string {
    return path.join(this.root, 'oci-layout');
  }

  get index(): string {
    return path.join(this.root, 'index.json');
  }

  get blobs(): string {
    return path.join(this.root, 'blobs');
  }

  get private(): string {
    return path.join(this.root, '.lading');
  }

  get version(): string {
    return path.join(this.private, 'version');
  }

  get ingest(): string {
    return path.join(this.private, 'ingest');
  }

  get refs(): string {
    return path.join(this.private, 'refs');
  }

  get leases(): string {
    return path.join(this.private, 'leases');
  }

  get trash(): string {
    return path.join(this.private, 'trash');
  }

  blob(digest: Digest): string {
    // Not by path.join, which takes apart what was just put together, for each look at a blob.
    return `${this.root}${path.sep}${entryNameOf(digest)}`;
  }

  /**
   * Where a blob waits while a collection makes sure that nobody needs it. Each collection has a folder of its own: one that
   * takes a file away must never mean another file that came to the same name.
   */
  trashed(collection: string, digest: Digest): string {
    return path.join(this.trash, collection, trashName(digest));
  }

  /** A new name for a file on its way; its owner is told by the session that the name starts with. */
  newIngest(session: string): string {
    return path.join(this.ingest, `${session}.${randomUUID()}`);
  }
}
