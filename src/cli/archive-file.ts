import { randomUUID } from 'node:crypto';
import { closeSync, createWriteStream, fstatSync, openSync, readFileSync } from 'node:fs';
import { open, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isatty } from 'node:tty';
import type { LoadSource } from '../load/archive-entries.js';
import { LadingError, quote } from '../model/errors.js';
import { isReaderGone } from './exit-status.js';
import { StandardOutput } from './standard-output.js';

/** Checks where an archive goes: a file, or stdout without one or for `-`. Throws ERR_OPTION_INVALID for a terminal. */
export function checkOutput(file: string | undefined): void {
  if (isStandard(file) && isatty(1)) {
    throw new LadingError('ERR_OPTION_INVALID', 'an archive cannot be written to a terminal; use -o FILE or a pipe');
  }
}

/** Writes an archive out. A file appears under its name when it is whole; a failed save leaves none. */
export async function writeArchive(archive: Readable, file: string | undefined, signal: AbortSignal): Promise<void> {
  try {
    if (isStandard(file)) await pipeline(archive, new StandardOutput(), { signal });
    else if (await isSpecial(file)) await pipeline(archive, createWriteStream(file), { signal });
    else await writeBeside(archive, file, signal);
  } catch (error) {
    archive.destroy();
    throw outputError(error, file ?? '-');
  }
}

async function writeBeside(archive: Readable, file: string, signal: AbortSignal): Promise<void> {
  const temporary = path.join(path.dirname(file), `.${path.basename(file)}.${randomUUID()}.part`);
  try {
    await pipeline(archive, createWriteStream(temporary, { flags: 'wx' }), { signal });
    await syncFile(temporary);
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

async function syncFile(file: string): Promise<void> {
  const handle = await open(file, 'r+');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Whether the path is a device or a named pipe: a renamed file must not replace it. */
async function isSpecial(file: string): Promise<boolean> {
  try {
    const found = await stat(file);
    if (found.isDirectory()) throw new LadingError('ERR_OPTION_INVALID', `${quote(file)} is a directory`);
    return !found.isFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** The error of a reader that has gone stays as it is: it is not a failure of storage. */
function outputError(error: unknown, file: string): unknown {
  const { code, syscall, message, name } = error as NodeJS.ErrnoException;
  if (error instanceof LadingError || isReaderGone(error)) return error;
  if (name === 'AbortError') return new LadingError('ERR_ABORTED', 'the save was aborted', { cause: error });
  if (syscall === undefined) return error;
  const kind = code === 'ENOSPC' || code === 'EDQUOT' ? 'ERR_NO_SPACE' : 'ERR_STORAGE_IO';
  return new LadingError(kind, `cannot write ${quote(file)}: ${message}`, { cause: error });
}

/** Where an archive comes from: the path of a file or directory, or stdin without one or for `-`. */
export function openInput(file: string | undefined): LoadSource {
  if (!isStandard(file)) return file;
  if (isatty(0)) {
    throw new LadingError('ERR_OPTION_INVALID', 'an archive cannot be read from a terminal; use -i FILE or a pipe');
  }
  return isUnreadFile() ? STDIN_FILE : process.stdin;
}

/** Opens the file behind stdin once more, whatever its path is (Linux). */
const STDIN_FILE = '/proc/self/fd/0';

/** Whether stdin is a regular, unread file: then `lading load < FILE` reads only the parts that it needs. */
function isUnreadFile(): boolean {
  try {
    if (!fstatSync(0).isFile() || !/^pos:\t0$/m.test(readFileSync('/proc/self/fdinfo/0', 'latin1'))) return false;
    // A process with other rights may have opened it.
    closeSync(openSync(STDIN_FILE, 'r'));
    return true;
  } catch {
    return false;
  }
}

function isStandard(file: string | undefined): file is '-' | undefined {
  return file === undefined || file === '-';
}
