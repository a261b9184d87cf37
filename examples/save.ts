import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { exportImages, planExport, type Store } from '../src/index.js';

/** Saves one platform of an image. Planning finds the exact size, and most errors, before the first byte. */
export async function savePlatform(store: Store, name: string, to: Writable): Promise<void> {
  const plan = await planExport(store, [name], { platforms: ['linux/arm64'] });
  console.log(`${plan.size} bytes, ${plan.blobs.count} blobs`);
  await pipeline(exportImages(store, plan), to);
}
