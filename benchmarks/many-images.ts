import { loadImages, OciLayoutStore } from '../src/index.js';
import { layoutArchive, type LayoutImage } from '../test/fixtures/archive-builder.js';
import { BlobSet } from '../test/fixtures/blob-set.js';
import { buildMultiPlatform } from '../test/fixtures/image-builder.js';

const PLATFORMS = ['linux/amd64', 'linux/arm64'];

/** Fills a store with tiny images of two platforms each, through the library, as one archive. Holds all of them. */
export async function fillStore(directory: string, count: number): Promise<void> {
  const blobs = new BlobSet();
  const images = Array.from({ length: count }, (_, at) => tinyImage(blobs, at));
  const store = await OciLayoutStore.open(directory);
  await loadImages(store, chunksOf(await layoutArchive(images, blobs)));
}

/** Every image has its own index, manifests and configs, and all share one layer for each platform. */
function tinyImage(blobs: BlobSet, at: number): LayoutImage {
  const { root } = buildMultiPlatform(blobs, PLATFORMS, {
    layers: ['tiny'],
    layerBytes: 100,
    configExtra: { author: `image ${at}` },
  });
  return { root, name: `docker.io/bench/tiny-${at}:1`, refName: '1' };
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
