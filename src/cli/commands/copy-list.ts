import { Readable } from 'node:stream';
import { checkJobs } from '../../copy/copy-blobs.js';
import { LadingError } from '../../model/errors.js';
import type { CommandContext } from '../command-context.js';
import { describe, printReport, warnNow } from '../console.js';
import { copyWork, jobsOf, type CopyJob } from '../copy-lines.js';
import { CopyReportFile } from '../copy-report.js';
import { ABORTED, exitStatusOf, INCOMPLETE } from '../exit-status.js';
import { writeFile } from '../output-file.js';
import { ownImages } from '../own-images.js';
import { outputError } from '../output-error.js';
import { readPlan, writePlan, type ReadPlan } from '../plan-file.js';
import { withRegistries } from '../registry-access.js';
import { JoinedProgress } from '../progress/joined-progress.js';
import { fromSkopeo, type SkopeoOptions } from '../skopeo-options.js';
import type { SyncEntry } from '../sync-document.js';
import { entryLine, expandEntries, type ExpandedEntry } from '../sync-lines.js';
import { isOnStdout } from '../transports.js';
import { readTrust, type TrustFiles } from '../trust-files.js';
import { CopyJobs, type CopyJobsOptions, type JobResult } from './copy-jobs.js';
import { retain, type RetentionOutcome } from './copy-retention.js';
import { OneCopy } from './copy.js';

export interface CopyListOptions extends CopyJobsOptions, SkopeoOptions {
  readonly fromFile?: string;
  readonly report?: string;
  readonly plan?: string;
  readonly shard?: string;
  readonly digestfile?: string;
}

/** What is to be done. */
interface Work extends Omit<ReadPlan, 'options'> {
  readonly options: CopyListOptions;
  /** Entries of a sync document, which become jobs when their registries have been asked. */
  readonly entries: readonly SyncEntry[];
}

/**
 * `lading copy`: one image or repository, the lines of a file, a sync document, or a plan. A failure does not stop the
 * others.
 */
export async function copy(
  places: readonly string[],
  given: CopyListOptions & TrustFiles,
  context: CommandContext,
): Promise<number> {
  const trust = await readTrust(given);
  const work = await workOf(places, { ...given, trust });
  const options = fromSkopeo(work.options, [...work.jobs, ...work.entries.map(jobOfEntry)]);
  checkJobs(Number(options.jobs), '--jobs');
  const report = options.report === undefined ? undefined : await CopyReportFile.open(options.report);
  try {
    return await withRegistries(options, context, undefined, async (registries) => {
      const expanded = await expandEntries(work.entries, registries, context.signal);
      const { jobs, failures } = jobsFrom(work.jobs, expanded);
      const one = new OneCopy(registries, options, context, work.planned);
      const listener = await context.progress.listener();
      const joined = listener && new JoinedProgress(listener, jobs.length);
      const list = new CopyJobs(one, options, { report, joined, context, failures });
      await one.sendHomes(jobs, work.homes, (job) => list.copiedBefore(job));
      const results = await list.run(jobs, context).finally(() => joined?.end());
      if (options.plan !== undefined && options.dryRun === true) {
        const planned = jobs.filter((job) => !failures.has(job));
        await writePlan(options.plan, planned, one.planned, { options, signal: context.signal });
      }
      if (options.digestfile !== undefined) await writeDigests(options.digestfile, results, context.signal);
      const retention = await retainOf(expanded, results, { registries, report, options, context });
      return await finish(jobs, results, { options, retention, context });
    });
  } finally {
    await report?.close();
  }
}

/** What is to be done: as the command says, or as a plan does. */
async function workOf(places: readonly string[], options: CopyListOptions): Promise<Work> {
  const { plan, shard, fromFile, dryRun, platform, allTags } = options;
  if (shard !== undefined && (plan === undefined || dryRun === true)) throw wrong('--shard takes a part of a --plan');
  if (plan === undefined || dryRun === true) {
    const { jobs, entries } = await copyWork(places, fromFile);
    if (plan !== undefined && allTags === true) checkTagged(jobs);
    checkEntries(entries, options);
    return { jobs, entries, planned: new Map(), homes: {}, options };
  }
  if (places.length > 0 || fromFile !== undefined || platform !== undefined || allTags !== undefined)
    throw wrong('a plan says what to copy; make another one with --dry-run --plan');
  const read = readPlan(plan, shard);
  return { ...read, entries: [], options: { ...options, ...read.options } };
}

