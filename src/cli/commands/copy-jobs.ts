import pLimit from 'p-limit';
import type { OnProgress } from '../../model/progress-event.js';
import type { CommandContext } from '../command-context.js';
import { describe, printError, printLines, warn } from '../console.js';
import { prerequisites, type CopyJob, type CopyLine } from '../copy-lines.js';
import type { CopyEvent } from '../copy-event.js';
import type { CopyReportFile } from '../copy-report.js';
import { isReaderGone } from '../exit-status.js';
import { hintAllowMissing } from '../hints.js';
import { ownImages } from '../own-images.js';
import type { JoinedProgress } from '../progress/joined-progress.js';
import { isOnStdout } from '../transports.js';
import { choicesText, withChoices, type CopyCommandOptions } from './copy-choices.js';
import type { CopiedBefore, CopyOutcome } from './copy-outcome.js';
import type { OneCopy } from './copy.js';

/** How the jobs of a list are run. */
export interface CopyJobsOptions extends CopyCommandOptions {
  readonly failFast?: boolean;
  readonly jobs: string;
}

/** What became of one job. */
export interface JobResult {
  readonly job: CopyJob;
  readonly outcome?: CopyOutcome;
  readonly error?: unknown;
  readonly seconds: number;
}

/** Who is told of the jobs, and which of them cannot begin. */
export interface Told {
  readonly report: CopyReportFile | undefined;
  readonly joined: JoinedProgress | undefined;
  readonly context: CommandContext;
  /** The errors of jobs that cannot begin. */
  readonly failures: ReadonlyMap<CopyJob, unknown>;
}

/** The jobs of a list, several at a time. */
export class CopyJobs {
  readonly #one: OneCopy;
  readonly #options: CopyJobsOptions;
  readonly #report: CopyReportFile | undefined;
  readonly #failures: ReadonlyMap<CopyJob, unknown>;
  readonly #joined: JoinedProgress | undefined;
  readonly #context: CommandContext;
  #hasFailed = false;

  constructor(one: OneCopy, options: CopyJobsOptions, { report, joined, context, failures }: Told) {
    this.#joined = joined;
    this.#context = context;
    this.#one = one;
    this.#options = options;
    this.#report = report;
    this.#failures = failures;
  }

  /** Runs the jobs, and returns the results of those that were begun, in the order of the list. */
  async run(jobs: readonly CopyJob[], { signal }: CommandContext): Promise<readonly JobResult[]> {
    const limit = pLimit(Number(this.#options.jobs));
    const before = prerequisites(jobs);
    const running: Promise<JobResult | undefined>[] = [];
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

  async #runOne(at: number, job: CopyJob, signal: AbortSignal): Promise<JobResult | undefined> {
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
  copiedBefore([{ from, to, choices }]: CopyJob): CopiedBefore {
    const text = this.#choicesOf(choices);
    return (source) => this.#report?.digestOf({ from, to, choices: text }, source);
  }

  async #copy(job: CopyJob, onProgress: OnProgress | undefined): Promise<JobResult> {
    const started = performance.now();
    const secondsSince = (): number => Math.round(performance.now() - started) / 1000;
    try {
      if (this.#failures.has(job)) throw this.#failures.get(job);
      const outcome = await this.#one.run(job, { copiedBefore: this.copiedBefore(job), onProgress });
      return { job, outcome, seconds: secondsSince() };
    } catch (error) {
      // Nobody is left to be told of it.
      if (isReaderGone(error)) throw error;
      return {
        job,
        error: hintAllowMissing(error, withChoices(this.#options, job[0].choices).allowMissing),
        seconds: secondsSince(),
      };
    }
  }

  #choicesOf(choices: CopyLine['choices']): string {
    return choicesText(withChoices(this.#options, choices));
  }

  #eventOf({ from, to, source, target, choices }: CopyLine, { outcome, error, seconds }: JobResult): CopyEvent {
    const rateLimit = this.#one.rateOf(source) ?? this.#one.rateOf(target);
    const told = { time: new Date().toISOString(), ...(rateLimit && { rateLimit }) };
    const own = { from, to, choices: this.#choicesOf(choices), ...told };
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

async function show({ job, outcome, error }: JobResult, options: CopyCommandOptions): Promise<void> {
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
