import type { ContentProvider } from '../../src/content/content-provider.js';
import { Documents, type DocumentsOptions } from '../../src/content/documents.js';
import type { Digest } from '../../src/model/digest.js';
import { LadingError } from '../../src/model/errors.js';
import { DEFAULT_LIMITS } from '../../src/model/limits.js';
import type { SourceReader } from '../../src/stores/store.js';
import { BlobSet } from '../fixtures/blob-set.js';

/** A provider of the blobs of a set that counts look-ups and opened blobs. */
export class SetProvider implements SourceReader {
  readonly blobs: BlobSet;
  opened = 0;
  lookedUp = 0;
  lookingUp = 0;
  mostLookups = 0;

  constructor(blobs: BlobSet) {
    this.blobs = blobs;
  }

  async stat(digest: Digest): Promise<{ readonly size: number } | undefined> {
    this.lookedUp += 1;
    this.lookingUp += 1;
    this.mostLookups = Math.max(this.mostLookups, this.lookingUp);
    await Promise.resolve();
    this.lookingUp -= 1;
    const bytes = this.blobs.get(digest);
    return bytes && { size: bytes.length };
  }

  async claim(): Promise<void> {}

  fileOf(): undefined {}

  async end(): Promise<void> {}

  async *open(digest: Digest): AsyncGenerator<Buffer> {
    this.opened += 1;
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) throw new LadingError('ERR_BLOB_MISSING', `${digest} is not in the set`);
    yield bytes;
  }
}

/** The documents of a set or of a provider; with the default limits by default. */
export function documentsOf(
  content: BlobSet | ContentProvider,
  { limits = DEFAULT_LIMITS, onDamage }: Partial<DocumentsOptions> = {},
): Documents {
  const provider = content instanceof BlobSet ? new SetProvider(content) : content;
  return new Documents(provider, { limits, onDamage });
}
