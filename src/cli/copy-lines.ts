import { LadingError, quote } from '../model/errors.js';
import { parseReference } from '../model/reference.js';
import { parseRegistryReference } from '../registry/registry-name.js';
import { choicesKey, type LineChoices } from './commands/copy-choices.js';
import { listLines, readListText, type ListLine } from './list-file.js';
import { syncEntries, type SyncEntry } from './sync-document.js';
import { isSyncText, parseSyncText } from './sync-text.js';
import { isArchive, parsePlace, splitFile, splitFolder, type Place } from './transports.js';

/** One thing to copy: the texts as they were given, and what they mean. */
export interface CopyLine {
  readonly from: string;
  readonly to: string;
  readonly source: Place;
  readonly target: Place;
  /** What a sync document says of it. */
  readonly choices?: LineChoices;
}

/** The lines of one copy: several only if they go into one archive. */
export type CopyJob = readonly [CopyLine, ...CopyLine[]];

/** What a command is to copy: jobs, or the entries of a sync document. */
export interface CopyWork {
  readonly jobs: readonly CopyJob[];
  readonly entries: readonly SyncEntry[];
}

/** A copy from the two places of a command, or the lines of a file. Everything is looked at before anything is copied. */
export async function copyWork(places: readonly string[], file: string | undefined): Promise<CopyWork> {
  if (file === undefined) return { jobs: jobsOf([givenLine(places)]), entries: [] };
  if (places.length > 0) throw wrong('--from-file takes the place of a source and a destination');
  const text = readListText(file);
  if (isSyncText(text, file)) return { jobs: [], entries: syncEntries(await parseSyncText(text, file), file) };
  return { jobs: jobsOf(linesOf(text, file)), entries: [] };
}

/** One copy for each line; lines with the same archive as their destination are one. Throws ERR_OPTION_INVALID. */
export function jobsOf(lines: readonly CopyLine[]): readonly CopyJob[] {
  checkReaders(lines);
  checkTargets(lines);
  return groupedLines(lines);
}

/** A line from its two texts. Throws ERR_OPTION_INVALID for one that means nothing. */
export function copyLine(from: string, to: string): CopyLine {
  const source = parsePlace(from);
  return { from, to, source, target: withoutPrefix(source, parsePlace(to)) };
}

function givenLine([from, to, ...more]: readonly string[]): CopyLine {
  if (from === undefined || to === undefined || more.length > 0)
    throw wrong('copy takes a source and a destination, or --from-file');
  return copyLine(from, to);
}

function linesOf(text: string, file: string): readonly CopyLine[] {
  const lines = listLines(text).map((line) => lineOf(line, file));
  if (lines.length === 0) throw wrong(`${quote(file)} has no line with a source and a destination`);
  return lines;
}

function lineOf({ text, number }: ListLine, file: string): CopyLine {
  const [from = '', to, ...more] = text.split(/\s+/);
  if (to === undefined || more.length > 0)
    throw wrong(`${file}:${number}: a line is a source and a destination, as in docker://a/b:1 docker://c/d:1`);
  return copyLine(from, to);
}

/** A destination that ends with a slash gets the repository of its source behind it; the tags stay as they are. */
function withoutPrefix(source: Place, target: Place): Place {
  if (target.transport !== 'docker' || !target.rest.endsWith('/')) return target;
  if (source.transport !== 'docker' && source.transport !== 'store')
    throw wrong(`docker://${target.rest} needs a name behind it, since an archive is copied as a whole`);
  const { path } = source.transport === 'docker' ? parseRegistryReference(source.rest) : parseReference(source.rest);
  return { transport: 'docker', rest: target.rest + path };
}

/** Stdin can be read once. */
function checkReaders(lines: readonly CopyLine[]): void {
  const reading = lines.filter(({ source }) => isArchive(source) && /^-(?::|$)/.test(source.rest));
  if (reading.length > 1) throw wrong('only one line can read an archive from stdin');
}

/** One tag for two images would depend on which of them is copied last. */
function checkTargets(lines: readonly CopyLine[]): void {
  const known = new Map<string, CopyLine>();
  for (const line of lines) {
    const { from, source, target } = line;
    if (target.transport !== 'docker') continue;
    const name = targetName(source, target);
    const other = known.get(name) ?? line;
    if (other.from !== from) throw wrong(`${quote(other.from)} and ${quote(from)} would both become ${name}`);
    if (choicesKey(other.choices) !== choicesKey(line.choices))
      throw wrong(`${quote(from)} would become ${name} in two ways; an image is copied with one set of options`);
    known.set(name, line);
  }
}

/** For each job the places in the list of earlier jobs whose result it reads. */
export function prerequisites(jobs: readonly CopyJob[]): readonly (readonly number[])[] {
  const makers = new Map<string, number[]>();
  return jobs.map((job, at) => {
    const found = job.flatMap(({ source }) => makers.get(nameOf(source)) ?? []);
    for (const { source, target } of job) {
      const name = targetName(source, target);
      makers.set(name, [...(makers.get(name) ?? []), at]);
    }
    return found;
  });
}

/** What a place names, in full. */
function nameOf({ transport, rest }: Place): string {
  if (transport === 'docker') return `docker://${parseRegistryReference(rest).withDefaultTag().toString()}`;
  if (transport === 'store') return `store:${rest.includes(':') ? rest : `${rest}:latest`}`;
  return transport === 'oci' ? `oci:${splitFolder(rest).path}` : `archive:${splitFile(rest).path}`;
}

/** What the destination is called afterwards, as far as the two places tell. */
function targetName(source: Place, target: Place): string {
  if (target.transport !== 'docker') return nameOf(target);
  const { tag, digest } = parseRegistryReference(target.rest);
  if (tag !== undefined || digest !== undefined || isArchive(source) || source.transport === 'oci')
    return nameOf(target);
  const own = /[:@][^/]*$/.exec(source.rest)?.[0] ?? ':latest';
  return nameOf({ transport: 'docker', rest: target.rest + own });
}

function groupedLines(lines: readonly CopyLine[]): readonly CopyJob[] {
  const jobs = new Map<unknown, CopyJob>();
  for (const line of lines) {
    const key = isArchive(line.target) ? splitFile(line.target.rest).path : line;
    const others = jobs.get(key) ?? [];
    if (others[0] !== undefined) checkTogether(others[0], line);
    jobs.set(key, [...others, line] as CopyLine[] as unknown as CopyJob);
  }
  return [...jobs.values()];
}

function checkTogether(first: CopyLine, next: CopyLine): void {
  if (first.source.transport === next.source.transport && !isArchive(first.source)) return;
  throw wrong(`lines with one archive as destination come all from docker:// or all from store:, unlike ${next.from}`);
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
