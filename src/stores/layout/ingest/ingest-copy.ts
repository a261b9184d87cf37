import type { Content } from '../../../model/content.js';
import type { IngestOutcome } from '../../store.js';
import type { Copied } from './copy-tasks.js';
import { FileIngest, type FileIngestOptions } from './file-ingest.js';

/**
 * Stores a blob: `copy` writes its bytes to an open file. Runs in a thread as well as in the main process. Throws what
 * `Ingest.commit` throws, and what `copy` throws.
 */
export async function ingestCopy(
  options: FileIngestOptions,
  expected: Content,
  copy: (target: number) => Promise<Copied>,
): Promise<IngestOutcome> {
  const ingest = await FileIngest.create(options);
  try {
    await ingest.take(copy);
    return await ingest.commit(expected);
  } finally {
    await ingest.abort();
  }
}
