import { randomUUID } from 'node:crypto';
import { close, constants, createWriteStream, fchmodSync, fchownSync, fsync, open, type Stats } from 'node:fs';
import { readlink, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';
import { DescriptorOutput } from '../files/descriptor-output.js';
import { LadingError, quote } from '../model/errors.js';

/** How often to look whether a named pipe has a reader, in milliseconds. */
const READER_MS = 50;

const LINKS_AT_MOST = 40;

/**
 * Writes to the file of a path. A regular file is replaced when the new one is whole, with the rights of the old one; a
 * link to it stays. A device or a named pipe is written to as it is. Throws ERR_OPTION_INVALID for a folder, else the
 * errors of the file system.
 */
export async function writeFile(from: Readable, file: string, signal: AbortSignal): Promise<void> {
  const found = await statIfThere(file);
  if (found?.isDirectory() ?? file.endsWith(path.sep)) {
    throw new LadingError('ERR_OPTION_INVALID', `${quote(file)} is a directory`);
  }
  const target = found === undefined || found.isFile() ? await followLinks(file) : undefined;
  if (target === undefined) await writeInto(from, file, found, signal);
  else await writeBeside(from, target, found, signal);
}

async function writeBeside(from: Readable, file: string, old: Stats | undefined, signal: AbortSignal): Promise<void> {
  // Not made of the file's name, which may be as long as a name can be.
  const temporary = path.join(path.dirname(file), `.lading-${randomUUID()}.part`);
  const to = createWriteStream(temporary, { flags: 'wx', flush: true, mode: old === undefined ? 0o666 : 0o600 });
  if (old !== undefined) to.once('open', (fd) => keepRights(fd, old));
  try {
    await pipeline(from, to, { signal });
    await rename(temporary, file);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Gives a new file the owner and mode of the old one, as far as this user may and the file system can. */
function keepRights(fd: number, { uid, gid, mode }: Stats): void {
  for (const keep of [() => fchownSync(fd, uid, gid), () => fchmodSync(fd, mode & 0o777)]) {
    try {
      keep();
    } catch {
      // Then it stays as private as it was made.
    }
  }
}

/** Writes to a device or a named pipe, or to what a link of /proc, such as /dev/stdout, stands for. */
async function writeInto(from: Readable, file: string, found: Stats | undefined, signal: AbortSignal): Promise<void> {
  const fd = found?.isFIFO() === true ? await openPipe(file, signal) : await promisify(open)(file, 'w');
  // After an error a write may still be blocked, so the end of the process closes it.
  await pipeline(from, new DescriptorOutput(fd), { signal });
  if (found?.isBlockDevice() === true) await promisify(fsync)(fd);
  await promisify(close)(fd);
}

/** Opens a named pipe when it has a reader. A plain open would block a thread until then, and no signal could end it. */
async function openPipe(file: string, signal: AbortSignal): Promise<number> {
  for (;;) {
    try {
      const probe = await promisify(open)(file, constants.O_WRONLY | constants.O_NONBLOCK);
      const fd = await promisify(open)(file, constants.O_WRONLY);
      await promisify(close)(probe);
      return fd;
    } catch (error) {
      // ENXIO: nobody reads.
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    await wait(READER_MS, undefined, { signal });
  }
}

/** The file at the end of the links, whether it exists or not. Undefined for a link of /proc, which has no place. */
async function followLinks(file: string): Promise<string | undefined> {
  let at = file;
  for (let links = 0; links < LINKS_AT_MOST; links += 1) {
    const folder = await realpath(path.dirname(at));
    const target = await readlink(at).catch(() => undefined);
    if (target === undefined) return at;
    if (folder === '/proc' || folder.startsWith('/proc/')) return undefined;
    at = path.resolve(folder, target);
  }
  throw new LadingError('ERR_OPTION_INVALID', `${quote(file)} leads through too many links`);
}

async function statIfThere(file: string): Promise<Stats | undefined> {
  try {
    return await stat(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
