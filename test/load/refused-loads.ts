import type { LoadSource } from '../../src/load/archive-entries.js';
import type { LoadOptions } from '../../src/load/load-images.js';
import type { Store } from '../../src/stores/store.js';
import type { LayoutImage, LayoutOptions } from '../fixtures/archive-builder.js';
import type { BlobSet } from '../fixtures/blob-set.js';
import { load, loadLayout } from '../fixtures/loading.js';
import { refuses, type Refusal } from '../fixtures/refusals.js';

/** A load of this archive, with these options, and the code and message of its error. */
interface RefusedLoad extends LoadOptions, Refusal {
  readonly archive: Buffer | LoadSource;
}

/** A load of a layout archive of these images, with these options, and the code and message of its error. */
interface RefusedLayout extends Omit<LoadOptions, 'images'>, Refusal {
  readonly images: readonly LayoutImage[];
  readonly blobs: BlobSet;
  readonly layout?: LayoutOptions;
}

/** Asserts that the load fails with this error and leaves the store as it was. */
export async function refusesLoad(store: Store, { archive, code, message, ...options }: RefusedLoad): Promise<void> {
  await refuses(store, async () => await load(store, archive, options), refusalOf(code, message));
}

/** Asserts that the load fails with this error and leaves the store as it was. */
export async function refusesLayout(store: Store, refused: RefusedLayout): Promise<void> {
  const { images, blobs, code, message, ...options } = refused;
  await refuses(store, async () => await loadLayout(store, images, blobs, options), refusalOf(code, message));
}

function refusalOf(code: Refusal['code'], message: Refusal['message']): Refusal {
  return { code, ...(message !== undefined && { message }) };
}
