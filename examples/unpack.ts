import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { flattenImage, type Store } from '../src/index.js';

/** Writes the root file system of one platform as one tar. All layers are verified before its first byte. */
export async function flatten(store: Store, name: string, to: Writable): Promise<void> {
  await pipeline(flattenImage(store, name, { platform: 'linux/arm64' }), to);
}
