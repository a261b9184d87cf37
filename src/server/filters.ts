import { EngineError, STATUS } from './statuses.js';

/** The values of each filter of a request. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * A `filters` parameter, in the form of today `{"dangling":{"true":true}}` or the older one `{"dangling":["true"]}`.
 * Throws an EngineError for anything else, and for a filter that is not among the known ones.
 */
export function parseFilters(text: string | undefined, known: readonly string[]): Filters {
  if (text === undefined || text === '') return new Map();
  const filters = new Map(Object.entries(parseObject(text)).map(([key, value]) => [key, valuesOf(key, value)]));
  for (const key of filters.keys()) {
    if (!known.includes(key)) throw invalid(key);
  }
  return filters;
}

/** The one boolean of a filter; undefined where it is not given. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key);
  if (values === undefined || values.length === 0) return undefined;
  const isYes = values.every((value) => ['1', 'true'].includes(value));
  const isNo = values.every((value) => ['0', 'false'].includes(value));
  if (isYes === isNo) throw invalid(`${key}=[${values.join(' ')}]`);
  return isYes;
}

/** Whether labels have every `key` or `key=value` that is asked for, and none of the negated ones. */
export function labelsMatch(filters: Filters, labels: Readonly<Record<string, unknown>>): boolean {
  const has = (wanted: string): boolean => {
    const [key = '', ...value] = wanted.split('=');
    return Object.hasOwn(labels, key) && (value.length === 0 || labels[key] === value.join('='));
  };
  return (filters.get('label') ?? []).every(has) && !(filters.get('label!') ?? []).some(has);
}

/**
 * Whether a text fits a pattern as Go's path.Match has it, which the Engine uses: `*` and `?` match no slash, `[a-z]` and
 * `[^a-z]` one character, a backslash takes the next character as it is.
 */
export function globMatches(pattern: string, text: string): boolean {
  const tokens = pattern.match(/\\[^]|\[\^?(?:\\[^]|[^\]\\])+\]|[^]/gu) ?? [];
  const source = tokens.map(sourceOf).join('');
  try {
    return new RegExp(`^${source}$`, 'u').test(text);
  } catch {
    throw invalid(`reference=${pattern}`);
  }
}

function sourceOf(token: string): string {
  if (token === '*') return '[^/]*';
  if (token === '?') return '[^/]';
  if (token === '[' || token === '\\') throw invalid(`reference, at ${token}`);
  const [, negation, set] = /^\[(\^?)([^]+)\]$/u.exec(token) ?? [];
  if (set === undefined) return literal(token.startsWith('\\') ? token.slice(1) : token);
  const members = set.match(/\\[^]|[^]/gu) ?? [];
  return `[${negation}${members.map((member) => (member === '-' ? '-' : literal(member.replace(/^\\/, '')))).join('')}]`;
}

function literal(character: string): string {
  return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`;
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Told below, in the same words as for a value that is no object.
  }
  throw invalid(text);
}

function valuesOf(key: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(key);
  return Object.entries(value).flatMap(([item, isSet]) => (isSet === true ? [item] : []));
}

function invalid(what: string): EngineError {
  return new EngineError(STATUS.badRequest, `invalid filter ${JSON.stringify(what)}`);
}
