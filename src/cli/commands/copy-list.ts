import { createHash } from 'node:crypto';
import pLimit from 'p-limit';
import { checkJobs } from '../../copy/copy-blobs.js';
import { LadingError } from '../../model/errors.js';
import type { CommandContext } from '../command-context.js';
import { describe, printError, printLines, printReport, warn } from '../console.js';
import { copyJobs, prerequisites, type CopyJob, type CopyLine } from '../copy-lines.js';
import { CopyReportFile, type CopyEvent } from '../copy-report.js';
import { exitStatusOf, INCOMPLETE, isReaderGone } from '../exit-status.js';
import { hintAllowMissing } from '../hints.js';
import { withRegistries } from '../registry-access.js';
import { isOnStdout } from '../transports.js';
import type { CopyCommandOptions } from './copy-choices.js';
import type { CopyOutcome } from './copy-outcome.js';
import { OneCopy } from './copy.js';

export interface CopyListOptions extends CopyCommandOptions {
  readonly fromFile?: string;
  readonly failFast?: boolean;
  readonly jobs: string;
  readonly report?: string;
}

/** What became of one job. */
interface Result {
  readonly job: CopyJob;
  readonly outcome?: CopyOutcome;
  readonly error?: unknown;
  readonly seconds: number;
}

/** `lading copy`: one image or repository, or the lines of a file. A failure does not stop the others. */
export async function copy(
  places: readonly string[],
  options: CopyListOptions,
  context: CommandContext,
): Promise<number> {
  const jobs = copyJobs(places, options.fromFile);
  checkJobs(Number(options.jobs), '--jobs');
  const report = options.report === undefined ? undefined : await CopyReportFile.open(options.report);
  try {
    return await withRegistries(options, context, undefined, async (registries) => {
      const results = await new List(new OneCopy(registries, options, context), options, report).run(jobs, context);
      return await finish(jobs, results, options);
    });
  } finally {
    await report?.close();
  }
}

/** The jobs of a list, several at a time. */
class List {
  readonly #one: OneCopy;
  readonly #options: CopyListOptions;
  readonly #report: CopyReportFile | undefined;
  readonly #choices: string;
  #hasFailed = false;

  constructor(one: OneCopy, options: CopyListOptions, report: CopyReportFile | undefined) {
    this.#one = one;
    this.#options = options;
    this.#report = report;
    this.#choices = choicesText(options);
  }

  /** Runs the jobs, and returns the results of those that were begun, in the order of the list. */
  async run(jobs: readonly CopyJob[], { signal }: CommandContext): Promise<readonly Result[]> {
    const limit = pLimit(Number(this.#options.jobs));
    const before = prerequisites(jobs);
    const running: Promise<Result | undefined>[] = [];
    for (const [at, job] of jobs.entries()) {
      const others = (before[at] ?? []).flatMap((other) => running[other] ?? []);
      const start = async () => await limit(async () => await this.#runOne(job, signal));
      running.push(Promise.allSettled(others).then(start));
    }
    const settled = await Promise.allSettled(running);
    const broken = settled.find((one) => one.status === 'rejected');
    if (broken !== undefined) throw broken.reason;
    return settled.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []));
  }

  async #runOne(job: CopyJob, signal: AbortSignal): Promise<Result | undefined> {
    if (signal.aborted || (this.#hasFailed && this.#options.failFast === true)) return undefined;
    const result = await this.#copy(job);
    this.#hasFailed ||= result.error !== undefined;
    for (const line of job) await this.#report?.add(this.#eventOf(line, result));
    await show(result, this.#options);
    return result;
  }

  async #copy(job: CopyJob): Promise<Result> {
    const started = performance.now();
    const secondsSince = (): number => Math.round(performance.now() - started) / 1000;
    const [{ from, to }] = job;
    const key = { from, to, choices: this.#choices };
    try {
      const outcome = await this.#one.run(job, (source) => this.#report?.digestOf(key, source));
      return { job, outcome, seconds: secondsSince() };
    } catch (error) {
      // Nobody is left to be told of it.
      if (isReaderGone(error)) throw error;
      return { job, error: hintAllowMissing(error, this.#options.allowMissing), seconds: secondsSince() };
    }
  }

  #eventOf({ from, to }: CopyLine, { outcome, error, seconds }: Result): CopyEvent {
    const own = { from, to, choices: this.#choices };
    if (outcome === undefined) {
      const { code, message } = describe(error);
      return { ...own, status: 'failed', seconds, error: { code, message } };
    }
    const { images, blobs, incomplete } = outcome;
    return {
      ...own,
      status: this.#options.dryRun === true ? 'planned' : outcome.upToDate ? 'up-to-date' : 'copied',
      images: images.map(({ name, digest, sourceDigest = digest }) => ({
        ...(name !== undefined && { name }),
        source: sourceDigest,
        digest,
      })),
      bytes: blobs.bytesPlanned ?? blobs.bytesCopied ?? 0,
      seconds,
      ...(incomplete && { incomplete }),
    };
  }
}

/** What decides which content an image has at its destination. */
function choicesText({ platform = [], index, referrers, allowMissing = false }: CopyListOptions): string {
  const text = JSON.stringify([platform.toSorted(), index, referrers, allowMissing]);
  return createHash('sha256').update(text).digest('hex').slice(0, 16);
}

async function show({ job, outcome, error }: Result, options: CopyListOptions): Promise<void> {
  if (outcome === undefined) return printError(error, options);
  warn(outcome.warnings, options);
  // The archive itself may be on stdout.
  if (options.json === true || job.some(({ target }) => isOnStdout(target))) return;
  const verb = options.dryRun === true ? 'Would copy' : outcome.upToDate ? 'Up to date' : 'Copied';
  const [{ to }] = job;
  await printLines(outcome.images.map(({ digest }) => `${verb}: ${to}@${digest}`.replace(/@sha\d+:\w+(?=@)/, '')));
}

async function finish(jobs: readonly CopyJob[], results: readonly Result[], options: CopyListOptions): Promise<number> {
  const failed = results.filter(({ error }) => error !== undefined);
  const left = jobs.length - results.length;
  const incomplete = failed.length > 0 || left > 0 || results.some(({ outcome }) => outcome?.incomplete === true);
  if (options.json === true) {
    const stream = jobs.some((job) => job.some(({ target }) => isOnStdout(target))) ? 'stderr' : 'stdout';
    await printReport('copy', { copies: results.flatMap(reportsOf), notTried: left, incomplete }, stream);
  }
  const aborted = failed.find(({ error }) => error instanceof LadingError && error.code === 'ERR_ABORTED');
  if (aborted !== undefined) return exitStatusOf(aborted.error);
  if (failed.length === results.length && failed[0] !== undefined) return exitStatusOf(failed[0].error);
  return incomplete ? INCOMPLETE : 0;
}

/** One report for each line; the lines of one archive have what was copied into it together. */
function reportsOf({ job, outcome, error }: Result): readonly object[] {
  return job.map(({ from, to }) =>
    outcome === undefined ? { from, to, error: describe(error) } : { from, to, ...outcome },
  );
}
