import path from 'node:path';
import fs from 'fs-extra';
import { ensurePrivateFolder } from './private-folder.js';
import { isExisting } from './storage-error.js';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;

/** Writes a new file and waits until its bytes are on stable storage. */
async function writeDurable(file: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const fd = await fs.open(file, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
  try {
    await fs.writeFile(fd, bytes);
    await fs.fchmod(fd, mode);
    await fs.fsync(fd);
  } finally {
    await fs.close(fd);
  }
}

/**
 * Makes a new file appear whole and durable, or not at all: writes it as `temporary`, then links it. Returns false if a
 * file with its name exists.
 */
export async function linkDurable(
  file: string,
  bytes: Uint8Array | string,
  mode: number,
  temporary: string,
): Promise<boolean> {
  try {
    await writeDurable(temporary, bytes, mode);
    await fs.link(temporary, file);
    await syncFolder(path.dirname(file));
    return true;
  } catch (error) {
    if (isExisting(error)) return false;
    throw error;
  } finally {
    await fs.remove(temporary);
  }
}

/** Replaces a file with a whole and durable one: writes it as `temporary`, then renames it. */
export async function replaceDurable(
  file: string,
  bytes: Uint8Array | string,
  mode: number,
  temporary: string,
): Promise<void> {
  try {
    await writeDurable(temporary, bytes, mode);
    await fs.rename(temporary, file);
    await syncFolder(path.dirname(file));
  } finally {
    // An error before the rename must not leave it behind.
    await fs.remove(temporary);
  }
}

/** Waits until the names in a folder are on stable storage. */
export async function syncFolder(folder: string): Promise<void> {
  const fd = await fs.open(folder, 'r');
  try {
    await fs.fsync(fd);
  } finally {
    await fs.close(fd);
  }
}

/** Creates the folder and those above it, and waits until the new names are on stable storage. */
export async function ensureDurableFolder(folder: string): Promise<void> {
  if (await fs.pathExists(folder)) return;
  await ensureDurableFolder(path.dirname(folder));
  ensurePrivateFolder(folder);
  await syncFolder(path.dirname(folder));
}
