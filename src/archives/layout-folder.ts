import path from 'node:path';
import fs from 'fs-extra';
import { SharedFile } from '../files/file-part.js';
import { namesIn } from '../files/if-there.js';
import { openAgain } from '../files/read-file.js';
import { readError } from '../files/storage-error.js';
import { DOCKER_MANIFEST_ENTRY, METADATA_ENTRIES } from '../model/archive-layout.js';
import { badEntry } from '../model/entry-name.js';
import { LadingError, quote } from '../model/errors.js';
import { checkDocuments, unpackedDockerArchive } from '../model/not-an-image.js';
import { fileEntry, type FileEntry } from './file-entry.js';
import { PositionedEntries, type Listing } from './positioned-entries.js';

const { O_NOFOLLOW } = fs.constants;

/** A file of the layout: the layout's path, its name there, its own path without links, and its size. */
export interface Found {
  readonly root: string;
  readonly name: string;
  readonly file: string;
  readonly size: number;
}

/**
 * The files of a layout directory: its own documents, and the blobs by size, small ones first. An unwanted blob is never
 * opened. Links are followed inside the directory. The entries throw ERR_TAR_ENTRY for one that leads out or to a
 * device, and ERR_ARCHIVE_FORMAT for a circle, or if the directory has no documents or is an unpacked docker-archive.
 */
export function layoutFiles(directory: string): PositionedEntries<Found> {
  return new PositionedEntries(async () => await listFiles(directory), layoutFile);
}

async function listFiles(directory: string): Promise<Listing<Found>> {
  const root = await fs.realpath(directory);
  const metadata = await found(METADATA_ENTRIES.map(async (name) => await fileInside(root, name)));
  if (metadata.length === 0) checkDocuments(await documentsBelow(root));
  const others = await blobsInside(root);
  const isUnpacked = metadata.every(({ name }) => name === DOCKER_MANIFEST_ENTRY) && others.length === 0;
  if (isUnpacked && (await fileInside(root, DIR_VERSION)) === undefined) throw unpackedDockerArchive(directory);
  return { metadata, others };
}

/** A file that skopeo's `dir:` form has beside its own manifest.json. */
const DIR_VERSION = 'version';

async function blobsInside(root: string): Promise<readonly Found[]> {
  const blobs: Found[] = [];
  for (const algorithm of await namesIn(path.join(root, 'blobs'))) {
    const folder = `blobs/${algorithm}`;
    const real = await realInside(root, folder);
    if (real === undefined) continue;
    for (const encoded of await namesIn(real)) {
      const one = await fileInside(root, `${folder}/${encoded}`, path.join(real, encoded));
      if (one !== undefined) blobs.push(one);
    }
  }
  return blobs.sort((a, b) => a.size - b.size || (a.name < b.name ? -1 : 1));
}

/** The documents in the folders of a directory that has none itself: perhaps one of these was meant. */
async function documentsBelow(root: string): Promise<readonly string[]> {
  const names = (await namesIn(root)).flatMap((folder) => METADATA_ENTRIES.map((name) => `${folder}/${name}`));
  return (await found(names.map(async (name) => await fileInside(root, name)))).map(({ name }) => name);
}

/**
 * The regular file behind a name; undefined if there is none. `place` is its path, without links up to the last part. A
 * pipe, socket or device is refused as in a tar: it would count as missing, and nobody would learn why.
 */
async function fileInside(root: string, name: string, place = path.join(root, name)): Promise<Found | undefined> {
  const file = await realInside(root, name, place);
  const stats = file === undefined ? undefined : await fs.lstat(file);
  if (file === undefined || stats === undefined || stats.isDirectory()) return undefined;
  if (stats.isFile()) return { root, name, file, size: stats.size };
  throw badEntry(name, 'is a pipe, socket or device');
}

/** The path behind a name, without links; undefined if nothing is there. */
async function realInside(root: string, name: string, place = path.join(root, name)): Promise<string | undefined> {
  try {
    const real = await fs.realpath.native(place);
    if (!real.startsWith(`${root}${path.sep}`)) throw outside(name, real);
    return real;
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (['ENOENT', 'ENOTDIR'].includes(code)) return undefined;
    if (code === 'ELOOP') throw new LadingError('ERR_ARCHIVE_FORMAT', `${quote(name)} leads into a circle of links`);
    throw readError(error, `cannot read ${quote(place)}`);
  }
}

function outside(name: string, real: string): LadingError {
  return badEntry(name, `is a link out of the archive, to ${quote(real)}`);
}

function layoutFile({ root, name, file, size }: Found): FileEntry {
  const shared = new SharedFile(() => {
    try {
      return openInside(root, name, file);
    } catch (error) {
      throw readError(error, `cannot read ${quote(file)}`);
    }
  });
  return fileEntry({ name, type: 'file', file: shared, start: 0, size });
}

/** Opens a file whose path had no links. A folder in it may have become a link since. */
function openInside(root: string, name: string, file: string): number {
  const fd = openAgain(file, O_NOFOLLOW);
  const real = fs.realpathSync.native(file);
  const [opened, there] = [fs.fstatSync(fd), fs.statSync(real)];
  if (real.startsWith(`${root}${path.sep}`) && opened.ino === there.ino && opened.dev === there.dev) return fd;
  fs.closeSync(fd);
  throw outside(name, real);
}

async function found(looking: readonly Promise<Found | undefined>[]): Promise<readonly Found[]> {
  return (await Promise.all(looking)).filter((one) => one !== undefined);
}
