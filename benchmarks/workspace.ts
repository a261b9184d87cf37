import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, statfs } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

/** A place on a file system. `room` is how many bytes may be written there. */
export interface Place {
  readonly folder: string;
  readonly fileSystem: string;
  readonly room: number;
}

/** Folders of one benchmark run. The archive and the stores have different places if one place cannot hold both. */
export interface Workspace {
  readonly stores: Place;
  readonly archives: Place;
  /** A folder of this run in the place for stores. Its content changes with the cases. */
  readonly folder: string;
  readonly archiveFolder: string;
  /** Whether tools that keep copies of their own may take part. */
  readonly isRoomForPeers: boolean;
}

/** Copies of the bytes: the archive, the store, and up to two that a peer keeps for itself. */
const COPIES_TOGETHER = 4;
/** Copies of the bytes without the archive: a store or the output of a yardstick, and what stands beside it. */
const COPIES_APART = 1.5;

/**
 * Makes folders for a run that moves so many bytes. Stores go into the directory asked for, else into memory if it has
 * room, else to the disk. Throws an error if no place has room. `removeWorkspace` removes the folders.
 */
export async function makeWorkspace(bytes: number, directory?: string): Promise<Workspace> {
  const stores = await choosePlace(directory === undefined ? ['/dev/shm', os.tmpdir()] : [directory], bytes);
  const isRoomForAll = stores.room >= COPIES_TOGETHER * bytes;
  const archives = isRoomForAll ? stores : await choosePlace([os.tmpdir()], bytes);
  const folder = await mkdtemp(path.join(stores.folder, 'lading-bench-'));
  const archiveFolder = isRoomForAll ? folder : await mkdtemp(path.join(archives.folder, 'lading-bench-'));
  return { stores, archives, folder, archiveFolder, isRoomForPeers: isRoomForAll };
}

/** Removes everything of a run. Is synchronous, so that it may be called when the process is about to end. */
export function removeWorkspace({ folder, archiveFolder }: Workspace): void {
  for (const each of [folder, archiveFolder]) rmSync(each, { recursive: true, force: true });
}

/** Makes an empty folder, and replaces one that exists. */
export async function freshFolder(folder: string): Promise<string> {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  return folder;
}

async function choosePlace(folders: readonly string[], bytes: number): Promise<Place> {
  const places = (await Promise.all(folders.map(describePlace))).filter((place) => place !== undefined);
  const chosen = places.find(({ room }) => room >= COPIES_APART * bytes);
  if (chosen !== undefined) return chosen;
  const rooms = places.map(({ folder, room }) => `${folder} has ${room} bytes free`).join(', ');
  throw new Error(`no room for ${COPIES_APART} times ${bytes} bytes: ${rooms}; give another --dir or a smaller --size`);
}

async function describePlace(folder: string): Promise<Place | undefined> {
  try {
    const { type, bavail, bsize } = await statfs(folder);
    const fileSystem = FILE_SYSTEMS[type] ?? `file system 0x${type.toString(16)}`;
    // On Linux this is what the kernel calls available: memory that can be had without swapping.
    const room = fileSystem === 'tmpfs' ? Math.min(bavail * bsize, os.freemem()) : bavail * bsize;
    return { folder, fileSystem, room };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Magic numbers of statfs(2). */
const FILE_SYSTEMS: Readonly<Record<number, string>> = {
  0x01021994: 'tmpfs',
  0xef53: 'ext4',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x794c7630: 'overlayfs',
  0x2fc12fc1: 'zfs',
};
