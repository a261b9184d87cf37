import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { asError, LadingError } from '../model/errors.js';
import { check, fields, listOf, listOr, OBJECT, oneOf, TEXT, wholeNumber } from '../model/rules.js';
import { TarPack } from '../stages/tar-pack.js';
import { VerifyDigests } from '../stages/verify-digests.js';
import { SOURCE } from '../stores/port-rules.js';
import type { ImageSource } from '../stores/store.js';
import { NAMES } from '../survey/option-rules.js';
import { exportEntries } from './export-entries.js';
import { EXPORT_OPTIONS, planExport, type ExportOptions, type ExportPlan } from './plan-export.js';

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
  // Destroys the archive if no pipeline did, so that its reader gets the error, also of a wrong argument.
  exportUntilAbort(archive, source, wanted, options).catch((error: unknown) => archive.destroy(asError(error)));
  return archive;
}

const PLANNED = fields({ name: TEXT, type: oneOf('file', 'directory'), size: wholeNumber(), content: OBJECT });

const PLAN_FIELDS = { size: wholeNumber(), entries: listOf(PLANNED) };

/** A plan as an argument. */
export const PLAN = fields(PLAN_FIELDS, 'a plan');

const ARGUMENTS = {
  source: SOURCE,
  wanted: listOr(NAMES, fields(PLAN_FIELDS, 'a plan or a list of names')),
  options: EXPORT_OPTIONS,
};

async function exportUntilAbort(...[archive, source, wanted, options]: Parameters<typeof exportTo>): Promise<void> {
  check(ARGUMENTS, { source, wanted, options });
  const stopListening = destroyOnAbort(archive, options.signal);
  try {
    await exportTo(archive, source, wanted, options);
  } finally {
    stopListening();
  }
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
