import Range from 'semver/classes/range.js';
import SemVer from 'semver/classes/semver.js';
import { LadingError, quote } from '../model/errors.js';

/** Which tags of a repository are wanted: all that is given must hold. */
export interface TagRule {
  /** A regular expression that finds something in the tag. */
  readonly match?: string;
  /** One that finds nothing in it. */
  readonly exclude?: string;
  /** A range of versions, as npm has it. */
  readonly semver?: string;
  /** What tags have before their version, and after it. */
  readonly prefix?: string;
  readonly suffix?: string;
  /** At most so many of what is left: those with the highest versions. */
  readonly latest?: number;
}

/** How versions are read from tags. */
export type VersionForm = Pick<TagRule, 'prefix' | 'suffix'>;

/** `v` may stand before a version; numbers that are not there are 0; what is behind the numbers makes it a pre-release. */
const VERSION = /^v?(\d{1,15})(?:\.(\d{1,15}))?(?:\.(\d{1,15}))?(?:-([\da-z.-]+)|([a-z][\da-z.-]*))?$/i;

/**
 * Compiles a rule: what it gives takes tags, and returns those that are wanted, in their order. A rule with `semver` or
 * `latest` wants versions only, and pre-releases only where the range names one of the same three numbers, as in npm.
 * `nameOf` gives the name that a member has in errors. Throws ERR_OPTION_INVALID.
 */
export function tagChooser(
  rule: TagRule,
  nameOf: (member: keyof TagRule) => string,
): (tags: readonly string[]) => readonly string[] {
  const { match, exclude, semver, latest } = rule;
  const wanted = match === undefined ? undefined : patternOf(match, nameOf('match'));
  const unwanted = exclude === undefined ? undefined : patternOf(exclude, nameOf('exclude'));
  const range = semver === undefined && latest === undefined ? undefined : rangeOf(semver, nameOf('semver'));
  const isFree = (['prefix', 'suffix'] as const).find((member) => rule[member] !== undefined);
  if (isFree !== undefined && range === undefined)
    throw wrong(`${nameOf(isFree)} is about versions: it needs ${nameOf('semver')} or ${nameOf('latest')}`);
  if (latest !== undefined && !(Number.isInteger(latest) && latest >= 1))
    throw wrong(`${nameOf('latest')} is a whole number from 1`);
  const fits = (tag: string): boolean => wanted?.test(tag) !== false && unwanted?.test(tag) !== true;
  return (tags) => {
    const named = tags.filter(fits);
    if (range === undefined) return named;
    const inRange = named.filter((tag) => {
      const version = versionOf(tag, rule);
      return version !== undefined && range.test(version);
    });
    if (latest === undefined) return inRange;
    const highest = new Set(newestFirst(inRange, rule).slice(0, latest));
    return inRange.filter((tag) => highest.has(tag));
  };
}

/** Those of the tags that are versions, the highest first. Of equal ones the longest is first, as it says the most. */
export function newestFirst(tags: readonly string[], form: VersionForm): readonly string[] {
  const versions = tags.flatMap((tag) => {
    const version = versionOf(tag, form);
    return version === undefined ? [] : [{ tag, version }];
  });
  return versions
    .toSorted((a, b) => b.version.compare(a.version) || b.tag.length - a.tag.length || (a.tag < b.tag ? -1 : 1))
    .map(({ tag }) => tag);
}

function versionOf(tag: string, { prefix = '', suffix = '' }: VersionForm): SemVer | undefined {
  if (!tag.startsWith(prefix) || !tag.endsWith(suffix)) return undefined;
  const [whole, major, minor = '0', patch = '0', behind, attached] =
    VERSION.exec(tag.slice(prefix.length, tag.length - suffix.length)) ?? [];
  if (whole === undefined) return undefined;
  const more = behind ?? attached;
  try {
    // Loose: dates have numbers such as 05.
    const text = `${major}.${minor}.${patch}${more === undefined ? '' : `-${more}`}`;
    return new SemVer(new SemVer(text, { loose: true }).version);
  } catch {
    return undefined;
  }
}

function patternOf(text: string, name: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (cause) {
    throw new LadingError('ERR_OPTION_INVALID', `${name}: ${quote(text)} is not a regular expression`, { cause });
  }
}

function rangeOf(text: string | undefined, name: string): Range {
  try {
    // Not loose: that would skip each part that is no range.
    return new Range(text ?? '*');
  } catch (cause) {
    const message = `${name}: ${quote(text ?? '')} is not a range of versions, such as ">=6 <8" or "^1.2"`;
    throw new LadingError('ERR_OPTION_INVALID', message, { cause });
  }
}

function wrong(message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message);
}
