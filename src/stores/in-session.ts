import { movesOf, type NameMove } from '../model/image-list.js';
import type { ImageListChange, DestinationSession, ImageDestination } from './store.js';

/** Publishes a change of the list of images, and tells which names it moved: as it was in the list that it changed. */
export async function publishNames(session: DestinationSession, change: ImageListChange): Promise<readonly NameMove[]> {
  let moved: readonly NameMove[] = [];
  await session.publish((records) => {
    const changed = change(records);
    moved = movesOf(records, changed);
    return changed;
  });
  return moved;
}

export async function inSession<T>(
  destination: ImageDestination,
  work: (session: DestinationSession) => Promise<T>,
): Promise<T> {
  const session = await destination.session();
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}
