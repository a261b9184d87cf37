import { digestOf, type Descriptor, type Store } from '../src/index.js';
import { contentKindOf } from '../src/stores/index.js';

/** Stores one blob and gives it a name. Nothing is visible before `publish`. */
export async function storeNamed(store: Store, name: string, mediaType: string, bytes: Buffer): Promise<Descriptor> {
  const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
  const session = await store.session();
  try {
    const ingest = await session.begin({ ...descriptor, kind: contentKindOf(descriptor) });
    await ingest.write(bytes);
    await ingest.commit(descriptor);
    await session.publish((records) => [...records, { name, descriptor }]);
  } finally {
    await session.end();
  }
  return descriptor;
}
