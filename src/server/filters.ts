import { jsonLine } from '../index.js';
import { EngineError, STATUS } from './statuses.js';

/** The values of each filter of a request. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/**
 * A `filters` parameter, in today's form `{"dangling":{"true":true}}` or the older one `{"dangling":["true"]}`.
 * Throws an EngineError for anything else, and for an unknown filter.
 */
export function parseFilters(text: string | undefined, known: readonly string[]): Filters {
  if (text === undefined || text === '') return new Map();
  const filters = new Map(Object.entries(parseObject(text)).map(([key, value]) => [key, valuesOf(key, value)]));
  for (const key of filters.keys()) {
    if (!known.includes(key)) throw invalid(key);
  }
  return filters;
}

/** The value of a boolean filter; undefined if it is absent. Throws an EngineError for any other value. */
export function booleanFilter(filters: Filters, key: string): boolean | undefined {
  const values = filters.get(key);
  if (values === undefined || values.length === 0) return undefined;
  const isYes = values.every((value) => ['1', 'true'].includes(value));
  const isNo = values.every((value) => ['0', 'false'].includes(value));
  if (isYes === isNo) throw invalid(`${key}=[${values.join(' ')}]`);
  return isYes;
}

/** Whether labels have every `key` or `key=value` of `label`, and none of `label!`. */
export function labelsMatch(filters: Filters, labels: Readonly<Record<string, unknown>>): boolean {
  const has = (wanted: string): boolean => {
    const [key = '', ...value] = wanted.split('=');
    return Object.hasOwn(labels, key) && (value.length === 0 || labels[key] === value.join('='));
  };
  return (filters.get('label') ?? []).every(has) && !(filters.get('label!') ?? []).some(has);
}

/**
 * Whether a text matches a pattern of Go's path.Match, which the Engine uses: `*` and `?` match no slash, `[a-z]` and
 * `[^a-z]` match one character, a backslash takes the next character as it is. The time grows at most with the product
 * of both lengths. Throws an EngineError for a malformed pattern.
 */
export function globMatches(pattern: string, text: string): boolean {
  const tokens = tokensOf(pattern);
  const characters = Array.from(text);
  let [token, at] = [0, 0];
  // The last star, and how far its text reaches. Going back to an earlier star would find nothing more.
  let [star, reach] = [-1, 0];
  while (token < tokens.length || at < characters.length) {
    const [fits, character] = [tokens[token], characters[at]];
    if (fits === '*') {
      [star, reach] = [token, at];
      token += 1;
    } else if (character !== undefined && fits?.(character) === true) {
      token += 1;
      at += 1;
    } else {
      if (star < 0 || reach >= characters.length || characters[reach] === '/') return false;
      reach += 1;
      [token, at] = [star + 1, reach];
    }
  }
  return true;
}

/** One part of a pattern: `*` for any text without slash, or a test of one character. */
type Token = '*' | ((character: string) => boolean);

const MEMBER = String.raw`(?:\\[^]|[^\]\\-])`;
const RANGE = `(${MEMBER})(?:-(${MEMBER}))?`;
const TOKEN = new RegExp(String.raw`\\([^])|\[(?!\^\])(\^?)((?:${RANGE})+)\]|([^[\\])|[^]`, 'gu');

function tokensOf(pattern: string): readonly Token[] {
  const tokens: Token[] = [];
  for (const [, escaped, negation, set, , , plain] of pattern.matchAll(TOKEN)) {
    const literal = escaped ?? plain;
    if (set !== undefined) tokens.push(negation === '^' ? not(memberOf(set)) : memberOf(set));
    else if (literal === undefined) throw invalid(`reference=${pattern}`);
    else if (plain === '*') tokens.push('*');
    else tokens.push(plain === '?' ? (character) => character !== '/' : (character) => character === literal);
  }
  return tokens;
}

/** Tests whether a character is in one of the ranges of a set. */
function memberOf(set: string): (character: string) => boolean {
  const ranges = [...set.matchAll(new RegExp(RANGE, 'gu'))].map(([, low = '', high = low]) => [code(low), code(high)]);
  return (character) => {
    const own = code(character);
    return ranges.some(([low = 0, high = 0]) => low <= own && own <= high);
  };
}

function not(fits: (character: string) => boolean): (character: string) => boolean {
  return (character) => !fits(character);
}

/** The code point of a character, which may have a backslash before it. */
function code(character: string): number {
  return character.codePointAt(character.length > 1 && character.startsWith('\\') ? 1 : 0) ?? 0;
}

function parseObject(text: string): object {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Thrown below, with the same message as for a value that is not an object.
  }
  throw invalid(text);
}

function valuesOf(key: string, value: unknown): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(key);
  return Object.entries(value).flatMap(([item, isSet]) => (isSet === true ? [item] : []));
}

function invalid(what: string): EngineError {
  return new EngineError(STATUS.badRequest, `invalid filter ${jsonLine(what)}`);
}
