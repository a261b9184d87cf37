import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { output } from '../fixtures/command.js';

/*
 * A volume whose power can be cut: ext4 on a loop device on a file. The file lacks what ext4 has not written to its
 * device yet, so a copy of the file is what a disk holds after a power cut. A copy counts only if nothing was written
 * meanwhile, which the device's own counters show.
 */

/** Bytes of the volume; most of it is never written. */
const BYTES = 48 * 1024 * 1024;

/** ext4 writes its journal at an fsync, and otherwise once a minute, which is longer than a command here runs. */
const MOUNT = 'loop,commit=60';

/** A mounted volume. */
export interface LoopVolume {
  readonly folder: string;
  /** Copies what the device holds at this moment into a file. */
  readonly cut: (file: string) => Promise<void>;
  /** Unmounts the volume, and removes its file and folder. */
  readonly close: () => Promise<void>;
}

/** Why this machine cannot have such a volume; undefined if it can. */
export async function whyNoVolume(folder: string): Promise<string | undefined> {
  try {
    const volume = await openVolume(path.join(folder, 'probe'));
    await volume.close();
    return undefined;
  } catch (error) {
    return (error as Error).message.trim();
  }
}

/** Makes a file system and mounts it. The caller closes it. `name` must be a path in a {@link faultFolder}. */
export async function openVolume(name: string): Promise<LoopVolume> {
  const file = `${name}.img`;
  await writeFile(file, '');
  await truncate(file, BYTES);
  await output('mkfs.ext4', ['-q', '-F', '-m', '0', '-J', 'size=4', '-E', 'lazy_itable_init=0', file]);
  return await mount(file, name);
}

/** Mounts the copy of a cut, for which ext4 replays its journal. The caller closes it. */
export async function openCut(file: string): Promise<LoopVolume> {
  return await mount(file, `${file}.mount`);
}

async function mount(file: string, folder: string): Promise<LoopVolume> {
  await mkdir(folder, { recursive: true });
  await output('mount', ['-o', MOUNT, file, folder]);
  const device = await deviceOf(file);
  const close = async (): Promise<void> => {
    await output('umount', [folder]);
    await Promise.all([file, folder].map(async (name) => await rm(name, { recursive: true, force: true })));
  };
  return { folder, cut: async (to) => await copyAtRest(file, to, device), close };
}

async function deviceOf(file: string): Promise<string> {
  for (const name of await readdir('/sys/block')) {
    const backing = await readFile(`/sys/block/${name}/loop/backing_file`, 'utf8').catch(() => '');
    if (backing.trim() === file) return name;
  }
  throw new Error(`no loop device has ${file}`);
}

/** Copies again until nothing was written during the copy. */
async function copyAtRest(from: string, to: string, device: string): Promise<void> {
  for (let tries = 0; tries < 500; tries += 1) {
    const before = await writesOf(device);
    if (before.inFlight === 0) {
      await output('cp', ['--sparse=always', from, to]);
      const after = await writesOf(device);
      if (after.inFlight === 0 && after.done === before.done) return;
    }
    await delay(2);
  }
  throw new Error(`${device} is never at rest`);
}

/** Fields 5 (writes done) and 9 (in flight) of Documentation/block/stat in Linux. */
async function writesOf(device: string): Promise<{ readonly done: number; readonly inFlight: number }> {
  const fields = (await readFile(`/sys/block/${device}/stat`, 'utf8')).trim().split(/\s+/).map(Number);
  return { done: fields[4] ?? 0, inFlight: fields[8] ?? 0 };
}
