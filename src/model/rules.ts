import { LadingError, quote } from './errors.js';

/*
 * Rules for what callers pass in. Users of JavaScript have no types, so every public function checks its arguments once,
 * with rules that are put together from the ones here. All of them throw ERR_OPTION_INVALID with the name of the option.
 */

/** Throws if the value is not as it must be. `name` is what messages call it. */
export type Rule = (value: unknown, name: string) => void;

/** Checks arguments by name. */
export function check<Name extends string>(
  rules: Readonly<Record<Name, Rule>>,
  values: Readonly<Record<Name, unknown>>,
): void {
  for (const name of Object.keys(rules) as Name[]) rules[name](values[name], name);
}

/** A rule of one test. `expected` goes on after "must be". */
export function must(expected: string, test: (value: unknown) => boolean): Rule {
  return (value, name) => {
    if (!holds(test, value)) throw invalid(name, `${name} must be ${expected}, not ${shown(value)}`);
  };
}

/** Whether the test holds. A value that throws when it is looked at is never right. */
function holds(test: (value: unknown) => boolean, value: unknown): boolean {
  try {
    return test(value);
  } catch {
    return false;
  }
}

/** The rule, or undefined. */
export function optional(rule: Rule): Rule {
  return (value, name) => {
    if (value !== undefined) rule(value, name);
  };
}

/** One of some words. */
export function oneOf(...words: readonly string[]): Rule {
  const list = words.map((word) => `"${word}"`).join(', ');
  return must(`one of ${list}`, (value) => words.some((word) => word === value));
}

/** A list whose items keep a rule. */
export function listOf(rule: Rule, noun = 'a list'): Rule {
  const isList = must(noun, (value) => Array.isArray(value));
  return (value, name) => {
    isList(value, name);
    (value as readonly unknown[]).forEach((item, at) => rule(item, `${name}[${at}]`));
  };
}

/** A rule for lists, and another one for everything else. */
export function listOr(list: Rule, rule: Rule): Rule {
  return (value, name) => (Array.isArray(value) ? list : rule)(value, name);
}

/** A rule for text, and another one for everything else. */
export function textOr(rule: Rule, text: Rule = TEXT): Rule {
  return (value, name) => (typeof value === 'string' ? text : rule)(value, name);
}

/** An object whose fields keep their rules. It may have others too. */
export function fields(rules: Readonly<Record<string, Rule>>, noun = 'an object'): Rule {
  const isObject = must(noun, isPlain);
  return (value, name) => {
    isObject(value, name);
    for (const [key, rule] of Object.entries(rules)) rule(readField(value, key, name), nameOf(name, key));
  };
}

/** Options of a type: each may be left out unless it is `required`, and there are no others. */
export function optionsOf<Options>(
  rules: { readonly [Key in keyof Options]-?: Rule },
  required: readonly (keyof Options)[] = [],
): Rule {
  const entries = Object.entries<Rule>(rules).map(
    ([key, rule]) => [key, required.includes(key as keyof Options) ? rule : optional(rule)] as const,
  );
  const known = fields(Object.fromEntries(entries), 'an object of options');
  return (value, name) => {
    known(value, name);
    const unknown = Object.keys(value as object).find((key) => !Object.hasOwn(rules, key));
    if (unknown === undefined) return;
    const list = Object.keys(rules).join(', ');
    throw invalid(nameOf(name, unknown), `there is no option ${quote(unknown)}; ${name} may have: ${list}`);
  };
}

/** An object with these methods, such as a store. `noun` goes on after "must be". */
export function withMethods(noun: string, methods: readonly string[]): Rule {
  return must(noun, (value) => isObjectLike(value) && methods.every((name) => hasMethod(value, name)));
}

function hasMethod(value: object, name: string): boolean {
  return typeof readField(value, name, name) === 'function';
}

export const TEXT = must('a text', (value) => typeof value === 'string');
export const FLAG = must('true or false', (value) => typeof value === 'boolean');
export const CALLBACK = must('a function', (value) => typeof value === 'function');
export const BYTES = must('bytes', (value) => value instanceof Uint8Array);
export const OBJECT = must('an object', isObjectLike);

/** Something to loop over, other than a text. */
export const ITERABLE = must(
  'a list',
  (value) => typeof value === 'object' && value !== null && Symbol.iterator in value,
);

/** A path that a file system can have. */
export const PATH = must('a path', (value) => typeof value === 'string' && value !== '' && !value.includes('\0'));

/** Milliseconds, from a least number of them to without end. */
export function milliseconds(min = 0): Rule {
  return must(`a number of milliseconds, at least ${min}`, (value) => typeof value === 'number' && value >= min);
}

/** A whole number; without `max` also Infinity, which means no limit. */
export function wholeNumber(max = Number.POSITIVE_INFINITY): Rule {
  const expected = max === Number.POSITIVE_INFINITY ? 'a whole number or Infinity' : `a whole number of at most ${max}`;
  return must(expected, (value) => isWhole(value) && value >= 0 && value <= max);
}

/** A platform object of the OCI spec. */
export const PLATFORM = fields(
  {
    os: TEXT,
    architecture: TEXT,
    variant: optional(TEXT),
    'os.version': optional(TEXT),
    'os.features': optional(listOf(TEXT)),
  },
  'a platform object',
);

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value) || value === Number.POSITIVE_INFINITY;
}

/** An AbortSignal, of this program or of another realm. */
export const SIGNAL = must(
  'an AbortSignal',
  (value) =>
    isObjectLike(value) &&
    typeof readField(value, 'aborted', 'signal') === 'boolean' &&
    typeof readField(value, 'addEventListener', 'signal') === 'function',
);

/** The options, and the defaults for those that are left out or undefined. */
export function withDefaults<Options extends object>(defaults: Options, options: Partial<Options>): Options {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  // The entries of a Partial<Options> without its undefined values.
  return { ...defaults, ...(Object.fromEntries(given) as Partial<Options>) };
}

function invalid(option: string, message: string): LadingError {
  return new LadingError('ERR_OPTION_INVALID', message, { details: { option } });
}

/** The options of a function go by their own names. */
function nameOf(name: string, key: string): string {
  return name === 'options' ? key : `${name}.${key}`;
}

function readField(value: unknown, key: string, name: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>>)[key];
  } catch (cause) {
    throw new LadingError('ERR_OPTION_INVALID', `${nameOf(name, key)} cannot be read`, {
      cause,
      details: { option: key },
    });
  }
}

function isObjectLike(value: unknown): value is object {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}

/** Whether it is an object for fields: no list, map, promise or the like, which have none. */
function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.prototype.toString.call(value) === '[object Object]';
}

/** A value in a few words. */
function shown(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (value === null || ['undefined', 'number', 'boolean', 'bigint'].includes(typeof value)) return String(value);
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}
