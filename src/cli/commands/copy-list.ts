import { Readable } from 'node:stream';
import pLimit from 'p-limit';
import { checkJobs } from '../../copy/copy-blobs.js';
import { LadingError } from '../../model/errors.js';
import type { OnProgress } from '../../model/progress-event.js';
import type { CommandContext } from '../command-context.js';
import { describe, printError, printLines, printReport, warn } from '../console.js';
import { copyJobs, prerequisites, type CopyJob, type CopyLine } from '../copy-lines.js';
import { CopyReportFile, type CopyEvent } from '../copy-report.js';
import { exitStatusOf, INCOMPLETE, isReaderGone } from '../exit-status.js';
import { hintAllowMissing } from '../hints.js';
import { writeFile } from '../output-file.js';
import { ownImages } from '../own-images.js';
import { outputError } from '../output-error.js';
import { readPlan, writePlan, type ReadPlan } from '../plan-file.js';
import { withRegistries } from '../registry-access.js';
import { JoinedProgress } from '../progress/joined-progress.js';
import { fromSkopeo, type SkopeoOptions } from '../skopeo-options.js';
import { isOnStdout } from '../transports.js';
import { readTrust, type TrustFiles } from '../trust-files.js';
import { choicesText, type CopyCommandOptions } from './copy-choices.js';
import type { CopiedBefore, CopyOutcome } from './copy-outcome.js';
import { OneCopy } from './copy.js';

export interface CopyListOptions extends CopyCommandOptions, SkopeoOptions {
  readonly fromFile?: string;
  readonly failFast?: boolean;
  readonly jobs: string;
  readonly report?: string;
  readonly plan?: string;
  readonly shard?: string;
  readonly digestfile?: string;
}

/** What became of one job. */
interface Result {
  readonly job: CopyJob;
  readonly outcome?: CopyOutcome;
  readonly error?: unknown;
  readonly seconds: number;
}

/** `lading copy`: one image or repository, the lines of a file, or a plan. A failure does not stop the others. */
export async function copy(
  places: readonly string[],
  given: CopyListOptions & TrustFiles,
  context: CommandContext,
): Promise<number> {
  const trust = await readTrust(given);
  const { jobs, planned, homes, options: wanted } = workOf(places, { ...given, trust });
  const options = fromSkopeo(wanted, jobs);
  checkJobs(Number(options.jobs), '--jobs');
  const report = options.report === undefined ? undefined : await CopyReportFile.open(options.report);
  try {
    return await withRegistries(options, context, undefined, async (registries) => {
      const one = new OneCopy(registries, options, context, planned);
      const listener = await context.progress.listener();
      const joined = listener && new JoinedProgress(listener, jobs.length);
      const list = new List(one, options, { report, joined, context });
      await one.sendHomes(jobs, homes, (job) => list.copiedBefore(job));
      const results = await list.run(jobs, context).finally(() => joined?.end());
      if (options.plan !== undefined && options.dryRun === true)
        await writePlan(options.plan, jobs, one.planned, { options, signal: context.signal });
      if (options.digestfile !== undefined) await writeDigests(options.digestfile, results, context.signal);
      return await finish(jobs, results, options, context);
    });
  } finally {
    await report?.close();
  }
}

/** What is to be done: as the command says, or as a plan does. */
function workOf(places: readonly string[], options: CopyListOptions): Omit<ReadPlan, 'options'> & WithOptions {
  const { plan, shard, fromFile, dryRun, platform, allTags } = options;
  if (shard !== undefined && (plan === undefined || dryRun === true)) throw wrong('--shard takes a part of a --plan');
  if (plan === undefined || dryRun === true) {
    if (plan !== undefined && allTags === true) checkTagged(copyJobs(places, fromFile));
    return { jobs: copyJobs(places, fromFile), planned: new Map(), homes: {}, options };
  }
  if (places.length > 0 || fromFile !== undefined || platform !== undefined || allTags !== undefined)
    throw wrong('a plan says what to copy; make another one with --dry-run --plan');
  const read = readPlan(plan, shard);
  return { ...read, options: { ...options, ...read.options } };
}

interface WithOptions {
  readonly options: CopyListOptions;
}

/** The tags of a plan are named one by one, and only a registry needs no new names for them. */
function checkTagged(jobs: readonly CopyJob[]): void {
  if (jobs.every(([{ target }]) => target.transport === 'docker')) return;
  throw wrong('--plan with --all-tags needs registries as destinations');
}

/** Who is told of the jobs. */
interface Told {
  readonly report: CopyReportFile | undefined;
  readonly joined: JoinedProgress | undefined;
  readonly context: CommandContext;
}

/** The jobs of a list, several at a time. */
class List {
  readonly #one: OneCopy;
  readonly #options: CopyListOptions;
  readonly #report: CopyReportFile | undefined;
  readonly #choices: string;
  readonly #joined: JoinedProgress | undefined;
  readonly #context: CommandContext;
  #hasFailed = false;

