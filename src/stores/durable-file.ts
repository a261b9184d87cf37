import path from 'node:path';
import fs from 'fs-extra';

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = fs.constants;

/** Writes a new file and waits until its bytes are on stable storage. */
export async function writeDurable(file: string, bytes: Uint8Array | string, mode: number): Promise<void> {
  const fd = await fs.open(file, O_CREAT | O_EXCL | O_NOFOLLOW | O_WRONLY, mode);
  try {
    await fs.writeFile(fd, bytes);
    await fs.fchmod(fd, mode);
    await fs.fsync(fd);
  } finally {
    await fs.close(fd);
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
  await fs.ensureDir(folder, 0o700);
  await syncFolder(path.dirname(folder));
}
