import { OciLayoutStore } from '../src/index.js';

/** Opens a store in a folder, which is created if it is missing, and removes what no image has needed for an hour. */
export async function openAndPrune(directory: string): Promise<OciLayoutStore> {
  const store = await OciLayoutStore.open(directory);
  const { blobs, kept } = await store.prune({ now: Date.now(), graceMs: 3_600_000 });
  console.log(`${blobs.length} blobs removed, ${kept.images.count} needed by images`);
  return store;
}
