import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LadingError } from '../model/errors.js';
import { planExport, type ExportOptions, type ExportPlan } from './plan-export.js';
import { TarPack } from '../stages/tar-pack.js';
import { VerifyDigests } from '../stages/verify-digests.js';
import type { ImageSource } from '../stores/store.js';
import { exportEntries } from './export-entries.js';

/**
 * The archive of a plan, or of the named images, as a byte stream. What it needs is claimed before its first byte, so that
 * nobody removes it until the stream is over. Every blob is verified while it is packed; on any error the stream is destroyed
 * with it and never ends well. Holds a few chunks of 256 KiB, and one digest for each blob.
 */
export function exportImages(
  source: ImageSource,
  wanted: ExportPlan | readonly string[],
  options: ExportOptions = {},
): Readable {
  const archive = new TarPack();
  // It may be aborted before anybody reads it: whoever comes then is told all the same, and nobody else is hurt.
  archive.on('error', () => {});
  const stopListening = destroyOnAbort(archive, options.signal);
  exportTo(archive, source, wanted, options)
    // Ends the archive where no pipeline did; its reader is told by it.
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
    // Entries are made ahead of their bodies: the claims end with the archive, not with the last entry.
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
