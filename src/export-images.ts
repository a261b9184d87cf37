import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LadingError } from './model/errors.js';
import { planExport, type ExportOptions, type ExportPlan, type PlannedEntry } from './plan-export.js';
import type { ArchiveEntry, Body } from './stages/records.js';
import { TarPack } from './stages/tar-pack.js';
import { VerifyDigests } from './stages/verify-digests.js';
import type { Store } from './stores/ports.js';

/**
 * The archive of a plan, or of the named images, as a byte stream. Every blob is verified while it is packed; on any error
 * the stream is destroyed with it and never ends well. Holds a few chunks of 256 KiB.
 */
export function exportImages(
  store: Store,
  wanted: ExportPlan | readonly string[],
  options: ExportOptions = {},
): Readable {
  const archive = new TarPack();
  const stopListening = destroyOnAbort(archive, options.signal);
  // On an error pipeline destroys the archive with it, which is how its reader is told.
  pipeline(entriesOf(store, wanted, options), new VerifyDigests(), archive)
    .catch(() => {})
    .finally(stopListening);
  return archive;
}

async function* entriesOf(
  store: Store,
  wanted: ExportPlan | readonly string[],
  options: ExportOptions,
): AsyncGenerator<ArchiveEntry> {
  const plan = isPlan(wanted) ? wanted : await planExport(store, wanted, options);
  for (const entry of plan.entries) yield { ...entry, body: bodyOf(store, entry) };
}

function isPlan(wanted: ExportPlan | readonly string[]): wanted is ExportPlan {
  return !Array.isArray(wanted);
}

function bodyOf(store: Store, { content }: PlannedEntry): Body {
  return 'digest' in content ? store.open(content.digest) : inMemory(content.bytes);
}

async function* inMemory(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

function destroyOnAbort(archive: Readable, signal: AbortSignal | undefined): () => void {
  const abort = (): void => {
    archive.destroy(new LadingError('ERR_ABORTED', 'the export was aborted', { cause: signal?.reason }));
  };
  if (signal?.aborted) abort();
  signal?.addEventListener('abort', abort, { once: true });
  return () => signal?.removeEventListener('abort', abort);
}
