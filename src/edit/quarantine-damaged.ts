import type { Store } from '../stores/store.js';
import type { Digest } from '../model/digest.js';

/**
 * Takes those of the blobs out of the store that are damaged, each hashed once more to be sure, and gives them. They are no
 * longer found, so that loading their images again restores them. Throws ERR_STORE_READONLY and the errors of storage.
 */
export async function quarantineDamaged(store: Store, digests: Iterable<Digest>): Promise<readonly Digest[]> {
  const session = await store.session();
  const taken: Digest[] = [];
  try {
    for (const digest of digests) if (await session.quarantine(digest)) taken.push(digest);
  } finally {
    await session.end();
  }
  return taken;
}
