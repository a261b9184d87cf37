import { removedSince, sizeChanged } from '../content/mismatch.js';
import type { Digest } from '../model/digest.js';
import type { ArchiveEntry, Body } from '../stages/records.js';
import type { SourceReader } from '../stores/store.js';
import type { PlannedEntry } from './lay-out-archive.js';
import type { ExportPlan } from './plan-export.js';

/**
 * The entries of a plan with their bodies. Passed to `loadEntries`, they make a copy in another place. All blobs are
 * claimed before the first entry. Bodies may be read in any order, also after the last entry; so the caller ends the
 * reader, after the last body. Throws ERR_BLOB_MISSING, ERR_SIZE_MISMATCH.
 */
export async function* exportEntries(reader: SourceReader, plan: ExportPlan): AsyncGenerator<ArchiveEntry> {
  await claimPlan(reader, plan);
  for (const entry of plan.entries) yield { ...entry, body: bodyOf(reader, entry) };
}

/** Makes all blobs of the plan safe until the reader ends. Throws ERR_BLOB_MISSING, ERR_SIZE_MISMATCH. */
async function claimPlan(reader: SourceReader, plan: ExportPlan): Promise<void> {
  await reader.claim(digestsOf(plan));
  for (const entry of plan.entries) await checkClaimed(reader, entry);
}

/** The digests of all blobs of the plan. */
export function digestsOf({ entries }: ExportPlan): readonly Digest[] {
  return entries.flatMap(({ content }) => ('digest' in content ? [content.digest] : []));
}

/** Refuses a blob that was removed since the plan was made, before the first byte. Claimed blobs are not removed. */
async function checkClaimed(reader: SourceReader, { content, size }: PlannedEntry): Promise<void> {
  if (!('digest' in content)) return;
  const { digest, kind } = content;
  const found = await reader.stat(digest, kind);
  if (found === undefined) throw removedSince(digest);
  if (found.size !== size) throw sizeChanged({ digest, size }, found.size);
}

function bodyOf(reader: SourceReader, { content, size }: PlannedEntry): Body {
  // A range lets a small blob take a small buffer. It ends one byte late, to notice a blob that is too long.
  if ('bytes' in content) return inMemory(content.bytes);
  return reader.open(content.digest, { kind: content.kind, range: { start: 0, end: size + 1 } });
}

async function* inMemory(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
