import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { flattenImage, unpackImage, type Store } from '../src/index.js';

/** Writes the root file system of one platform as one tar. All layers are verified before its first byte. */
export async function flatten(store: Store, name: string, to: Writable): Promise<void> {
  await pipeline(flattenImage(store, name, { platform: 'linux/arm64' }), to);
}

/** Makes a directory of it, which appears when it is whole. Says what could not be made there. */
export async function unpack(store: Store, name: string, directory: string): Promise<void> {
  const { tree, skipped } = await unpackImage(store, name, directory);
  console.log(`${tree.files} files, ${tree.bytes} bytes`);
  for (const { what, count, first } of skipped) console.log(`left out: ${count} of kind ${what}, first ${first}`);
}
