import { chmodSync, linkSync, lstatSync, renameSync, rmSync, type BigIntStats } from 'node:fs';
import { connect, type Server } from 'node:net';
import path from 'node:path';
import { jsonLine, LadingError } from '../index.js';
import { started, taken } from './started.js';

/** sockaddr_un has 108 bytes, one of them for the end (unix(7)). */
const MAX_PATH_BYTES = 107;

/**
 * Listens on a unix socket with these permissions, 0600 unless given. A socket that a killed server left is replaced.
 * Returns a function that removes the file, if it is still that of this server. Throws ERR_OPTION_INVALID for a path
 * that is too long, ERR_STORAGE_IO if another server listens there.
 *
 * It binds under another name and puts that in its place when it listens. So the path always leads to a server that
 * answers, and of two servers that find one stale socket only one gets the path.
 */
export async function listenUnix(
  server: Server,
  { path: file, mode = 0o600 }: { readonly path: string; readonly mode?: number },
  umask?: (mask: number) => number,
): Promise<() => void> {
  checkLength(file);
  const own = await bind(server, file, umask);
  try {
    chmodSync(own, mode);
    const id = idOf(own);
    await putInPlace(own, file);
    return () => removeOwn(file, id);
  } catch (error) {
    throw error instanceof LadingError ? error : taken(file, (error as NodeJS.ErrnoException).code ?? '', error);
  } finally {
    rmSync(own, { force: true });
  }
}

function checkLength(file: string): void {
  const bytes = Buffer.byteLength(file);
  if (bytes <= MAX_PATH_BYTES) return;
  const message = `the path of a unix socket has at most ${MAX_PATH_BYTES} bytes, but ${jsonLine(file)} has ${bytes}; choose a shorter one with --host unix://PATH`;
  throw new LadingError('ERR_OPTION_INVALID', message);
}

/** Listens under a free name in the same folder, and returns it. */
async function bind(server: Server, file: string, umask?: (mask: number) => number): Promise<string> {
  for (let attempt = 0; ; attempt += 1) {
    const own = besides(file, attempt);
    try {
      // listen() creates the socket before it returns: the mask applies to it alone, and other users cannot connect.
      const mask = umask?.(0o177);
      const listening = started(server, { path: own }, file);
      if (mask !== undefined) umask?.(mask);
      await listening;
      return own;
    } catch (error) {
      const { code } = (error as LadingError).cause as NodeJS.ErrnoException;
      if (code !== 'EADDRINUSE' || attempt >= MAX_ATTEMPTS) throw error;
    }
  }
}

/** A killed server may have left its name, and so may one with the same process number in another container. */
const MAX_ATTEMPTS = 35;

/** A name beside the file. If the path is too long for a telling one, it has one character, as every name has. */
function besides(file: string, attempt: number): string {
  const telling = path.join(path.dirname(file), `.lading-${process.pid}-${attempt}`);
  return Buffer.byteLength(telling) <= MAX_PATH_BYTES
    ? telling
    : path.join(path.dirname(file), attempt.toString(MAX_ATTEMPTS + 1));
}

/** Gives the socket `own` the name `file`. Throws ERR_STORAGE_IO if another server listens there. */
async function putInPlace(own: string, file: string): Promise<void> {
  while (!isLinked(own, file)) {
    const found = lstatSync(file, { bigint: true, throwIfNoEntry: false });
    if (found === undefined) continue;
    if (!found.isSocket()) throw taken(file, 'the file exists and is not a socket');
    if (await isAlive(file)) throw taken(file, 'another server uses it');
    removeStale(file, `${own}~`, fingerprintOf(found));
  }
}

/** False if the name is taken. */
function isLinked(own: string, file: string): boolean {
  try {
    linkSync(own, file);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/**
 * Removes a stale socket. Another server may have put its own there since it was found stale: so it is moved away
 * first, and what turns out to be another one is put back.
 */
function removeStale(file: string, aside: string, stale: string): void {
  if (idOf(file) !== stale) return;
  renameSync(file, aside);
  try {
    if (idOf(aside) !== stale) isLinked(aside, file);
  } finally {
    rmSync(aside, { force: true });
  }
}

/** Tells one socket file from another, also if it is moved; undefined if there is none. */
function idOf(file: string): string | undefined {
  const found = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  return found && fingerprintOf(found);
}

/** Leaves the file of another server, and one that cannot be removed any more: it is stale, and will be replaced. */
function removeOwn(file: string, own: string | undefined): void {
  try {
    if (idOf(file) === own) rmSync(file, { force: true });
  } catch {
    // The folder may be gone, or closed to this user.
  }
}

/** The number of a removed file may be used again, but not with the same time. */
function fingerprintOf({ dev, ino, mtimeNs }: BigIntStats): string {
  return `${dev} ${ino} ${mtimeNs}`;
}

async function isAlive(file: string): Promise<boolean> {
  return await new Promise<boolean>((resolve) => {
    const socket = connect(file);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
  });
}
