import { LadingError } from '../../model/errors.js';
import { openStore, type CommonOptions } from '../command-context.js';
import { formatBytes, printLines, printReport } from '../console.js';

export interface PruneCommandOptions extends CommonOptions {
  readonly grace: string;
  readonly dryRun?: boolean;
}

/** `lading prune`: unnamed images and blobs that nothing needs, older than the grace time. */
export async function prune(options: PruneCommandOptions): Promise<number> {
  const graceMs = parseDuration(options.grace);
  const store = await openStore(options, 'write');
  const dryRun = options.dryRun ?? false;
  const { images, blobs } = await store.prune({ now: Date.now(), graceMs, dryRun });
  const bytes = blobs.reduce((sum, { size }) => sum + size, 0);
  const digests = images.map(({ descriptor }) => descriptor.digest);
  if (options.json) {
    await printReport({ images: digests, blobs, bytes, dryRun });
    return 0;
  }
  const verb = dryRun ? 'Would delete' : 'Deleted';
  await printLines([
    ...digests.map((digest) => `${verb} image: ${digest}`),
    ...blobs.map(({ digest }) => `${verb}: ${digest}`),
    `Total ${dryRun ? 'reclaimable' : 'reclaimed'} space: ${formatBytes(bytes)}`,
  ]);
  return 0;
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `24h`, `7d` or `0` in milliseconds. Throws ERR_OPTION_INVALID. */
function parseDuration(text: string): number {
  const match = /^([0-9]{1,6})([smhd]?)$/.exec(text);
  const unit = match?.[2] === '' && Number(match[1]) === 0 ? 0 : UNIT_MS[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw new LadingError('ERR_OPTION_INVALID', `${JSON.stringify(text)} is not a time such as 0, 90s, 15m, 24h or 7d`);
  }
  return Number(match[1]) * unit;
}
