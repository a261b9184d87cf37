import { movesOf, type NameMove } from '../model/image-list.js';
import type { ImageListChange, StoreSession, Store } from './store.js';

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

export async function inSession<T>(store: Store, work: (session: StoreSession) => Promise<T>): Promise<T> {
  const session = await store.session();
  try {
    return await work(session);
  } finally {
    await session.end();
  }
}
