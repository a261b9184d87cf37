import { inspectImages, labelOf, listImages, type Store } from '../src/index.js';

/** Prints every image with its platforms, then the layers of one image. */
export async function showImages(store: Store, name: string): Promise<void> {
  const { images } = await listImages(store);
  for (const image of images) {
    const platforms = image.platforms.map(({ platform, state }) => `${platform} (${state})`);
    console.log(`${labelOf(image)}: ${platforms.join(', ')}`);
  }
  const [image] = await inspectImages(store, name);
  for (const { platform, layers = [] } of image?.platforms ?? []) console.log(platform, layers);
}
