import { isUnreadable, mayNotRead } from '../files/storage-error.js';
import { algorithmOf, Digester, type Digest } from '../model/digest.js';
import { LadingError } from '../model/errors.js';
import type { ContentProvider } from './content-provider.js';

/**
 * Whether the blob can be read and hashes to its digest; undefined if it is not here, or if this user may not read it.
 * Throws errors that do not come from this one blob.
 */
export async function isWhole(provider: ContentProvider, digest: Digest): Promise<boolean | undefined> {
  const digester = new Digester(algorithmOf(digest));
  try {
    for await (const chunk of provider.open(digest, { kind: 'blob' })) digester.update(chunk);
    return digester.digest() === digest;
  } catch (error) {
    if (error instanceof LadingError && error.code === 'ERR_BLOB_MISSING') return undefined;
    if (isUnreadable(error)) return mayNotRead(error) ? undefined : false;
    throw error;
  }
}
