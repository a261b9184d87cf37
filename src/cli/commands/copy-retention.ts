import { ExpireTags, type ExpirySurvey } from '../../copy/expire-tags.js';
import { expiredTags, type ExpiredTag } from '../../copy/expired-tags.js';
import type { Digest } from '../../model/digest.js';
import { LadingError, type ErrorCode } from '../../model/errors.js';
import type { Registries } from '../../registry/registries.js';
import { describe, printError, printLines, warnNow, type OutputOptions } from '../console.js';
import type { CopyLine } from '../copy-lines.js';
import type { RemovalEvent } from '../copy-event.js';
import type { CopyReportFile } from '../copy-report.js';
import { entryLine, type ExpandedEntry } from '../sync-lines.js';

/** What became of the tags that no rule keeps, or of an entry whose tags were not looked at. */
export interface RetentionOutcome {
  readonly removals: readonly RemovalReport[];
  readonly incomplete: boolean;
}

/** One tag, or an entry that failed: then only its place and the error are known. */
export interface RemovalReport {
  readonly to: string;
  readonly status: RemovalEvent['status'] | 'skipped';
  readonly digest?: Digest;
  readonly reason?: string;
  readonly error?: ReturnType<typeof describe>;
}

/** What retention needs of the run that it follows. */
export interface RetentionOptions {
  readonly registries: Registries;
  readonly report: CopyReportFile;
  readonly output: OutputOptions;
  readonly signal: AbortSignal;
  readonly dryRun: boolean;
  /** Whether a line was copied, or is up to date. */
  readonly isDone: (line: CopyLine) => boolean;
}

/** What goes of one entry. */
interface Plan {
  readonly line: CopyLine;
  readonly survey: ExpirySurvey;
  readonly tags: ExpireTags;
  readonly isDry: boolean;
}

/** After one of these, the other tags of the repository are not tried. */
const HOPELESS_CODES: readonly ErrorCode[] = [
  'ERR_ABORTED',
  'ERR_REGISTRY_AUTH',
  'ERR_REGISTRY_DENIED',
  'ERR_REGISTRY_PROTOCOL',
  'ERR_REGISTRY_RATE',
  'ERR_REGISTRY_TLS',
  'ERR_REGISTRY_UNAVAILABLE',
  'ERR_REGISTRY_UNREACHABLE',
];

/** Removes what the entries have written and no longer want: first all of it is told, then it goes, tag after tag. */
export async function retain(expanded: readonly ExpandedEntry[], options: RetentionOptions): Promise<RetentionOutcome> {
  const run = new Retention(options);
  const plans: Plan[] = [];
  for (const one of expanded) {
    const plan = one.entry.retain === undefined ? undefined : await run.plan(one, expanded);
    if (plan !== undefined) plans.push(plan);
  }
  for (const plan of plans) await run.tell(plan);
  for (const plan of plans) await run.remove(plan);
  return { removals: run.removals, incomplete: run.incomplete };
}

class Retention {
  readonly removals: RemovalReport[] = [];
  incomplete = false;
  readonly #options: RetentionOptions;

  constructor(options: RetentionOptions) {
    this.#options = options;
  }

  /** What goes of an entry; undefined if nothing does. */
  async plan({ entry }: ExpandedEntry, all: readonly ExpandedEntry[]): Promise<Plan | undefined> {
    const { registries, report, dryRun, isDone } = this.#options;
    const line = entryLine(entry);
    const neighbours = all.filter((other) => entryLine(other.entry).to === line.to);
    if (neighbours.some(({ error, lines }) => error !== undefined || !lines.every(isDone))) return this.#skip(line);
    const wanted = neighbours.flatMap(({ lines }) => lines).map(({ to }) => to.slice(line.to.length + 1));
    const expired = expiredTags({
      written: report.history.written(line.from, line.to),
      wanted,
      rule: entry.retain ?? {},
      form: entry.rule,
      nowMs: Date.now(),
    });
    if (expired.length === 0) return undefined;
    const tags = new ExpireTags(registries, entry.target);
    try {
      return { line, tags, survey: await tags.survey(expired), isDry: dryRun || entry.retain?.dryRun === true };
    } catch (error) {
      this.#fail(line, error);
      return undefined;
    }
  }

