import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { entryNameOf } from '../../../model/archive-layout.js';
import { isDigest, type Digest } from '../../../model/digest.js';

/** The format of a store's private folder. A store with another format is refused. */
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

/** The session in the names of temporary files that are written while a store is opened. */
export const OPENER = 'open';

/** The paths in a store's directory. No path contains a name from an archive. */
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
    // Not path.join, which would parse the parts again for each look at a blob.
    return `${this.root}${path.sep}${entryNameOf(digest)}`;
  }

  /**
   * Where a blob waits while a collection checks that no image needs it. Each collection has its own folder, so that it
   * never removes a file of the same name that another collection put there.
   */
  trashed(collection: string, digest: Digest): string {
    return path.join(this.trash, collection, trashName(digest));
  }

  /** A new name for a temporary file. It starts with the session that owns the file. */
  newIngest(session: string): string {
    return path.join(this.ingest, `${session}.${randomUUID()}`);
  }
}
