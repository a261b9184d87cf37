import type { IndexPolicy } from '../../export/choose-roots.js';
import { planExport, type ExportPlan } from '../../export/plan-export.js';
import { LadingError, quote } from '../../model/errors.js';
import type { ReferrerPolicy } from '../../model/wanted-blobs.js';
import { checkOutput, isFile, writeArchive } from '../archive-file.js';
import { namesInFile, namesOfAll, type ChosenOptions } from '../chosen-images.js';
import { openStore, type CommandContext, type CommonOptions } from '../command-context.js';
import { printOnTerminal, printReport, sizeFormat, warn } from '../console.js';
import { INCOMPLETE } from '../exit-status.js';
import { hintAllowMissing } from '../hints.js';
import { printPlan, type DryRunOptions } from '../save-dry-run.js';

export interface SaveOptions extends CommonOptions, ChosenOptions, DryRunOptions {
  readonly dryRun?: boolean;
  readonly output?: string;
  readonly platform?: readonly string[];
  readonly index: IndexPolicy;
  readonly referrers: ReferrerPolicy;
  readonly allowMissing?: boolean;
}

/** `lading save`: plans first, so that it reports everything missing before the first byte. */
export async function save(images: readonly string[], options: SaveOptions, context: CommandContext): Promise<number> {
  const { dryRun = false } = options;
  if (options.print !== undefined && !dryRun) throw wrong('--print is for --dry-run; a save prints its archive');
  if (!dryRun) checkOutput(options.output);
  const given = givenNames(images, options);
  const store = await openStore(options, 'read', { claimReads: !dryRun });
  const started = Date.now();
  const planned = planExport(store, options.all === true ? await namesOfAll(store) : given, {
    platforms: options.platform ?? [],
    index: options.index,
    referrers: options.referrers,
    missingPlatforms: options.allowMissing ? 'skip' : 'fail',
    signal: context.signal,
  });
  const plan = withFormat(
    await planned.catch((error: unknown) => {
      throw hintAllowMissing(error, options.allowMissing);
    }),
    options.output,
  );
  warn(plan.warnings, options);
  if (dryRun) return await printPlan(store, plan, options);
  await writeArchive(store, plan, options.output, context);
  const stream = isFile(options.output) ? 'stdout' : 'stderr';
  const report = reportOf(plan, options.output);
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

const PACKED = /\.(?:t?gz|tgz|t?zst|t?xz|t?bz2?|zip)$/i;

/** The plan with a warning if the file's name promises a compression. */
function withFormat(plan: ExportPlan, output: string | undefined): ExportPlan {
  if (output === undefined || !PACKED.test(output)) return plan;
  const message = `${quote(output)} gets a plain tar, whatever its name says; to pack it, use a pipe: lading save … | gzip`;
  return { ...plan, warnings: [...plan.warnings, { code: 'WARN_PLAIN_TAR', message }] };
}

/** Says on a terminal that the file is written. A script that wants the facts takes --json. */
function printClosing(
  { images }: ExportPlan,
  output: string,
  { ms, size }: { readonly ms: number; readonly size: string },
): void {
  const count = `${images.length} image${images.length === 1 ? '' : 's'}`;
  printOnTerminal(`Saved ${count}, ${size}, to ${output} in ${(ms / 1000).toFixed(1)} s`);
}

function reportOf(plan: ExportPlan, output: string | undefined): object {
  const { size, entries, images, leftOut, blobs, warnings, incomplete } = plan;
  const archive = { file: output ?? '-', size, entries: entries.length };
  return { archive, images, leftOut, blobs, warnings, incomplete };
}
