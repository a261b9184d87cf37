import { readFileSync } from 'node:fs';
import { Readable } from 'node:stream';
import { homesOf, shardOf, type Homes, type PlannedCopy } from '../copy/copy-plan.js';
import type { Content } from '../model/content.js';
import { parseDescriptor } from '../model/descriptor.js';
import { isDigest, type Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { parseRegistryReference, repositoryOf } from '../registry/registry-name.js';
import type { CopyCommandOptions } from './commands/copy-choices.js';
import { copyLine, type CopyJob, type CopyLine } from './copy-lines.js';
import { writeFile } from './output-file.js';
import { outputError } from './output-error.js';

/** The options of a copy that decide on its content: those of the plan count. */
export type PlanOptions = Pick<
  CopyCommandOptions,
  'platform' | 'index' | 'referrers' | 'allowMissing' | 'onConflict' | 'allTags'
>;

/** What a run does of a plan. */
export interface ReadPlan {
  readonly options: PlanOptions;
  readonly jobs: readonly CopyJob[];
  readonly planned: ReadonlyMap<CopyJob, PlannedCopy>;
  readonly homes: Homes;
}

const SCHEMA = 'lading.copy-plan/1';

/** Writes a plan: the file appears when it is whole. Jobs without a plan failed; a run tries them again. */
export async function writePlan(
  file: string,
  jobs: readonly CopyJob[],
  planned: ReadonlyMap<CopyJob, PlannedCopy>,
  { options, signal }: { readonly options: PlanOptions; readonly signal: AbortSignal },
): Promise<void> {
  const blobs = new Map<Digest, number>();
  const listed: (readonly [Digest, number])[] = [];
  const placeOf = ({ digest, size }: Content): number => {
    const at = blobs.get(digest) ?? listed.push([digest, size]) - 1;
    blobs.set(digest, at);
    return at;
  };
  const copies = jobs.map((job) => {
    const plan = planned.get(job);
    const lines = job.map(({ from, to, choices }) => ({ from, to, ...(choices && { choices }) }));
    return plan === undefined ? { lines } : { lines, records: plan.records, blobs: plan.blobs.map(placeOf) };
  });
  const { platform, index, referrers, allowMissing, onConflict, allTags } = options;
  const document = {
    schema: SCHEMA,
    options: { platform, index, referrers, allowMissing, onConflict, allTags },
    homes: homesOf(jobs.flatMap((job) => neededAt(job, planned.get(job)))),
    blobs: listed,
    copies,
  };
  await writeFile(Readable.from([`${JSON.stringify(document)}\n`]), file, signal).catch((error: unknown) => {
    throw outputError(error, `--plan: cannot write ${quote(file)}`);
  });
}

function neededAt([{ target }]: CopyJob, plan: PlannedCopy | undefined) {
  if (plan === undefined || target.transport !== 'docker') return [];
  return [{ ...repositoryOf(parseRegistryReference(target.rest)), blobs: plan.blobs }];
}

/** Reads a plan, or the part of it that `I/N` names. Throws ERR_OPTION_INVALID. */
export function readPlan(file: string, shard: string | undefined): ReadPlan {
  const isOurs = shardFilter(shard);
  const document = parsed(file);
  const blobs = document.blobs.map(([digest, size]) => {
    if (!isDigest(digest) || typeof size !== 'number')
      throw wrong(`--plan: ${quote(file)} has a blob without a digest`);
    return { digest, size };
  });
  const planned = new Map<CopyJob, PlannedCopy>();
  const jobs: CopyJob[] = [];
  for (const { lines, records, blobs: places } of document.copies) {
    const job = lines.map(lineOf) as unknown as CopyJob;
    if (!isOurs(destinationOf(job))) continue;
    jobs.push(job);
    if (records === undefined) continue;
    planned.set(job, {
      records: records.map((record) => ({ ...record, descriptor: parseDescriptor(record.descriptor, file) })),
      blobs: (places ?? []).flatMap((at) => blobs[at] ?? []),
    });
  }
  return { options: document.options, jobs, planned, homes: document.homes };
}

/** All tags of a repository are of one shard, and an archive is of one. */
function destinationOf([{ to, target }]: CopyJob): string {
  if (target.transport !== 'docker') return to;
  const { host, path } = repositoryOf(parseRegistryReference(target.rest));
  return `${host}/${path}`;
}

function shardFilter(text: string | undefined): (destination: string) => boolean {
  if (text === undefined) return () => true;
  const [, shard = '0', count = '0'] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? [];
  if (Number(shard) < 1 || Number(shard) > Number(count))
    throw wrong(`--shard is I/N, such as 1/4 to 4/4, not ${quote(text)}`);
  return (destination) => shardOf(destination, Number(count)) === Number(shard);
}

type PlannedLine = Pick<CopyLine, 'from' | 'to' | 'choices'>;

function lineOf({ from, to, choices }: PlannedLine): CopyLine {
  return { ...copyLine(from, to), ...(choices && { choices }) };
}

interface PlanDocument {
  readonly schema: string;
  readonly options: PlanOptions;
  readonly homes: Homes;
  readonly blobs: readonly (readonly [string, unknown])[];
  readonly copies: readonly {
    readonly lines: readonly PlannedLine[];
    readonly records?: PlannedCopy['records'];
    readonly blobs?: readonly number[];
  }[];
}

function parsed(file: string): PlanDocument {
  let document: Partial<PlanDocument>;
  try {
    document = JSON.parse(readFileSync(file, 'utf8')) as Partial<PlanDocument>;
  } catch (cause) {
    throw new LadingError('ERR_OPTION_INVALID', `--plan: cannot read ${quote(file)}; make it with --dry-run --plan`, {
      cause,
    });
  }
  const { schema, options, homes, blobs, copies } = document;
  const isWhole = options !== undefined && homes !== undefined && Array.isArray(blobs) && Array.isArray(copies);
  if (schema !== SCHEMA || !isWhole)
    throw wrong(`--plan: ${quote(file)} is no plan of this version of lading copy; make it with --dry-run --plan`);
  return { schema, options, homes, blobs, copies };
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
