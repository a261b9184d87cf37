import type { SourceReader } from '../stores/store.js';
import type { ExportPlan } from './plan-export.js';
import type { ArchiveEntry, Body } from '../stages/records.js';
import type { PlannedEntry } from './lay-out-archive.js';
import { LadingError } from '../model/errors.js';

/**
 * The entries of a plan with their bodies, as a load takes them: a copy to another place is these entries into `loadEntries`.
 * What they need is claimed before the first entry. Bodies may be read in any order, and after the last entry has come, so the
 * caller ends the reader, once it has read them. Throws ERR_BLOB_MISSING, ERR_SIZE_MISMATCH.
 */
export async function* exportEntries(reader: SourceReader, plan: ExportPlan): AsyncGenerator<ArchiveEntry> {
  await reader.claim(plan.entries.flatMap(({ content }) => ('digest' in content ? [content.digest] : [])));
  for (const entry of plan.entries) await checkClaimed(reader, entry);
  for (const entry of plan.entries) yield { ...entry, body: bodyOf(reader, entry) };
}

/** From its claim on, only damage can take a blob away. What was removed since the plan was made is an error before the first byte. */
async function checkClaimed(reader: SourceReader, { content, size: expected }: PlannedEntry): Promise<void> {
  if (!('digest' in content)) return;
  const { digest, kind } = content;
  const found = await reader.stat(digest, kind);
  if (found === undefined) {
    throw new LadingError('ERR_BLOB_MISSING', `blob ${digest} was removed since the archive was planned; plan again`, {
      details: { digest },
    });
  }
  if (found.size === expected) return;
  const message = `blob ${digest}: ${found.size} bytes instead of ${expected}; lading verify tells what else is damaged`;
  throw new LadingError('ERR_SIZE_MISMATCH', message, { details: { digest, expected, size: found.size } });
}

function bodyOf(reader: SourceReader, { content, size }: PlannedEntry): Body {
  // By range, so that a small blob takes a small buffer; with a byte more than it has, so that one too many is seen.
  if ('bytes' in content) return inMemory(content.bytes);
  return reader.open(content.digest, { kind: content.kind, range: { start: 0, end: size + 1 } });
}

async function* inMemory(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}
