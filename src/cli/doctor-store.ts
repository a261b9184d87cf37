import { randomUUID } from 'node:crypto';
import { existsSync, lstatSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { LadingError } from '../model/errors.js';
import { isImage } from '../model/image-list.js';
import { formatBytes } from '../model/shown-text.js';
import { OciLayoutStore } from '../stores/layout/oci-layout-store.js';
import type { Amount, PruneReport } from '../stores/prune-report.js';
import { describe } from './console.js';
import { checkDisk } from './doctor-machine.js';
import { failed, ok, warning, type Finding } from './finding.js';

/** How long a prune keeps young and interrupted content, in milliseconds: the defaults of `lading prune`. */
const KEPT = { graceMs: 60 * 60 * 1000, resumeMs: 24 * 60 * 60 * 1000 };

/** How far the clocks of a file system and of this machine may differ, in milliseconds. */
const CLOCK_MS = 60_000;

/** Everything about the folder of the store. Nothing is written; `writes` tries that, too. */
export async function checkStore(folder: string, now: number, writes: boolean): Promise<readonly Finding[]> {
  if (!existsSync(folder)) {
    const above = firstExisting(folder);
    return [ok('store', `none at ${folder} yet; the first load makes it`), ...(await checkDisk(above))];
  }
  const found = await storeFindings(folder, now);
  const isStore = !found.some(({ check, state }) => check === 'store' && state === 'failed');
  return [
    ...found,
    ...(await checkDisk(folder)),
    checkClock(folder, now),
    ...(writes && isStore ? [await tryToWrite(folder)] : []),
  ];
}

/** The nearest folder above that is there. */
function firstExisting(folder: string): string {
  return existsSync(folder) ? folder : firstExisting(path.dirname(path.resolve(folder)));
}

async function storeFindings(folder: string, now: number): Promise<readonly Finding[]> {
  try {
    const store = await OciLayoutStore.open(folder, { readOnly: true });
    const images = new Set((await store.list()).filter(isImage).map(({ descriptor }) => descriptor.digest));
    const report = await store.prune({ now, ...KEPT, dryRun: true });
    const foreign = await store.foreignFiles();
    return [
      storeFinding(folder, images.size, report),
      ...operations(report),
      ...leftovers(report),
      ...damage((await store.lost()).size, report),
      ...foreign.map((file) => failed('leases', `${file} is not a file of the store`, `look at it, and remove it`)),
    ];
  } catch (error) {
    const { code, message } = describe(error);
    const remedy = error instanceof LadingError ? `see docs/errors.md#${code}` : undefined;
    return [failed('store', message, remedy)];
  }
}

function storeFinding(folder: string, count: number, { kept }: PruneReport): Finding {
  const { uid, mode } = lstatSync(path.join(folder, 'index.json'), { throwIfNoEntry: false }) ?? lstatSync(folder);
  const folderMode = lstatSync(folder).mode;
  const own = process.getuid?.();
  const text = `${folder}, ${count} image${count === 1 ? '' : 's'}, ${formatBytes(kept.images.bytes)}`;
  if (own !== undefined && own !== 0 && uid !== own)
    return warning('store', `${text}, of another user`, 'commands that write must be run by that user');
  const isOpen = ((folderMode | mode) & 0o022) !== 0;
  return isOpen ? warning('store', `${text}, which others may write to`, `chmod -R go-w ${folder}`) : ok('store', text);
}

/** Loads and saves that run, or that may run on another machine. */
function operations({ kept }: PruneReport): readonly Finding[] {
  const alive = kept.held.filter(({ state }) => state === 'alive');
  const unknown = kept.held.filter(({ state }) => state === 'unknown');
  return [
    ...(alive.length > 0 ? [ok('operations', `${alive.length} running`)] : []),
    ...unknown.map(({ host = 'another host or container' }) =>
      warning(
        'operations',
        `one on ${host} may still run; what it holds stays`,
        'if it is over, remove its file in .lading/leases',
      ),
    ),
  ];
}

function leftovers({ blobs, interrupted, kept }: PruneReport): readonly Finding[] {
  const over = sumOf(kept.held.filter(({ state }) => state === 'over'));
  const unneeded = sumOf(blobs.map(({ size }) => ({ count: 1, bytes: size })));
  return [
    ...(over.count > 0
      ? [
          warning(
            'leftovers',
            `${formatBytes(over.bytes)} of interrupted loads, kept for a new try`,
            'lading prune --resume 0 frees them',
          ),
        ]
      : []),
    ...(unneeded.bytes + interrupted.bytes > 0
      ? [
          warning(
            'leftovers',
            `${formatBytes(unneeded.bytes + interrupted.bytes)} that no image needs`,
            'lading prune frees them',
          ),
        ]
      : []),
  ];
}

function sumOf(amounts: readonly Amount[]): Amount {
  return amounts.reduce((sum, one) => ({ count: sum.count + one.count, bytes: sum.bytes + one.bytes }), {
    count: 0,
    bytes: 0,
  });
}

function damage(lost: number, { damaged }: PruneReport): readonly Finding[] {
  const aside = sumOf(damaged.map(({ size }) => ({ count: 1, bytes: size })));
  return [
    ...(lost > 0
      ? [
          failed(
            'damage',
            `${lost} blobs were damaged and are missing`,
            'load their images again; lading verify names them',
          ),
        ]
      : []),
    ...(aside.count > 0
      ? [warning('damage', `${formatBytes(aside.bytes)} of damaged blobs put aside`, 'lading prune frees them')]
      : []),
  ];
}

function checkClock(folder: string, now: number): Finding {
  const { mtimeMs } = lstatSync(path.join(folder, 'index.json'), { throwIfNoEntry: false }) ?? lstatSync(folder);
  return mtimeMs > now + CLOCK_MS
    ? warning('clock', `the list of images is ${Math.round((mtimeMs - now) / 1000)} s in the future`, 'set the clock')
    : ok('clock', 'no file of the store is in the future');
}

async function tryToWrite(folder: string): Promise<Finding> {
  const [file, renamed] = [1, 2].map(() => path.join(folder, `.lading-doctor-${randomUUID()}`)) as [string, string];
  try {
    const handle = await open(file, 'wx', 0o600);
    try {
      await handle.writeFile('lading doctor\n');
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(file, renamed);
    return ok('write test', 'a file was written, synced, renamed and removed');
  } catch (error) {
    return failed('write test', describe(error).message, 'check the rights and the free space of the folder');
  } finally {
    for (const one of [file, renamed]) await rm(one, { force: true }).catch(() => {});
  }
}
