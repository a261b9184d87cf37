import { removeImages, removePlatforms, tagImage, type Store } from '../src/index.js';

/** Gives an image a second name, removes the first one, and removes one platform of the image. */
export async function renameAndSlim(store: Store, from: string, to: string): Promise<void> {
  const { name, digest } = await tagImage(store, from, to);
  await removeImages(store, [from]);
  const { deleted } = await removePlatforms(store, to, ['linux/s390x']);
  console.log(`${name} is ${digest}; ${deleted.length} blobs were removed`);
}
