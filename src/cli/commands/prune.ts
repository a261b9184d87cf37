import type { Amount, HeldBlobs, PruneReport } from '../../stores/prune-report.js';
import { openStore, type CommonOptions } from '../command-context.js';
import { printLines, printReport, sizeFormat, type SizeFormat } from '../console.js';
import { formatAge, parseDuration } from '../duration.js';

export interface PruneCommandOptions extends CommonOptions {
  readonly grace: string;
  readonly resume: string;
  readonly dryRun?: boolean;
  readonly dangling?: boolean;
}

/** `lading prune`: removes images that have lost their name, and unused blobs, after the grace time. A dry run says why the rest stays. */
export async function prune(options: PruneCommandOptions): Promise<number> {
  const [graceMs, resumeMs] = [parseDuration(options.grace), parseDuration(options.resume)];
  const dryRun = options.dryRun ?? false;
  const store = await openStore(options, dryRun ? 'read' : 'write');
  const { dangling = false } = options;
  const report = await store.prune({ now: Date.now(), graceMs, resumeMs, dryRun, dangling });
  const { blobs, damaged, interrupted, kept } = report;
  const bytes = [...blobs, ...damaged].reduce((sum, { size }) => sum + size, interrupted.bytes);
  if (options.json) {
    const images = report.images.map(({ descriptor }) => descriptor.digest);
    await printReport('prune', { images, blobs, damaged, interrupted, bytes, kept, dryRun });
    return 0;
  }
  const size = sizeFormat(options);
  await printLines([
    ...goneLines(report, dryRun ? 'Would delete' : 'Deleted', size),
    ...(dryRun ? keptLines(report, size) : []),
    ...(dangling ? [] : unnamedLines(report)),
    `Total ${dryRun ? 'reclaimable' : 'reclaimed'} space: ${size(bytes)}`,
  ]);
  return 0;
}

function goneLines(
  { images, blobs, damaged, interrupted }: PruneReport,
  verb: string,
  size: SizeFormat,
): readonly string[] {
  return [
    ...images.map(({ descriptor }) => `${verb} image: ${descriptor.digest}`),
    ...blobs.map(({ digest }) => `${verb}: ${digest}`),
    ...damaged.map(({ digest }) => `${verb} damaged: ${digest}`),
    ...(interrupted.count > 0 ? [`${verb} half-written: ${amountText(interrupted, size, 'file')}`] : []),
  ];
}

function keptLines({ kept }: PruneReport, size: SizeFormat): readonly string[] {
  return [
    ...(kept.images.count > 0 ? [`Kept for images: ${amountText(kept.images, size)}`] : []),
    ...kept.held.map((held) => `Kept for ${holderText(held)}: ${amountText(held, size)}`),
    ...(kept.young.count > 0 ? [`Kept for the grace time: ${amountText(kept.young, size)}`] : []),
  ];
}

function unnamedLines({ kept: { unnamed } }: PruneReport): readonly string[] {
  if (unnamed === 0) return [];
  const [images, them] = unnamed === 1 ? ['image', 'it'] : ['images', 'them'];
  return [`Kept ${unnamed} ${images} without a name; --dangling removes ${them} too`];
}

const HOLDERS: Readonly<Record<HeldBlobs['state'], string>> = {
  alive: 'a running operation',
  over: 'an interrupted load that can be resumed',
  unknown: 'an operation on another host or in another container',
};

function holderText({ state, pid, host, ageMs }: HeldBlobs): string {
  const owner = pid === undefined ? [] : [`process ${pid}`, ...(state === 'unknown' ? [`on ${host}`] : [])];
  return `${HOLDERS[state]} (${[...owner, `last seen ${formatAge(ageMs)} ago`].join(', ')})`;
}

function amountText({ count, bytes }: Amount, size: SizeFormat, noun = 'blob'): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}, ${size(bytes)}`;
}
