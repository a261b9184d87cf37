import { PositionedEntries } from '../archives/positioned-entries.js';
import { digestOfEntry, plainEntryName } from '../model/archive-layout.js';
import type { ArchiveEntry } from '../stages/records.js';
import type { SelectEntries } from '../stages/select-entries.js';
import type { SourceReader } from '../stores/store.js';

/** What the load is known to need so far. */
type Needs = Pick<SelectEntries, 'mayNeed' | 'unread'>;

/** How many entries are claimed together. */
const TOGETHER = 256;

/**
 * Passes on entries that are read by position, documents as soon as they are known to be needed. Claims the blobs that
 * may be needed, many at once, before the load looks up each of them. Holds up to 256 entries.
 */
export async function* claimAhead(
  entries: AsyncIterable<ArchiveEntry>,
  session: SourceReader,
  select: Needs,
): AsyncGenerator<ArchiveEntry> {
  let together: ArchiveEntry[] = [];
  const ordered = entries instanceof PositionedEntries ? entries.documentsFirst(select.unread) : entries;
  for await (const entry of ordered) {
    const digest = digestOfEntry(plainEntryName(entry.name));
    together.push(digest === undefined ? entry : { ...entry, digest });
    // A document may change which blobs are needed, so claim what we have first, and let it be read.
    if (together.length < TOGETHER && digest !== undefined && !select.unread.has(digest)) continue;
    await claimAll(together, session, select);
    yield* together;
    together = [];
  }
  await claimAll(together, session, select);
  yield* together;
}

/** The load itself claims documents that others list. */
async function claimAll(entries: readonly ArchiveEntry[], session: SourceReader, select: Needs): Promise<void> {
  const digests = entries.flatMap(({ digest }) => digest ?? []);
  await session.claim(digests.filter((digest) => !select.unread.has(digest) && select.mayNeed(digest)));
}
