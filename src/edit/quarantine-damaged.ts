import type { Digest } from '../model/digest.js';
import { check, ITERABLE } from '../model/rules.js';
import { HOUSEKEEPING } from '../stores/port-rules.js';
import type { Housekeeping } from '../stores/store.js';

const ARGUMENTS = { store: HOUSEKEEPING, digests: ITERABLE };

/**
 * Takes damaged blobs out of the store and returns their digests. Hashes each blob once more to be sure. The store no
 * longer finds the damaged ones, so that loading their images again restores them. Throws ERR_STORE_READONLY and the
 * errors of storage.
 */
export async function quarantineDamaged(
  store: Pick<Housekeeping, 'quarantine'>,
  digests: Iterable<Digest>,
): Promise<readonly Digest[]> {
  check(ARGUMENTS, { store, digests });
  const taken: Digest[] = [];
  for (const digest of digests) if (await store.quarantine(digest)) taken.push(digest);
  return taken;
}
