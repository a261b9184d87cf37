import { createWriteStream } from 'node:fs';
import { readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { exportImages, planExport, verifyArchive, type Store } from '../src/index.js';

/** What a backup wrote, and which older archives it removed. */
export interface Backup {
  readonly file: string;
  readonly bytes: number;
  readonly images: number;
  readonly removed: readonly string[];
}

/**
 * Writes every named image of the store to `images-<UTC time>.tar` in the folder, reads the archive back, and only then
 * removes old ones: it keeps the newest of each of 7 days and of each of 4 weeks. If anything fails, the older archives
 * stay, and the new one is gone.
 */
export async function backUp(store: Store, folder: string, now: Date): Promise<Backup> {
  const names = (await store.list()).flatMap(({ name }) => name ?? []);
  const plan = await planExport(store, names);
  const file = path.join(folder, `images-${now.toISOString().replaceAll(':', '-')}.tar`);
  const part = `${file}.part`;
  try {
    await pipeline(exportImages(store, plan), createWriteStream(part, { flags: 'wx', flush: true }));
    const { problems } = await verifyArchive(part);
    if (problems.length > 0) throw new Error(`the archive is damaged: ${problems[0]?.message}`);
    await rename(part, file);
  } catch (error) {
    await rm(part, { force: true });
    throw error;
  }
  const removed = await rotate(folder);
  return { file, bytes: plan.size, images: names.length, removed };
}

const BACKUP = /^images-(\d{4}-\d\d-\d\d)T[\d.-]+Z\.tar$/;
const WEEK = 7 * 24 * 60 * 60 * 1000;

/** Removes the archives that are neither the newest of a day nor of a week that is kept. Returns their names. */
async function rotate(folder: string): Promise<readonly string[]> {
  const [days, weeks] = [new Set<string>(), new Set<number>()];
  const removed: string[] = [];
  for (const name of (await readdir(folder))
    .filter((one) => BACKUP.test(one))
    .toSorted()
    .toReversed()) {
    const [, day = ''] = BACKUP.exec(name) ?? [];
    const isOfDay = isFirstOf(days, day, 7);
    const isOfWeek = isFirstOf(weeks, Math.floor(Date.parse(day) / WEEK), 4);
    if (isOfDay || isOfWeek) continue;
    await rm(path.join(folder, name));
    removed.push(name);
  }
  return removed;
}

/** Whether the value is new, and among the first so many. */
function isFirstOf<T>(seen: Set<T>, value: T, most: number): boolean {
  if (seen.has(value) || seen.size === most) return false;
  seen.add(value);
  return true;
}
