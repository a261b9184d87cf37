import { randomUUID } from 'node:crypto';
import path from 'node:path';
import fs from 'fs-extra';
import { isWhole } from '../../../content/is-whole.js';
import { lstatIfThere, moveIfThere, namesIn } from '../../../files/if-there.js';
import { ensurePrivateFolder } from '../../../files/private-folder.js';
import { isExisting } from '../../../files/storage-error.js';
import type { Digest } from '../../../model/digest.js';
import type { LayoutParts } from '../layout-parts.js';
import { digestOfTrashed, QUARANTINE, trashName, type LayoutPaths } from '../place/layout-paths.js';

/** A damaged blob that was taken out of `blobs/`: its file, its size in bytes, and when, in milliseconds since 1970. */
export interface Quarantined {
  readonly file: string;
  readonly digest: Digest;
  readonly size: number;
  readonly sinceMs: number;
}

/** Takes a blob out of `blobs/` if it is damaged, so that a load stores it again. Returns true if it was moved. */
export async function quarantine({ paths, blobs }: LayoutParts, digest: Digest): Promise<boolean> {
  const blob = paths.blob(digest);
  const seen = await lstatIfThere(blob);
  if (seen === undefined || (await isWhole(blobs, digest)) !== false) return false;
  const folder = path.join(paths.trash, QUARANTINE);
  ensurePrivateFolder(folder);
  const aside = path.join(folder, `${trashName(digest)}.${randomUUID()}`);
  if (!(await moveIfThere(blob, aside))) return false;
  const moved = await fs.lstat(aside);
  if (moved.ino === seen.ino && moved.dev === seen.dev) return true;
  // A load has put a good blob in its place meanwhile: that one was moved.
  await putBack(aside, blob);
  return false;
}

/** All blobs that were taken out and are still in the quarantine. */
export async function quarantinedIn(paths: LayoutPaths): Promise<readonly Quarantined[]> {
  const folder = path.join(paths.trash, QUARANTINE);
  const found: Quarantined[] = [];
  for (const name of await namesIn(folder)) {
    const digest = digestOfTrashed(name.slice(0, name.lastIndexOf('.')));
    const file = path.join(folder, name);
    const stat = await lstatIfThere(file);
    // A rename changes the ctime of a file, not its mtime.
    if (digest !== undefined && stat !== undefined)
      found.push({ file, digest, size: stat.isFile() ? stat.size : 0, sinceMs: stat.ctimeMs });
  }
  return found;
}

/** The blobs that were taken out and are not here again. */
export async function lostIn({ paths, blobs }: LayoutParts): Promise<ReadonlySet<Digest>> {
  const lost = new Set<Digest>();
  for (const { digest } of await quarantinedIn(paths)) if ((await blobs.stat(digest)) === undefined) lost.add(digest);
  return lost;
}

/** Removes what was taken out. Of a blob that is still needed and missing an empty file stays, so that we know of it. */
export async function dropQuarantined({ file, digest }: Quarantined, needed: ReadonlySet<Digest>): Promise<void> {
  await fs.remove(file);
  if (needed.has(digest)) await fs.writeFile(file, '', { flag: 'wx', mode: 0o600 });
}

async function putBack(aside: string, blob: string): Promise<void> {
  try {
    await fs.link(aside, blob);
  } catch (error) {
    if (!isExisting(error)) throw error;
  }
  await fs.remove(aside);
}
