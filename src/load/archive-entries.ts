import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openArchive, type ArchiveSource } from '../archives/open-archive.js';
import type { Limits } from '../model/limits.js';
import { Decompress } from '../stages/decompress.js';
import type { ArchiveEntry } from '../stages/records.js';
import { TarExtract } from '../stages/tar-extract.js';
import { TarGuard } from '../stages/tar-guard.js';

/** An archive to load: its bytes, or the path of an archive file or of an OCI layout directory. */
export type LoadSource = ArchiveSource | string;

/**
 * Opens the archive, calls `work` with its entries, and closes it, also after an error. A tar in a file and a layout
 * directory are read by position; any other bytes are a stream: decompress ─► tar guard ─► tar extract.
 */
export async function withEntries<T>(
  source: LoadSource,
  limits: Limits,
  work: (entries: AsyncIterable<ArchiveEntry>) => Promise<T>,
): Promise<T> {
  const opened = typeof source === 'string' ? await openArchive(source, limits) : { bytes: source };
  if ('bytes' in opened) return await withStream(opened.bytes, limits, work);
  try {
    return await work(opened.entries);
  } finally {
    opened.close();
  }
}

async function withStream<T>(
  bytes: ArchiveSource,
  limits: Limits,
  work: (entries: AsyncIterable<ArchiveEntry>) => Promise<T>,
): Promise<T> {
  const entries = new TarExtract();
  // pipeline takes any async iterable; its type definitions know streams only.
  const reading = pipeline(bytes as Readable, new Decompress(limits), new TarGuard(limits), entries);
  // The entries fail with the same error, so `work` gets it.
  reading.catch(() => {});
  try {
    return await work(entries);
  } finally {
    entries.destroy();
    await reading.catch(() => {});
  }
}
