import type { Content, ContentKind } from '../model/content.js';
import { digestOf } from '../model/digest.js';
import type { ArchiveContents } from '../stages/records.js';
import type { DestinationSession } from '../stores/store.js';

/** Stores bytes as a blob of this load. */
export async function storeBytes(
  session: DestinationSession,
  contents: Pick<ArchiveContents, 'stored'>,
  bytes: Buffer,
  kind: ContentKind,
): Promise<Content> {
  const content = { digest: digestOf(bytes), size: bytes.length };
  await storeBlob(session, contents, { ...content, kind }, [bytes]);
  return content;
}

/** Stores a blob of this load. Throws ERR_SIZE_MISMATCH, ERR_DIGEST_MISMATCH, and the errors of the store. */
export async function storeBlob(
  session: DestinationSession,
  { stored }: Pick<ArchiveContents, 'stored'>,
  expected: Content & { readonly kind: ContentKind },
  body: AsyncIterable<Uint8Array> | readonly Uint8Array[],
): Promise<void> {
  const ingest = await session.begin(expected);
  try {
    for await (const chunk of body) await ingest.write(chunk);
    if ((await ingest.commit(expected)) === 'stored') stored.set(expected.digest, expected.size);
  } finally {
    // After a commit, abort does nothing.
    await ingest.abort();
  }
}
