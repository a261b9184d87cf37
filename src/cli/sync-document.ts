import { isDigest, type Digest } from '../model/digest.js';
import { LadingError, quote } from '../model/errors.js';
import { parsePlatform } from '../model/platform.js';
import { FLAG, listOf, must, oneOf, optionsOf, TEXT, type Rule } from '../model/rules.js';
import { isTag } from '../model/reference.js';
import { parseRegistryReference, repositoryOf, type RepositoryName } from '../registry/registry-name.js';
import { tagChooser, type TagRule } from '../registry/tag-rules.js';
import type { RetentionRule } from '../copy/expired-tags.js';
import type { LineChoices } from './commands/copy-choices.js';

/** What one entry of a document copies: tags of a repository to another one. Checked. */
export interface SyncEntry {
  /** Where it stands in the document: `sync[0]`. */
  readonly at: string;
  readonly source: RepositoryName;
  readonly target: RepositoryName;
  readonly rule: TagRule;
  /** Tags that are named one by one; undefined where they are chosen from all. */
  readonly tags: readonly string[] | undefined;
  /** Chooses among all tags; undefined where they are named. */
  readonly choose: ((tags: readonly string[]) => readonly string[]) | undefined;
  readonly digests: readonly Digest[];
  readonly choices: LineChoices;
  readonly retain: Retention | undefined;
}

/** Which tags stay in the destination, of those that the entry once wrote. */
export interface Retention extends RetentionRule {
  /** Tells what would go. */
  readonly dryRun?: boolean;
}

/** Options of a copy, as a document has them. */
interface Flags extends Omit<LineChoices, 'platform'> {
  readonly platforms?: readonly string[];
}

interface WrittenEntry extends Flags {
  readonly source: string;
  readonly destination: string;
  readonly tags?: readonly string[] | TagRule;
  readonly digests?: readonly Digest[];
  readonly retain?: Retention;
}

interface Document {
  readonly defaults?: Flags;
  readonly sync: readonly WrittenEntry[];
}

const TAG = must('a tag, as text: in YAML, numbers such as 1.10 need quotes', (value) => isText(value) && isTag(value));
const DIGEST = must('a digest, such as sha256:…', (value) => isText(value) && isDigest(value));
const COUNT = must('a whole number from 1', (value) => Number.isSafeInteger(value) && (value as number) >= 1);
const RULE = optionsOf<TagRule>({
  match: TEXT,
  exclude: TEXT,
  semver: TEXT,
  prefix: TEXT,
  suffix: TEXT,
  latest: COUNT,
});

const FLAGS: { readonly [Key in keyof Flags]-?: Rule } = {
  platforms: listOf(TEXT, 'a list of platforms'),
  index: oneOf('auto', 'preserve', 'rewrite'),
  referrers: oneOf('follow', 'drop'),
  allowMissing: FLAG,
  onConflict: oneOf('replace', 'keep', 'fail'),
};

const ENTRY = optionsOf<WrittenEntry>(
  {
    ...FLAGS,
    source: TEXT,
    destination: TEXT,
    tags: (value, name) => (Array.isArray(value) ? listOf(TAG)(value, name) : RULE(value, name)),
    digests: listOf(DIGEST),
    retain: optionsOf<Retention>({ latest: COUNT, days: COUNT, dryRun: FLAG }),
  },
  ['source', 'destination'],
);

const DOCUMENT = optionsOf<Document>({ defaults: optionsOf<Flags>(FLAGS), sync: listOf(ENTRY) }, ['sync']);

/** The entries of a sync document. Throws ERR_OPTION_INVALID for anything in it that means nothing. */
export function syncEntries(value: unknown, file: string): readonly SyncEntry[] {
  DOCUMENT(value, file);
  // Checked by the rules.
  const { defaults = {}, sync } = value as Document;
  if (sync.length === 0) throw wrong(`${file}: sync has no entry`);
  return sync.map((entry, at) => entryOf(entry, defaults, `${file}: sync[${at}]`));
}

function entryOf(entry: WrittenEntry, defaults: Flags, at: string): SyncEntry {
  const { source: from, destination: to, tags, digests = [], retain, ...own } = entry;
  const rule = tags === undefined || Array.isArray(tags) ? {} : (tags as TagRule);
  const named = Array.isArray(tags)
    ? (tags as readonly string[])
    : digests.length > 0 && tags === undefined
      ? []
      : undefined;
  if (named !== undefined && named.length + digests.length === 0)
    throw wrong(`${at}: tags is an empty list; leave it out to copy every tag`);
  if (retain !== undefined && (retain.latest ?? retain.days) === undefined)
    throw wrong(`${at}: retain says neither latest nor days`);
  const source = repositoryIn(from, `${at}.source`);
  const target = repositoryIn(to.endsWith('/') ? to + source.path : to, `${at}.destination`);
  if (source.host === target.host && source.path === target.path)
    throw wrong(`${at}: source and destination are one repository`);
  const choose = named === undefined ? tagChooser(rule, (member) => `${at}.tags.${member}`) : undefined;
  return {
    at,
    source,
    target,
    rule,
    tags: named,
    choose,
    digests,
    choices: choicesOf({ ...defaults, ...own }),
    retain,
  };
}

function choicesOf({ platforms, ...choices }: Flags): LineChoices {
  for (const platform of platforms ?? []) if (platform !== 'local') parsePlatform(platform);
  return { ...choices, ...(platforms !== undefined && { platform: platforms }) };
}

function repositoryIn(text: string, name: string): RepositoryName {
  const reference = parseRegistryReference(text);
  if ((reference.tag ?? reference.digest) === undefined) return repositoryOf(reference);
  throw wrong(`${name}: ${quote(text)} has a tag or a digest; which tags are copied stands in tags and digests`);
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
