import type { LoadOptions } from '../../src/load/load-images.js';
import type { Digest } from '../../src/model/digest.js';
import { LadingError, type ErrorCode } from '../../src/model/errors.js';
import type { ImageRecord } from '../../src/model/image-list.js';
import { MemoryStore } from '../../src/stores/memory/memory-store.js';
import type { Store } from '../../src/stores/store.js';
import { chunksOf, load } from '../fixtures/loading.js';
import { stateOf } from '../fixtures/stores.js';

/** The result of a load: the content of the store afterwards, or the error. */
export type Outcome = Committed | Refused;

export interface Committed {
  readonly images: readonly ImageRecord[];
  readonly blobs: readonly Digest[];
}

export interface Refused {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Loads the bytes into a store. Throws any error that is not a LadingError. */
export async function outcomeIn(store: Store, bytes: Buffer, options: OutcomeOptions = {}): Promise<Outcome> {
  const { chunkBytes = 64 * 1024, ...rest } = options;
  try {
    await load(store, chunksOf(bytes, chunkBytes), rest);
  } catch (error) {
    if (!(error instanceof LadingError) || isHiddenBug(error)) throw error;
    return { code: error.code, message: error.message };
  }
  return await stateOf(store);
}

/** Loads the bytes into a new memory store. */
export async function outcomeOf(bytes: Buffer, options: OutcomeOptions = {}): Promise<Outcome> {
  return await outcomeIn(new MemoryStore(), bytes, options);
}

export interface OutcomeOptions extends LoadOptions {
  /** Bytes of each chunk of the source. */
  readonly chunkBytes?: number;
}

/** A memory store has no disk that can fail, so its ERR_STORAGE_IO wraps an exception that is a bug. */
export function isHiddenBug({ code, cause }: LadingError): boolean {
  return code === 'ERR_STORAGE_IO' && !(cause instanceof LadingError);
}