  constructor(one: OneCopy, options: CopyListOptions, { report, joined, context }: Told) {
    this.#joined = joined;
    this.#context = context;
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
      const start = async () => await limit(async () => await this.#runOne(at, job, signal));
      running.push(Promise.allSettled(others).then(start));
    }
    const settled = await Promise.allSettled(running);
    const broken = settled.find((one) => one.status === 'rejected');
    if (broken !== undefined) throw broken.reason;
    return settled.flatMap((one) => (one.status === 'fulfilled' ? (one.value ?? []) : []));
  }

  async #runOne(at: number, job: CopyJob, signal: AbortSignal): Promise<Result | undefined> {
    if (signal.aborted || (this.#hasFailed && this.#options.failFast === true)) return undefined;
    const result = await this.#copy(job, this.#joined?.of(at));
    this.#joined?.over(at);
    this.#hasFailed ||= result.error !== undefined;
    for (const line of job) await this.#report?.add(this.#eventOf(line, result));
    this.#context.progress.clear();
    if (result.error !== undefined && this.#context.progress.isJson) this.#joined?.failed(describe(result.error));
    else await show(result, this.#options);
    return result;
  }

  /** What the report says of earlier copies by this job. */
  copiedBefore([{ from, to }]: CopyJob): CopiedBefore {
    return (source) => this.#report?.digestOf({ from, to, choices: this.#choices }, source);
  }

  async #copy(job: CopyJob, onProgress: OnProgress | undefined): Promise<Result> {
    const started = performance.now();
    const secondsSince = (): number => Math.round(performance.now() - started) / 1000;
    try {
      const outcome = await this.#one.run(job, { copiedBefore: this.copiedBefore(job), onProgress });
      return { job, outcome, seconds: secondsSince() };
    } catch (error) {
      // Nobody is left to be told of it.
      if (isReaderGone(error)) throw error;
      return { job, error: hintAllowMissing(error, this.#options.allowMissing), seconds: secondsSince() };
    }
  }

  #eventOf({ from, to, source, target }: CopyLine, { outcome, error, seconds }: Result): CopyEvent {
    const rateLimit = this.#one.rateOf(source) ?? this.#one.rateOf(target);
    const own = { from, to, choices: this.#choices, ...(rateLimit && { rateLimit }) };
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
      ...(outcome.referrers !== undefined && { referrers: outcome.referrers }),
      seconds,
      ...(incomplete && { incomplete }),
    };
  }
}

async function show({ job, outcome, error }: Result, options: CopyListOptions): Promise<void> {
  if (outcome === undefined) return printError(error, options);
  warn(outcome.warnings, options);
  // The archive itself may be on stdout.
  if (options.json === true || job.some(({ target }) => isOnStdout(target))) return;
  const verb = options.dryRun === true ? 'Would copy' : outcome.upToDate ? 'Up to date' : 'Copied';
  const [{ to }] = job;
  await printLines(
    ownImages(outcome.images).map(({ digest }) => `${verb}: ${to}@${digest}`.replace(/@sha\d+:\w+(?=@)/, '')),
  );
}

async function finish(
  jobs: readonly CopyJob[],
  results: readonly Result[],
  options: CopyListOptions,
  { progress }: CommandContext,
): Promise<number> {
  const failed = results.filter(({ error }) => error !== undefined);
  const left = jobs.length - results.length;
  const incomplete = failed.length > 0 || left > 0 || results.some(({ outcome }) => outcome?.incomplete === true);
  const report = { copies: results.flatMap(reportsOf), notTried: left, incomplete };
  progress.report('copy', report);
  if (options.json === true) {
    const stream = jobs.some((job) => job.some(({ target }) => isOnStdout(target))) ? 'stderr' : 'stdout';
    await printReport('copy', report, stream);
  }
  const aborted = failed.find(({ error }) => error instanceof LadingError && error.code === 'ERR_ABORTED');
  const ending = aborted ?? (failed.length === results.length ? failed[0] : undefined);
  if (ending === undefined) return incomplete ? INCOMPLETE : 0;
  progress.failed(ending.error);
  return exitStatusOf(ending.error);
}

/** The digests of what was copied, one in a line, in the order of the list. */
async function writeDigests(file: string, results: readonly Result[], signal: AbortSignal): Promise<void> {
  const digests = results.flatMap(({ outcome }) =>
    outcome === undefined ? [] : ownImages(outcome.images).map(({ digest }) => `${digest}\n`),
  );
  await writeFile(Readable.from(digests), file, signal).catch((error: unknown) => {
    throw outputError(error, '--digestfile: cannot write');
  });
}

/** One report for each line; the lines of one archive have what was copied into it together. */
function reportsOf({ job, outcome, error }: Result): readonly object[] {
  return job.map(({ from, to }) =>
    outcome === undefined ? { from, to, error: describe(error) } : { from, to, ...outcome },
  );
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