function checkEntries(entries: readonly SyncEntry[], options: CopyListOptions): void {
  if (entries.length > 0 && options.allTags === true)
    throw wrong('a sync document says which tags to copy, so leave --all-tags out');
  const retaining = entries.find(({ retain: rule }) => rule !== undefined);
  if (retaining === undefined) return;
  if (options.report === undefined)
    throw wrong(`${retaining.at}: retain needs --report FILE, which knows what earlier runs have written`);
  if (options.plan !== undefined)
    warnNow(`${retaining.at}: a plan removes no tags; run the sync document itself for that`, options);
}

function jobOfEntry(entry: SyncEntry): CopyJob {
  return [entryLine(entry)];
}

/** All jobs. An entry that could not be looked at is one too, with its error. */
function jobsFrom(jobs: readonly CopyJob[], expanded: readonly ExpandedEntry[]) {
  const failures = new Map<CopyJob, unknown>();
  for (const { entry, error } of expanded) if (error !== undefined) failures.set(jobOfEntry(entry), error);
  const lines = expanded.flatMap((one) => one.lines);
  return { jobs: [...failures.keys(), ...jobs, ...jobsOf(lines)], failures };
}

/** Removes what the entries no longer want, unless the run was stopped. */
async function retainOf(
  expanded: readonly ExpandedEntry[],
  results: readonly JobResult[],
  {
    registries,
    report,
    options,
    context: { signal },
  }: Pick<Parameters<typeof retain>[1], 'registries'> & {
    readonly report: CopyReportFile | undefined;
    readonly options: CopyListOptions;
    readonly context: CommandContext;
  },
): Promise<RetentionOutcome> {
  if (report === undefined || expanded.every(({ entry }) => entry.retain === undefined))
    return { removals: [], incomplete: false };
  const isStopped = signal.aborted || (options.failFast === true && results.some(({ error }) => error !== undefined));
  if (isStopped) return { removals: [], incomplete: true };
  const done = new Set(results.flatMap(({ job, error }) => (error === undefined ? job : [])));
  const dryRun = options.dryRun === true;
  return await retain(expanded, {
    registries,
    report,
    output: options,
    signal,
    dryRun,
    isDone: (line) => done.has(line),
  });
}

/** The tags of a plan are named one by one, and only a registry needs no new names for them. */
function checkTagged(jobs: readonly CopyJob[]): void {
  if (jobs.every(([{ target }]) => target.transport === 'docker')) return;
  throw wrong('--plan with --all-tags needs registries as destinations');
}

/** What a run was told, and what it did beside the copies. */
interface Ending {
  readonly options: CopyListOptions;
  readonly retention: RetentionOutcome;
  readonly context: CommandContext;
}

async function finish(
  jobs: readonly CopyJob[],
  results: readonly JobResult[],
  { options, retention: { removals, incomplete: isKept }, context: { progress, signal } }: Ending,
): Promise<number> {
  const failed = results.filter(({ error }) => error !== undefined);
  const left = jobs.length - results.length;
  const isPartial = results.some(({ outcome }) => outcome?.incomplete === true);
  const incomplete = failed.length > 0 || left > 0 || isPartial || isKept;
  const removed = removals.length > 0 && { removals };
  const report = { copies: results.flatMap(reportsOf), notTried: left, ...removed, incomplete };
  progress.report('copy', report);
  if (options.json === true) {
    const stream = jobs.some((job) => job.some(({ target }) => isOnStdout(target))) ? 'stderr' : 'stdout';
    await printReport('copy', report, stream);
  }
  const aborted = failed.find(({ error }) => error instanceof LadingError && error.code === 'ERR_ABORTED');
  const ending = aborted ?? (failed.length === results.length ? failed[0] : undefined);
  if (ending === undefined) return signal.aborted && isKept ? ABORTED : incomplete ? INCOMPLETE : 0;
  progress.failed(ending.error);
  return exitStatusOf(ending.error);
}

/** The digests of what was copied, one in a line, in the order of the list. */
async function writeDigests(file: string, results: readonly JobResult[], signal: AbortSignal): Promise<void> {
  const digests = results.flatMap(({ outcome }) =>
    outcome === undefined ? [] : ownImages(outcome.images).map(({ digest }) => `${digest}\n`),
  );
  await writeFile(Readable.from(digests), file, signal).catch((error: unknown) => {
    throw outputError(error, '--digestfile: cannot write');
  });
}

/** One report for each line; the lines of one archive have what was copied into it together. */
function reportsOf({ job, outcome, error }: JobResult): readonly object[] {
  return job.map(({ from, to }) =>
    outcome === undefined ? { from, to, error: describe(error) } : { from, to, ...outcome },
  );
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
