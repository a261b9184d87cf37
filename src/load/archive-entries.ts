import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openArchive, type ArchiveSource, type OpenedStream } from '../archives/open-archive.js';
import { LadingError } from '../model/errors.js';
import type { Limits } from '../model/limits.js';
import { PATH, textOr, must, type Rule } from '../model/rules.js';
import { Decompress } from '../stages/decompress.js';
import type { ArchiveEntry } from '../stages/records.js';
import { TarExtract } from '../stages/tar-extract.js';
import { TarGuard } from '../stages/tar-guard.js';

/** An archive to load: its bytes, or the path of an archive file or of an OCI layout directory. */
export type LoadSource = ArchiveSource | string;

/** An archive as an argument. */
export const ARCHIVE: Rule = textOr(
  must('a path, a stream of bytes or another async iterable of bytes', isAsyncIterable),
  PATH,
);

function isAsyncIterable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Symbol.asyncIterator in value;
}

/** The entries of an open archive. `close` once they are not read any more, whatever came of it. */
export interface ArchiveEntries {
  readonly entries: AsyncIterable<ArchiveEntry>;
  /** Whether the error says that a pipe or connection failed or ended too early. A file that was cut is just damaged. */
  readonly isCut: (error: unknown) => boolean;
  readonly close: () => Promise<void>;
}

/**
 * Opens an archive. A tar in a file and a layout directory are read by position; any other bytes are a stream:
 * decompress ─► tar guard ─► tar extract. Throws ERR_SOURCE_UNKNOWN, ERR_STORAGE_IO. The entries throw what
 * is wrong with the archive itself.
 */
export async function openEntries(source: Readable | string, limits: Limits): Promise<ArchiveEntries> {
  const opened = typeof source === 'string' ? await openArchive(source, limits) : { bytes: source };
  if ('bytes' in opened) return streamEntries(opened, limits);
  return { entries: opened.entries, isCut: () => false, close: async () => opened.close() };
}

function streamEntries({ bytes, isFile = false }: OpenedStream, limits: Limits): ArchiveEntries {
  const stages = [new Decompress(limits), new TarGuard(limits), new TarExtract()] as const;
  const [decompress, guard, entries] = stages;
  let hasSourceFailed = false;
  // Before the pipeline listens: if a stage has failed, the pipeline destroys the source with the error of that stage.
  bytes.once('error', () => (hasSourceFailed = stages.every(({ errored }) => errored === null)));
  const reading = pipeline(bytes, decompress, guard, entries);
  // The entries end with the same error, and their reader reports it.
  const ended = reading.catch(() => {});
  return {
    entries,
    isCut: (error) => !isFile && (hasSourceFailed || isTruncated(error)),
    close: async () => {
      entries.destroy();
      await ended;
    },
  };
}

function isTruncated(error: unknown): boolean {
  return error instanceof LadingError && error.code === 'ERR_ARCHIVE_TRUNCATED';
}
