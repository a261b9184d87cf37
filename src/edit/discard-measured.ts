import type { Digest } from '../model/digest.js';
import type { DestinationSession, Store } from '../stores/store.js';

/** Removes those of the blobs that nothing needs, and says how many bytes they had. */
export async function discardMeasured(
  store: Store,
  session: DestinationSession,
  digests: Iterable<Digest>,
): Promise<{ readonly deleted: readonly Digest[]; readonly bytes: number }> {
  const sizes = new Map<Digest, number>();
  for (const digest of digests) sizes.set(digest, (await store.stat(digest, 'blob'))?.size ?? 0);
  const deleted = await session.discard(sizes.keys());
  return { deleted, bytes: deleted.reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0) };
}