  /** Says what goes, and what stays since others have changed it. */
  async tell({ line: { to }, survey: { going, moved }, tags, isDry }: Plan): Promise<void> {
    for (const { tag, digest } of moved)
      warnNow(`${to}:${tag} stays: it has another image than ${digest}, which was copied to it`, this.#options.output);
    await this.#print(
      going.map((one) => {
        const others = tags.sharing(one);
        const shared = others.length === 0 ? '' : `; its image stays as ${others.join(', ')}`;
        return `${isDry ? 'Would remove' : 'To remove'}: ${to}:${one.tag}@${one.digest} (${one.reason}${shared})`;
      }),
    );
  }

  async remove({ line, survey: { going, moved, gone }, tags, isDry }: Plan): Promise<void> {
    if (isDry) return this.#list(line, { moved, gone, 'would-remove': going });
    for (const one of moved) await this.#add(line, one, 'moved');
    for (const one of gone) await this.#add(line, one, 'gone');
    let hasNoUse = false;
    for (const one of going) {
      if (hasNoUse || this.#options.signal.aborted) await this.#leave(line, one);
      else hasNoUse = await this.#removeOne(line, one, tags);
    }
  }

  /** Removes one tag. Returns whether the next one need not be tried. */
  async #removeOne(line: CopyLine, one: ExpiredTag, tags: ExpireTags): Promise<boolean> {
    await this.#options.report.add(eventOf(line, one, 'removing'));
    try {
      const outcome = await tags.remove(one);
      await this.#add(line, one, outcome);
      if (outcome === 'moved') warnNow(`${line.to}:${one.tag} stays: it has got another image`, this.#options.output);
      if (outcome === 'removed') await this.#print([`Removed: ${line.to}:${one.tag}@${one.digest}`]);
      return false;
    } catch (error) {
      this.#tell(error);
      this.incomplete = true;
      await this.#add(line, one, 'remove-failed', error);
      return isHopeless(error);
    }
  }

  async #leave(line: CopyLine, one: ExpiredTag): Promise<void> {
    this.incomplete = true;
    warnNow(`${line.to}:${one.tag} was not removed, since the one before it failed`, this.#options.output);
    await this.#add(line, one, 'not-tried');
  }

  /** Where stderr has events, the report at the end has the error. */
  #tell(error: unknown): void {
    if (this.#options.output.progress !== 'json') printError(error, this.#options.output);
  }

  #skip({ to }: CopyLine): undefined {
    warnNow(`${to}: no tag is removed, since not all of it was copied`, this.#options.output);
    this.incomplete = true;
    this.removals.push({ to, status: 'skipped' });
  }

  #fail({ to }: CopyLine, error: unknown): void {
    this.#tell(error);
    this.incomplete = true;
    this.removals.push({ to, status: 'skipped', error: describe(error) });
  }

  /** What a run would do; the report has what runs have done. */
  #list(line: CopyLine, tags: Partial<Record<RemovalEvent['status'], readonly ExpiredTag[]>>): void {
    for (const status of ['moved', 'gone', 'would-remove'] as const)
      for (const one of tags[status] ?? []) this.#note(eventOf(line, one, status));
  }

  #note({ to, status, digest, reason }: RemovalEvent, error?: RemovalReport['error']): void {
    this.removals.push({ to, status, digest, reason, ...(error && { error }) });
  }

  async #add(line: CopyLine, one: ExpiredTag, status: RemovalEvent['status'], error?: unknown): Promise<void> {
    const event = eventOf(line, one, status);
    const failure = error === undefined ? undefined : describe(error);
    this.#note(event, failure);
    const told = failure && { error: { code: failure.code, message: failure.message } };
    await this.#options.report.add({ ...event, ...told });
  }

  async #print(lines: readonly string[]): Promise<void> {
    if (this.#options.output.json !== true) await printLines(lines);
  }
}

/** Whether the next tag would fail alike. A registry may also refuse a single one, such as one that is immutable. */
function isHopeless(error: unknown): boolean {
  if (!(error instanceof LadingError)) return false;
  const isUnsupported = [405, 501].includes(Number(error.details['status']));
  return HOPELESS_CODES.includes(error.code) || (error.code === 'ERR_REGISTRY_REFUSED' && isUnsupported);
}

function eventOf(
  { from, to }: CopyLine,
  { tag, digest, reason }: ExpiredTag,
  status: RemovalEvent['status'],
): RemovalEvent {
  return { from, to: `${to}:${tag}`, status, time: new Date().toISOString(), digest, reason };
}
