import { lstatSync, readdirSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { LadingError } from '../../../model/errors.js';
import { effectiveUser } from './identity.js';
import type { LayoutPaths } from './layout-paths.js';
import { statIfThere } from '../../../files/if-there.js';

/** Others may write to what has one of these bits. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Refuses to write to a store that belongs to another user or that others may write to, and to one in which a link or something
 * else has the place of a folder or file of ours: whoever can put it there decides where we write. What is not there is fine.
 * Throws ERR_STORE_UNSAFE, ERR_STORE_TAMPERED.
 */
export function checkOwnership(paths: LayoutPaths): void {
  // The path of a store may lead through links: it is the user's own word.
  const root = statIfThere(paths.root, statSync);
  if (root !== undefined) checkOwner(paths.root, root);
  const algorithms = namesIfThere(paths.blobs).map((name) => path.join(paths.blobs, name));
  const folders = [paths.private, paths.ingest, paths.refs, paths.leases, paths.trash, paths.blobs];
  for (const folder of folders) checkFolder(folder);
  for (const folder of algorithms) checkNoLink(folder);
  const lists = namesIfThere(paths.refs).map((name) => path.join(paths.refs, name));
  for (const file of [paths.layout, paths.index, paths.version, ...lists]) checkFile(file);
}

/** Whether the store is one that we would write to. */
export function isOurs(paths: LayoutPaths): boolean {
  try {
    checkOwnership(paths);
    return true;
  } catch (error) {
    if (error instanceof LadingError) return false;
    throw error;
  }
}

function checkFolder(folder: string): void {
  const found = statIfThere(folder, lstatSync);
  if (found === undefined) return;
  if (!found.isDirectory()) throw tampered(folder, 'folder');
  checkOwner(folder, found);
}

function checkNoLink(folder: string): void {
  if (statIfThere(folder, lstatSync)?.isSymbolicLink() === true) throw tampered(folder, 'folder');
}

function checkFile(file: string): void {
  if (statIfThere(file, lstatSync)?.isFile() === false) throw tampered(file, 'regular file');
}

function checkOwner(folder: string, { uid, mode }: Stats): void {
  const user = effectiveUser();
  if (user === undefined) return;
  if (uid !== user) {
    const message = `${folder} belongs to user ${uid} and this is user ${user}; work as its owner, or use another store`;
    throw new LadingError('ERR_STORE_UNSAFE', message, { details: { folder, owner: uid, user } });
  }
  if ((mode & WRITABLE_BY_OTHERS) === 0) return;
  const message = `others may write to ${folder}; take that right away (chmod go-w), or use another store`;
  throw new LadingError('ERR_STORE_UNSAFE', message, { details: { folder, mode: (mode & 0o777).toString(8) } });
}

function tampered(file: string, kind: string): LadingError {
  return new LadingError('ERR_STORE_TAMPERED', `${file} is no ${kind}; put one in its place, or use another store`);
}

function namesIfThere(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    // What is no folder is told of by the check of that folder.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}
