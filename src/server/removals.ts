import { parseReference, type RemoveReport } from '../index.js';
import type { ServerContext } from './context.js';

/** One line of the answer to a removal. */
export type Removal = { readonly Untagged: string } | { readonly Deleted: string };

/** The answer to a removal, and the names that it moved. */
export interface Removed {
  readonly removed: readonly Removal[];
  readonly moved: RemoveReport['moved'];
}

/** Emits the events of a removal and returns what was removed. An image that has another name stays. */
export async function announceRemoval(
  { store, events }: ServerContext,
  digest: string,
  { untagged, moved }: RemoveReport,
): Promise<Removed> {
  const familiar = untagged.map((name) => parseReference(name).familiar());
  for (const name of familiar) events.emit('untag', digest, { name });
  const isGone = !(await store.list()).some(({ descriptor }) => descriptor.digest === digest);
  if (isGone) events.emit('delete', digest, { name: digest });
  return { removed: [...familiar.map((Untagged) => ({ Untagged })), ...(isGone ? [{ Deleted: digest }] : [])], moved };
}
