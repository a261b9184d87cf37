import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { openArchive, readDescriptor, type ArchiveSource, type OpenedStream } from '../archives/open-archive.js';
import { PipeEntries } from '../archives/pipe-entries.js';
import { PipeInput } from '../archives/pipe-input.js';
import { StreamReader } from '../archives/stream-reader.js';
import { startsLikeTar, TAR_BLOCK } from '../model/tar-header.js';
import { LadingError } from '../model/errors.js';
import type { Limits } from '../model/limits.js';
import { PATH, textOr, must, type Rule } from '../model/rules.js';
import { Decompress } from '../stages/decompress.js';
import type { ArchiveEntry } from '../stages/records.js';
import { TarExtract } from '../stages/tar-extract.js';
import { TarGuard } from '../stages/tar-guard.js';

/** An open file descriptor that an archive is read from, to its end. It stays open. */
export interface DescriptorSource {
  readonly fd: number;
  /** False: reads a pipe without native calls, as where the optional package koffi is missing. Default true. */
  readonly native?: boolean;
}

/** An archive to load: its bytes, the path of an archive file or OCI layout directory, or an open descriptor. */
export type LoadSource = ArchiveSource | string | DescriptorSource;

/** An archive as an argument. */
export const ARCHIVE: Rule = textOr(
  must('a path, a stream of bytes, another async iterable of bytes or an open descriptor ({ fd })', isArchive),
  PATH,
);

function isArchive(value: unknown): boolean {
  return typeof value === 'object' && value !== null && (Symbol.asyncIterator in value || isOpenDescriptor(value));
}

function isOpenDescriptor(value: object): boolean {
  return 'fd' in value && Number.isInteger(value.fd) && Number(value.fd) >= 0;
}

/** Whether the archive is an open descriptor. A stream of a file has a descriptor too, and is a stream. */
export function isDescriptor(source: LoadSource): source is DescriptorSource {
  return typeof source === 'object' && 'fd' in source && !(Symbol.asyncIterator in source);
}

/** The entries of an open archive. `close` once they are not read any more, whatever came of it. */
export interface ArchiveEntries {
  readonly entries: AsyncIterable<ArchiveEntry>;
  /** Whether the error says that a pipe or connection failed or ended too early. A file that was cut is just damaged. */
  readonly isCut: (error: unknown) => boolean;
  readonly close: () => Promise<void>;
}

/** How an archive is opened. */
export interface OpenOptions {
  readonly limits: Limits;
  /** Whether threads may hash what comes in a stream. */
  readonly threads: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Opens an archive. A tar in a file and a layout directory are read by position; any other bytes are a stream:
 * decompress ─► tar guard ─► tar extract. Throws ERR_SOURCE_UNKNOWN, ERR_STORAGE_IO, ERR_ABORTED. The entries throw what
 * is wrong with the archive itself.
 */
export async function openEntries(
  source: Readable | string | DescriptorSource,
  { limits, threads, signal }: OpenOptions,
): Promise<ArchiveEntries> {
  if (isDescriptor(source)) return await descriptorEntries(source, limits, signal);
  if (typeof source !== 'string')
    return threads ? await threadedEntries(source, limits, signal) : streamEntries({ bytes: source }, limits);
  const opened = await openArchive(source, limits);
  if ('bytes' in opened) return streamEntries(opened, limits);
  return { entries: opened.entries, isCut: () => false, close: async () => opened.close() };
}

/** A tar in a pipe is read in large pieces by a thread, if that is wanted. Anything else is a stream. */
async function descriptorEntries(
  { fd, native = true }: DescriptorSource,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<ArchiveEntries> {
  // Loaded only if it is wanted: a load starts sooner without it.
  const pipe = native ? await (await import('../archives/open-pipe.js')).openPipe(fd, limits, signal) : undefined;
  if (pipe === undefined) return streamEntries({ bytes: await readDescriptor(fd) }, limits);
  const opened = 'bytes' in pipe ? streamEntries(pipe, limits) : pipeEntries(pipe.entries);
  const close = async (): Promise<void> => {
    await opened.close();
    await pipe.end();
  };
  return { ...opened, close };
}

/** A tar in a stream is read as one in a pipe: threads hash its large bodies. What is packed goes through the stages. */
async function threadedEntries(
  bytes: Readable,
  limits: Limits,
  signal: AbortSignal | undefined,
): Promise<ArchiveEntries> {
  const reader = new StreamReader(bytes);
  signal?.addEventListener('abort', reader.stop, { once: true });
  const release = (): void => {
    signal?.removeEventListener('abort', reader.stop);
    reader.release();
  };
  const input = new PipeInput(reader);
  try {
    if (signal?.aborted) reader.stop();
    if (!startsLikeTar(await input.peek(TAR_BLOCK))) {
      const start = await input.takeSome(Number.POSITIVE_INFINITY);
      release();
      return streamEntries({ bytes: putBack(bytes, start) }, limits);
    }
  } catch (error) {
    release();
    throw error;
  }
  const entries = new PipeEntries(input, limits);
  const close = async (): Promise<void> => {
    entries.destroy();
    release();
  };
  return { entries, isCut: (error) => bytes.errored !== null || isTruncated(error), close };
}

/** The stream with bytes that were read from it. */
function putBack(bytes: Readable, start: Buffer): Readable {
  if (bytes.readableEnded) return Readable.from([start], { objectMode: false });
  bytes.unshift(start);
  return bytes;
}

function pipeEntries(entries: PipeEntries): ArchiveEntries {
  return { entries, isCut: isTruncated, close: async () => void entries.destroy() };
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
