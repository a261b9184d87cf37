import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LadingError } from '../model/errors.js';
import { TarPack } from '../stages/tar-pack.js';
import { VerifyDigests } from '../stages/verify-digests.js';
import type { ImageSource } from '../stores/store.js';
import { exportEntries } from './export-entries.js';
import { planExport, type ExportOptions, type ExportPlan } from './plan-export.js';

/**
 * The archive of a plan, or of the named images, as a byte stream. Its blobs are claimed before the first byte, so that
 * they cannot be removed before the stream is over. Every blob is verified while it is packed. An error destroys the
 * stream, which then never ends as if it were whole. Holds a few chunks of 256 KiB, and one digest for each blob.
 */
export function exportImages(
  source: ImageSource,
  wanted: ExportPlan | readonly string[],
  options: ExportOptions = {},
): Readable {
  const archive = new TarPack();
  // Without a listener, an abort before the first read would crash the process; later readers still get the error.
  archive.on('error', () => {});
  const stopListening = destroyOnAbort(archive, options.signal);
  exportTo(archive, source, wanted, options)
    // Destroys the archive if no pipeline did, so that its reader gets the error.
    .catch((error: Error) => archive.destroy(error))
    .finally(stopListening);
  return archive;
}

async function exportTo(
  archive: TarPack,
  source: ImageSource,
  wanted: ExportPlan | readonly string[],
  options: ExportOptions,
): Promise<void> {
  const plan = isPlan(wanted) ? wanted : await planExport(source, wanted, options);
  const reader = await source.reader();
  try {
    // Bodies are read after their entries were made, so the claims last until the archive ends.
    await pipeline(exportEntries(reader, plan), new VerifyDigests(), archive);
  } finally {
    await reader.end();
  }
}

function isPlan(wanted: ExportPlan | readonly string[]): wanted is ExportPlan {
  return !Array.isArray(wanted);
}

function destroyOnAbort(archive: Readable, signal: AbortSignal | undefined): () => void {
  const abort = (): void => {
    archive.destroy(new LadingError('ERR_ABORTED', 'the export was aborted', { cause: signal?.reason }));
  };
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}
