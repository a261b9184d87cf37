import type { PumpEntry } from '../pump/pump-tasks.js';
import type { ImageSource, SourceReader } from '../stores/store.js';
import { digestsOf } from './export-entries.js';
import type { PlannedEntry } from './lay-out-archive.js';
import type { ExportPlan } from './plan-export.js';

/**
 * Does work with the entries of a plan and the files of their blobs, which are claimed meanwhile. Returns false, with
 * nothing done, if not all blobs are in files.
 */
export async function withFiles(
  source: ImageSource,
  plan: ExportPlan,
  work: (entries: readonly PumpEntry[]) => Promise<void>,
): Promise<boolean> {
  const reader = await source.reader();
  try {
    await reader.claim(digestsOf(plan));
    const entries = plan.entries.map((entry) => pumpEntryOf(reader, entry));
    if (!entries.every((entry) => entry !== undefined)) return false;
    await work(entries);
    return true;
  } finally {
    await reader.end();
  }
}

function pumpEntryOf(reader: SourceReader, { content, name, type, size, mode }: PlannedEntry): PumpEntry | undefined {
  const header = { name, type, size, mode };
  if ('bytes' in content) return { ...header, bytes: content.bytes };
  const file = reader.fileOf(content.digest);
  return file === undefined ? undefined : { ...header, file, digest: content.digest };
}
