import type { IndexPolicy } from '../../export/choose-roots.js';
import { compress, type CompressOptions } from '../../compression/compress.js';
import { planExport, type ExportPlan } from '../../export/plan-export.js';
import { LadingError } from '../../model/errors.js';
import type { ReferrerPolicy } from '../../model/wanted-blobs.js';
import { checkOutput, isFile, writeArchive } from '../archive-file.js';
import { namesInFile, namesOfAll, type ChosenOptions } from '../chosen-images.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printOnTerminal, printReport, sizeFormat, warn } from '../console.js';
import { INCOMPLETE } from '../exit-status.js';
import { hintAllowMissing } from '../hints.js';
import { formatWarnings, parseCompression } from '../save-format.js';
import { leftOutBy, oneOfStdin, type ThinOptions } from '../thin-options.js';
import { printPlan, type DryRunOptions } from '../save-dry-run.js';

export interface SaveOptions extends CommonOptions, ChosenOptions, DryRunOptions, ThinOptions {
  readonly dryRun?: boolean;
  readonly output?: string;
  readonly platform?: readonly string[];
  readonly index: IndexPolicy;
  readonly referrers: ReferrerPolicy;
  readonly allowMissing?: boolean;
  readonly compress?: string;
}

/** `lading save`: plans first, so that it reports everything missing before the first byte. */
export async function save(images: readonly string[], options: SaveOptions, context: CommandContext): Promise<number> {
  const { dryRun = false } = options;
  if (options.print !== undefined && !dryRun) throw wrong('--print is for --dry-run; a save prints its archive');
  if (!dryRun) checkOutput(options.output);
  const compression = options.compress === undefined ? undefined : parseCompression(options.compress);
  // What this Node cannot pack is told before anything is planned.
  const packing = compression && compress(compression);
  oneOfStdin([options.fromFile, ...(options.excludeBlobs ?? []), ...(options.base ?? [])]);
  const given = givenNames(images, options);
  const leftOut = await leftOutBy(options, context.signal);
  const store = await openStore(options, 'read', { claimReads: !dryRun });
  const started = Date.now();
  const planned = planExport(store, options.all === true ? await namesOfAll(store) : given, {
    platforms: options.platform ?? [],
    index: options.index,
    referrers: options.referrers,
    missingPlatforms: options.allowMissing ? 'skip' : 'fail',
    ...leftOut,
    signal: context.signal,
  });
  const found = await planned.catch((error: unknown) => {
    throw hintAllowMissing(error, options.allowMissing);
  });
  const plan = { ...found, warnings: [...found.warnings, ...formatWarnings(found, options.output, compression)] };
  warn(plan.warnings, options);
  if (dryRun) return await printPlan(store, plan, options);
  await writeArchive(store, plan, options.output, context, packing);
  const stream = isFile(options.output) ? 'stdout' : 'stderr';
  const report = reportOf(plan, options.output, compression);
  context.progress.report('save', report);
  if (options.json) await printReport('save', report, stream);
  else if (isFile(options.output) && options.quiet !== true)
    printClosing(plan, options.output, { ms: Date.now() - started, size: sizeFormat(options)(plan.size) });
  return plan.incomplete ? INCOMPLETE : 0;
}

/** The images of the command line and of the list. Throws ERR_OPTION_INVALID for none, and for names beside `--all`. */
function givenNames(images: readonly string[], { all, fromFile }: ChosenOptions): readonly string[] {
  const isNamed = images.length > 0 || fromFile !== undefined;
  if (isNamed && all === true) throw wrong('--all saves every image; leave the names out, or leave --all out');
  if (!isNamed && all !== true) throw wrong('name an image, or a list of them with --from-file, or use --all');
  return [...images, ...(fromFile === undefined ? [] : namesInFile(fromFile))];
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}

/** Says on a terminal that the file is written. A script that wants the facts takes --json. */
function printClosing(
  { images, thin }: ExportPlan,
  output: string,
  { ms, size }: { readonly ms: number; readonly size: string },
): void {
  const count = `${images.length} image${images.length === 1 ? '' : 's'}`;
  const without = thin === undefined ? '' : ` without ${thin.excluded.count} layers`;
  printOnTerminal(`Saved ${count}${without}, ${size}, to ${output} in ${(ms / 1000).toFixed(1)} s`);
}

/** `size` is that of the tar, before it was packed. */
function reportOf(plan: ExportPlan, output: string | undefined, compression: CompressOptions | undefined): object {
  const { size, entries, images, leftOut, blobs, warnings, incomplete, thin } = plan;
  const archive = { file: output ?? '-', size, entries: entries.length, ...(compression && { compression }) };
  return { archive, images, leftOut, blobs, warnings, ...(thin && { thin }), incomplete };
}
