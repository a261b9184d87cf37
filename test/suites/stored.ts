import type { TestContext } from 'node:test';
import type { Descriptor } from '../../src/model/descriptor.js';
import { digestOf, type Digest } from '../../src/model/digest.js';
import { publishRecords, type ImageRecord } from '../../src/model/image-list.js';
import { MEDIA_TYPES } from '../../src/model/media-types.js';
import type { DestinationSession, Store } from '../../src/stores/store.js';
import type { BlobSet } from '../fixtures/blob-set.js';

/** An empty store for one test, and a function that removes it. */
export interface OpenedStore {
  readonly store: Store;
  readonly cleanup: () => Promise<void>;
}

/** Makes an empty store. */
export type OpenStore = () => Promise<OpenedStore>;

/** A test function that runs with a store of its own. */
export function withStore(
  open: OpenStore,
  run: (store: Store, t: TestContext) => Promise<void>,
): (t: TestContext) => Promise<void> {
  return async (t) => {
    const { store, cleanup } = await open();
    try {
      await run(store, t);
    } finally {
      await cleanup();
    }
  };
}

/** Runs a function in a session of its own, and ends the session in any case. */
export async function inSession<T>(store: Store, run: (session: DestinationSession) => Promise<T>): Promise<T> {
  const session = await store.session();
  try {
    return await run(session);
  } finally {
    await session.end();
  }
}

/** A layer descriptor of the bytes. */
export function describeBytes(bytes: Uint8Array | string): Descriptor {
  const buffer = Buffer.from(bytes);
  return { mediaType: MEDIA_TYPES.ociLayer, digest: digestOf(buffer), size: buffer.length };
}

/** Stores bytes under their digest and returns the outcome. */
export async function storeBytes(
  session: DestinationSession,
  bytes: Uint8Array | string,
): Promise<'stored' | 'present'> {
  const ingest = await session.begin(undefined);
  await ingest.write(Buffer.from(bytes));
  return await ingest.commit(describeBytes(bytes));
}

/** Stores all blobs of the set and publishes the records. */
export async function storeSet(store: Store, blobs: BlobSet, records: readonly ImageRecord[] = []): Promise<void> {
  await inSession(store, async (session) => {
    for (const bytes of blobs.values()) await storeBytes(session, bytes);
    await session.publish((before) => publishRecords(before, records));
  });
}

/** All bytes of a body. */
export async function bytesOf(body: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Every digest in the store, sorted. */
export async function digestsIn(store: Store): Promise<readonly Digest[]> {
  const digests: Digest[] = [];
  for await (const digest of store.digests()) digests.push(digest);
  return digests.sort();
}

/** The names of the store's images, in its order; unnamed ones by digest. */
export async function namesIn(store: Store): Promise<readonly string[]> {
  return (await store.list()).map(({ name, descriptor }) => name ?? descriptor.digest);
}
