import { closeSync, constants, fstatSync, openSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import type { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isatty } from 'node:tty';
import { exportImages } from '../export/export-images.js';
import type { ExportPlan } from '../export/plan-export.js';
import { writeArchive as writeToDescriptor } from '../export/write-archive.js';
import { DescriptorOutput } from '../files/descriptor-output.js';
import type { LoadSource } from '../load/archive-entries.js';
import { LadingError, quote } from '../model/errors.js';
import type { ImageSource } from '../stores/store.js';
import type { CommandContext } from './command-context.js';
import { outputError } from './output-error.js';
import { writeFile } from './output-file.js';
import { saveMemory } from './save-memory.js';

/** Checks where an archive goes: a file, or stdout without one or for `-`. Throws ERR_OPTION_INVALID. */
export function checkOutput(file: string | undefined): void {
  if (!isStdout(file)) return;
  if (isatty(1)) throw wrong('an archive cannot be written to a terminal; use -o FILE or a pipe');
  if (isClosed()) throw wrong('stdout is closed, so the archive has nowhere to go; use -o FILE or a pipe');
}

/** What stops the writing, and who is told of it. */
export interface ArchiveContext {
  readonly signal: AbortSignal;
  readonly progress: Pick<CommandContext['progress'], 'listener'>;
}

/**
 * Writes the archive of a plan, through a stream that packs it if one is given. A file appears under its name when it is
 * whole; a failed save leaves none.
 */
export async function writeArchive(
  store: ImageSource,
  plan: ExportPlan,
  file: string | undefined,
  { signal, progress }: ArchiveContext,
  packing?: Transform,
): Promise<void> {
  const onProgress = await progress.listener();
  const options = { signal, ...(onProgress && { onProgress }) };
  try {
    if (isStdout(file) && packing === undefined) return await writeToDescriptor(store, plan, { fd: 1, ...options });
    const archive = exportImages(store, plan, options);
    if (isStdout(file)) await pipeline([archive, ...(packing ? [packing] : []), new DescriptorOutput(1)], { signal });
    else await writeStream(packing === undefined ? archive : packed(archive, packing), file, signal);
  } catch (error) {
    throw outputError(error, `cannot write ${isStdout(file) ? 'to stdout' : quote(file)}`);
  }
}

/** The packed archive. An error of the archive is the error of what this returns. */
function packed(archive: Readable, packing: Transform): Readable {
  pipeline(archive, packing).catch(() => {});
  return packing;
}

/** Ends the stream also if the file could not be opened. */
async function writeStream(archive: Readable, file: string, signal: AbortSignal): Promise<void> {
  try {
    await writeFile(archive, file, signal);
  } finally {
    archive.destroy();
  }
}

/** Whether a file is named: a report can then go to stdout. */
export function isFile(file: string | undefined): file is string {
  return !isStdout(file);
}

/**
 * Whether this process was started without stdout (`>&-`). Node then opens /dev/null in its place, for reading and
 * writing, so that the archive would be lost without a word. A shell's `> /dev/null` is open for writing only.
 */
function isClosed(): boolean {
  try {
    const flags = Number.parseInt(/^flags:\t(\d+)$/m.exec(readFileSync('/proc/self/fdinfo/1', 'latin1'))?.[1] ?? '', 8);
    return fstatSync(1).rdev === statSync('/dev/null').rdev && (flags & constants.O_RDWR) !== 0;
  } catch {
    return false;
  }
}

/** Where an archive comes from: the path of a file or directory, or stdin without one or for `-`. */
export function openInput(file: string | undefined): LoadSource {
  // It may have any number of entries.
  saveMemory();
  if (!isStandard(file)) return file;
  if (isatty(0)) throw wrong('an archive cannot be read from a terminal; use -i FILE or a pipe');
  if (isUnreadFile()) return STDIN_FILE;
  return isPipe() ? { fd: 0 } : process.stdin;
}

/** Opens the file behind stdin once more, whatever its path is (Linux). */
const STDIN_FILE = '/proc/self/fd/0';

/** Whether stdin is a pipe that can be opened once more: not one of another user. */
function isPipe(): boolean {
  return fstatSync(0).isFIFO() && canOpen(constants.O_RDONLY | constants.O_NONBLOCK);
}

/** Whether what is behind stdin can be opened once more: a process with other rights may have opened it. */
function canOpen(flags: number): boolean {
  try {
    closeSync(openSync(STDIN_FILE, flags));
    return true;
  } catch {
    return false;
  }
}

/** Whether stdin is a regular, unread file: then `lading load < FILE` reads only the parts that it needs. */
function isUnreadFile(): boolean {
  try {
    if (!fstatSync(0).isFile() || !/^pos:\t0$/m.test(readFileSync('/proc/self/fdinfo/0', 'latin1'))) return false;
    return canOpen(constants.O_RDONLY);
  } catch {
    return false;
  }
}

function isStandard(file: string | undefined): file is '-' | undefined {
  return file === undefined || file === '-';
}

/** Its names in /dev too: to open one again would cut off what a shell wrote before, and fail for a socket. */
function isStdout(file: string | undefined): file is '-' | undefined {
  return isStandard(file) || ['/dev/stdout', '/dev/fd/1', '/proc/self/fd/1'].includes(path.normalize(file));
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
