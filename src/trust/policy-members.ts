import { LadingError, quote } from '../model/errors.js';
import { isPlainObject } from '../model/json.js';

/** A value of a policy, and its place in it: `rules[0].names`. The policy itself has an empty one. */
export interface Member {
  readonly value: unknown;
  readonly path: string;
}

/** ERR_POLICY_INVALID for the value at a place. */
export function policyFault(path: string, what: string, cause?: unknown): LadingError {
  const message = `policy${path === '' ? '' : `, ${path}`}: ${what}`;
  return new LadingError('ERR_POLICY_INVALID', message, { details: { path }, cause });
}

/** The members of an object. Refuses one that is not known, and says which one is missing. */
export function membersOf<Required extends string, Optional extends string>(
  { value, path }: Member,
  required: readonly Required[],
  optional: readonly Optional[],
): Readonly<Record<Required, Member> & Partial<Record<Optional, Member>>> {
  const all = anyMembersOf({ value, path });
  const known: readonly string[] = [...required, ...optional];
  for (const [key, member] of all) {
    if (!known.includes(key)) throw policyFault(member.path, `there is no such member; known are ${known.join(', ')}`);
  }
  const missing = required.find((key) => !all.has(key));
  if (missing !== undefined) throw policyFault(placeOf(path, missing), 'it is missing');
  // Checked above: all required ones are there, and no others than the known ones.
  return Object.fromEntries(all) as Record<Required, Member> & Partial<Record<Optional, Member>>;
}

/** The members of an object whose keys are free. */
export function anyMembersOf({ value, path }: Member): ReadonlyMap<string, Member> {
  if (!isPlainObject(value)) throw policyFault(path, 'it must be an object');
  return new Map(Object.entries(value).map(([key, item]) => [key, { value: item, path: placeOf(path, key) }]));
}

function placeOf(path: string, key: string): string {
  if (!/^[\w-]+$/.test(key)) return `${path}[${quote(key)}]`;
  return path === '' ? key : `${path}.${key}`;
}

/** The items of a list that is not empty. */
export function itemsOf({ value, path }: Member): readonly Member[] {
  if (!Array.isArray(value)) throw policyFault(path, 'it must be a list');
  if (value.length === 0) throw policyFault(path, 'the list is empty; leave it out to ask for nothing');
  return value.map((item: unknown, at) => ({ value: item, path: `${path}[${at}]` }));
}

/** A text that is not empty. */
export function textOf({ value, path }: Member): string {
  if (typeof value === 'string' && value !== '') return value;
  throw policyFault(path, 'it must be a text');
}

/** One of some words. */
export function wordOf<Word extends string>({ value, path }: Member, words: readonly Word[]): Word {
  const found = words.find((word) => word === value);
  if (found !== undefined) return found;
  throw policyFault(path, `it must be one of ${words.map((word) => quote(word)).join(', ')}`);
}

/** True or false. */
export function flagOf({ value, path }: Member): boolean {
  if (typeof value === 'boolean') return value;
  throw policyFault(path, 'it must be true or false');
}

/** A whole number of at least 1. */
export function countOf({ value, path }: Member, max = Number.MAX_SAFE_INTEGER): number {
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value <= max) return value;
  const most = max === Number.MAX_SAFE_INTEGER ? '' : ` and at most ${max}`;
  throw policyFault(path, `it must be a whole number of at least 1${most}`);
}

/** What `read` makes of a value. What it throws is told with the place. */
export function readAt<Value>({ path }: Member, read: () => Value): Value {
  try {
    return read();
  } catch (error) {
    if (error instanceof LadingError && error.category === 'invalid-argument' && error.code !== 'ERR_KEY_INVALID')
      throw policyFault(path, error.message, error);
    throw error;
  }
}
