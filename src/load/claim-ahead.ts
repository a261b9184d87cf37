import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import type { ArchiveEntry } from '../stages/records.js';
import type { SourceReader } from '../stores/store.js';

/** Entries that are claimed together. */
const TOGETHER = 256;

/**
 * Entries that are read by position, as they are; of those that may be needed, the blobs are claimed many at once before
 * somebody looks for each. Holds 256 entries.
 */
export async function* claimAhead(
  entries: AsyncIterable<ArchiveEntry>,
  session: SourceReader,
  mayNeed: (digest: Digest) => boolean,
): AsyncGenerator<ArchiveEntry> {
  let together: ArchiveEntry[] = [];
  for await (const entry of entries) {
    const digest = digestOfEntry(plainEntryName(entry.name));
    together.push(digest === undefined ? entry : { ...entry, digest });
    // What is no blob may be what tells which blobs are needed.
    if (together.length < TOGETHER && digest !== undefined) continue;
    await claimAll(together, session, mayNeed);
    yield* together;
    together = [];
  }
  await claimAll(together, session, mayNeed);
  yield* together;
}

async function claimAll(
  entries: readonly ArchiveEntry[],
  session: SourceReader,
  mayNeed: (digest: Digest) => boolean,
): Promise<void> {
  await session.claim(entries.flatMap(({ digest }) => digest ?? []).filter(mayNeed));
}
