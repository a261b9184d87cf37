import { movesOf, type NameMove } from '../model/image-list.js';
import type { DestinationSession, ImageDestination, ImageListChange } from './store.js';

/** Publishes a change of the list of images. Returns the names that it moved, compared with the list before. */
export async function publishNames(session: DestinationSession, change: ImageListChange): Promise<readonly NameMove[]> {
  let moved: readonly NameMove[] = [];
  await session.publish((records) => {
    const changed = change(records);
    moved = movesOf(records, changed);
    return changed;
  });
  return moved;
}

/** Does work in a session of its own, and ends the session in any case. */
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
