import { readFileSync } from 'node:fs';
import { LadingError, quote } from '../../model/errors.js';
import { describe, printError, printLines, printReport, warn } from '../console.js';
import { exitStatusOf, INCOMPLETE, isReaderGone } from '../exit-status.js';
import { withRegistries } from '../registry-access.js';
import type { CommandContext } from '../command-context.js';
import { hintAllowMissing } from '../hints.js';
import { parsePlace } from '../transports.js';
import type { CopyCommandOptions } from './copy-choices.js';
import { OneCopy, type CopyOutcome } from './copy.js';

export interface CopyListOptions extends CopyCommandOptions {
  readonly fromFile?: string;
  readonly failFast?: boolean;
}

/** One line of a list: what to copy, and where to. */
interface Pair {
  readonly from: string;
  readonly to: string;
}

/** What became of one pair. */
type Result = Pair & { readonly outcome?: CopyOutcome; readonly error?: unknown };

/** `lading copy`: one image or repository, or the lines of a file. A failure does not stop the others. */
export async function copy(
  places: readonly string[],
  options: CopyListOptions,
  context: CommandContext,
): Promise<number> {
  const pairs = pairsOf(places, options.fromFile);
  // Every line is looked at before the first one is copied.
  for (const { from, to } of pairs) for (const place of [from, to]) parsePlace(place);
  return await withRegistries(options, context, undefined, async (registries) => {
    const one = new OneCopy(registries, options, context);
    const results: Result[] = [];
    for (const pair of pairs) {
      const result = await copyPair(one, pair, options);
      results.push(result);
      await show(result, options);
      if (context.signal.aborted || (result.error !== undefined && (pairs.length === 1 || options.failFast === true)))
        break;
    }
    return await finish(pairs, results, options);
  });
}

function pairsOf(places: readonly string[], file: string | undefined): readonly Pair[] {
  const [from, to, ...more] = places;
  if (file === undefined) {
    if (from === undefined || to === undefined || more.length > 0)
      throw wrong('copy takes a source and a destination, or --from-file');
    return [{ from, to }];
  }
  if (places.length > 0) throw wrong('--from-file takes the place of a source and a destination');
  const lines = readList(file).split(/\r?\n/);
  const pairs = lines.flatMap((line, at) => pairIn(line, at + 1, file));
  if (pairs.length === 0) throw wrong(`${quote(file)} has no line with a source and a destination`);
  return pairs;
}

function readList(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (cause) {
    throw new LadingError('ERR_OPTION_INVALID', `--from-file: cannot read ${quote(file)}`, { cause });
  }
}

function pairIn(line: string, number: number, file: string): readonly Pair[] {
  const words = line
    .replace(/(?:^|\s)#.*$/, '')
    .trim()
    .split(/\s+/);
  const [from = '', to] = words;
  if (from === '') return [];
  if (to === undefined || words.length !== 2)
    throw wrong(`${file}:${number}: a line is a source and a destination, as in docker://a/b:1 docker://c/d:1`);
  return [{ from, to }];
}

async function copyPair(one: OneCopy, pair: Pair, { allowMissing }: CopyListOptions): Promise<Result> {
  try {
    return { ...pair, outcome: await one.run(parsePlace(pair.from), parsePlace(pair.to)) };
  } catch (error) {
    // Nobody is left to be told of it.
    if (isReaderGone(error)) throw error;
    return { ...pair, error: hintAllowMissing(error, allowMissing) };
  }
}

async function show({ to, outcome, error }: Result, options: CopyListOptions): Promise<void> {
  if (outcome === undefined) return printError(error, options);
  warn(outcome.warnings, options);
  // The archive itself may be on stdout.
  if (options.json === true || /^(?:oci|docker)-archive:(?:-$|\/dev\/)/.test(to)) return;
  const verb = options.dryRun === true ? 'Would copy' : outcome.upToDate ? 'Up to date' : 'Copied';
  await printLines(outcome.images.map(({ digest }) => `${verb}: ${to}@${digest}`.replace(/@sha\d+:\w+(?=@)/, '')));
}

async function finish(pairs: readonly Pair[], results: readonly Result[], options: CopyListOptions): Promise<number> {
  const failed = results.filter(({ error }) => error !== undefined);
  const left = pairs.length - results.length;
  const incomplete = failed.length > 0 || left > 0 || results.some(({ outcome }) => outcome?.incomplete === true);
  if (options.json === true) {
    const isOnStdout = pairs.some(({ to }) => /^(?:oci|docker)-archive:(?:-$|\/dev\/)/.test(to));
    await printReport(
      'copy',
      { copies: results.map(reportOf), notTried: left, incomplete },
      isOnStdout ? 'stderr' : 'stdout',
    );
  }
  if (failed.length === results.length && failed[0] !== undefined) return exitStatusOf(failed[0].error);
  return incomplete ? INCOMPLETE : 0;
}

function reportOf({ from, to, outcome, error }: Result): object {
  if (outcome !== undefined) return { from, to, ...outcome };
  return { from, to, error: describe(error) };
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
