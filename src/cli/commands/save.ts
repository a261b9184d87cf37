import type { IndexPolicy } from '../../export/choose-roots.js';
import { exportImages } from '../../export/export-images.js';
import { planExport, type ExportPlan } from '../../export/plan-export.js';
import type { ReferrerPolicy } from '../../model/wanted-blobs.js';
import { checkOutput, isFile, writeArchive } from '../archive-file.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printReport, warn } from '../console.js';
import { INCOMPLETE } from '../exit-status.js';

export interface SaveOptions extends CommonOptions {
  readonly output?: string;
  readonly platform?: readonly string[];
  readonly index: IndexPolicy;
  readonly referrers: ReferrerPolicy;
  readonly allowMissing?: boolean;
}

/** `lading save`: plans first, so that it reports everything missing before the first byte. */
export async function save(
  images: readonly string[],
  options: SaveOptions,
  { signal }: CommandContext,
): Promise<number> {
  checkOutput(options.output);
  const store = await openStore(options, 'read', { claimReads: true });
  const plan = await planExport(store, images, {
    platforms: options.platform ?? [],
    index: options.index,
    referrers: options.referrers,
    missingPlatforms: options.allowMissing ? 'skip' : 'fail',
    signal,
  });
  warn(plan.warnings, options);
  await writeArchive(exportImages(store, plan, { signal }), options.output, signal);
  if (options.json)
    await printReport('save', reportOf(plan, options.output), isFile(options.output) ? 'stdout' : 'stderr');
  return plan.incomplete ? INCOMPLETE : 0;
}

function reportOf(plan: ExportPlan, output: string | undefined): object {
  const { size, entries, images, leftOut, blobs, warnings, incomplete } = plan;
  const archive = { file: output ?? '-', size, entries: entries.length };
  return { archive, images, leftOut, blobs, warnings, incomplete };
}
