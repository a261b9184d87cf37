import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import type { Digest } from '../model/digest.js';
import type { ArchiveEntry } from '../stages/records.js';
import type { SourceReader } from '../stores/store.js';

/** How many entries are claimed together. */
const TOGETHER = 256;

/**
 * Passes on entries that are read by position. Claims the blobs that may be needed, many at once, before the load looks
 * up each of them. Holds up to 256 entries.
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
    // A metadata entry may change which blobs are needed, so claim what we have first.
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
