import { openStore, type CommonOptions } from '../command-context.js';
import { formatBytes, printLines, printReport } from '../console.js';
import { parseDuration } from '../duration.js';

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
