import { lstatSync, readdirSync, statSync, type Stats } from 'node:fs';
import path from 'node:path';
import { statIfThere } from '../../../files/if-there.js';
import { LadingError } from '../../../model/errors.js';
import { effectiveUser } from './identity.js';
import type { LayoutPaths } from './layout-paths.js';

/** Mode bits that let other users write. */
const WRITABLE_BY_OTHERS = 0o022;

/**
 * Refuses to write to a store that belongs to another user, or that others may write to, or in which a link or another
 * kind of file replaces one of our folders or files, since it could redirect our writes. Missing folders and files are
 * fine. Throws ERR_STORE_UNSAFE, ERR_STORE_TAMPERED.
 */
export function checkOwnership(paths: LayoutPaths): void {
  // The user chose the path of the store, so it may contain links.
  const root = statIfThere(paths.root, statSync);
  if (root !== undefined) checkOwner(paths.root, root);
  const inner = [paths.blobs, paths.trash].flatMap((folder) =>
    namesIfThere(folder).map((name) => path.join(folder, name)),
  );
  const folders = [paths.private, paths.ingest, paths.refs, paths.leases, paths.trash, paths.blobs];
  for (const folder of folders) checkFolder(folder);
  for (const folder of inner) checkNoLink(folder);
  const lists = namesIfThere(paths.refs).map((name) => path.join(paths.refs, name));
  for (const file of [paths.layout, paths.index, paths.version, ...lists]) checkFile(file);
}

/** Whether we may write to the store. */
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
  return new LadingError('ERR_STORE_TAMPERED', `${file} is not a ${kind}; put one in its place, or use another store`);
}

function namesIfThere(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    // Not a folder: `checkFolder` reports it.
    if (['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return [];
    throw error;
  }
}
