import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LadingError } from '../model/errors.js';
import { planExport, type ExportOptions, type ExportPlan } from './plan-export.js';
import type { PlannedEntry } from './lay-out-archive.js';
import type { ArchiveEntry, Body } from '../stages/records.js';
import { TarPack } from '../stages/tar-pack.js';
import { VerifyDigests } from '../stages/verify-digests.js';
import type { SourceReader, ImageSource } from '../stores/store.js';

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
  const reader = await source.reader();
  try {
    // Entries are made ahead of their bodies: the claims end with the archive, not with the last entry.
    await pipeline(entriesOf(source, reader, wanted, options), new VerifyDigests(), archive);
  } finally {
    await reader.end();
  }
}

async function* entriesOf(
  source: ImageSource,
  reader: SourceReader,
  wanted: ExportPlan | readonly string[],
  options: ExportOptions,
): AsyncGenerator<ArchiveEntry> {
  const plan = isPlan(wanted) ? wanted : await planExport(source, wanted, options);
  await reader.claim(plan.entries.flatMap(({ content }) => ('digest' in content ? [content.digest] : [])));
  for (const entry of plan.entries) await claim(reader, entry);
  for (const entry of plan.entries) yield { ...entry, body: bodyOf(reader, entry) };
}

/** Claims a blob; from then on only damage can take it away. What went after the plan was made is told before the first byte. */
async function claim(reader: SourceReader, { content, size: expected }: PlannedEntry): Promise<void> {
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

function isPlan(wanted: ExportPlan | readonly string[]): wanted is ExportPlan {
  return !Array.isArray(wanted);
}

function bodyOf(reader: SourceReader, { content, size }: PlannedEntry): Body {
  // By range, so that a small blob takes a small buffer; with a byte more than it has, so that one too many is seen.
  if ('bytes' in content) return inMemory(content.bytes);
  return reader.open(content.digest, { kind: content.kind, range: { start: 0, end: size + 1 } });
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
