import { movesOf, type NameMove } from '../model/image-list.js';
import type { ImageListChange, StoreSession } from './store.js';

/** Publishes a change of the list of images, and tells which names it moved: as it was in the list that it changed. */
export async function publishNames(session: StoreSession, change: ImageListChange): Promise<readonly NameMove[]> {
  let moved: readonly NameMove[] = [];
  await session.publish((records) => {
    const changed = change(records);
    moved = movesOf(records, changed);
    return changed;
  });
  return moved;
}
