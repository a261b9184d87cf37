import { jsonLine } from '../index.js';
import { EngineError, STATUS } from './statuses.js';

/** The values of each filter of a request. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** Most values of all filters of a request together: each is compared with every image, or with every event. */
const MAX_VALUES = 100;

/** Most characters of a value. A full name with tag and digest has fewer. */
const MAX_VALUE_LENGTH = 1024;

/**
 * A `filters` parameter, in today's form `{"dangling":{"true":true}}` or the older one `{"dangling":["true"]}`.
 * Throws an EngineError for anything else, for an unknown filter, and for more or longer values than the limits.
 */
export function parseFilters(text: string | undefined, known: readonly string[]): Filters {
  if (text === undefined || text === '') return new Map();
  const filters = new Map<string, readonly string[]>();
  let count = 0;
  for (const [key, value] of Object.entries(parseObject(text))) {
    if (!known.includes(key)) throw invalid(key);
    const values = valuesOf(key, value);
    count += values.length;
    if (count > MAX_VALUES) throw tooMuch(`more than ${MAX_VALUES} values`);
    if (values.some(({ length }) => length > MAX_VALUE_LENGTH))
      throw tooMuch(`a value of more than ${MAX_VALUE_LENGTH} characters`);
    filters.set(key, values);
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

/** Labels of an image by their keys. */
type Labels = Readonly<Record<string, unknown>>;

/** Returns a test: do labels have every `key` or `key=value` of `label`, and none of `label!`? */
export function labelFilter(filters: Filters): (labels: Labels) => boolean {
  const wanted = (filters.get('label') ?? []).map(labelTest);
  const unwanted = (filters.get('label!') ?? []).map(labelTest);
  return (labels) => wanted.every((has) => has(labels)) && !unwanted.some((has) => has(labels));
}

function labelTest(text: string): (labels: Labels) => boolean {
  const at = text.indexOf('=');
  if (at === -1) return (labels) => Object.hasOwn(labels, text);
  const [key, value] = [text.slice(0, at), text.slice(at + 1)];
  return (labels) => Object.hasOwn(labels, key) && labels[key] === value;
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

function tooMuch(what: string): EngineError {
  return new EngineError(STATUS.badRequest, `the filters have ${what}; send less in one request`);
}

/** The refusal of one filter, in the Engine's words. */
export function invalid(what: string): EngineError {
  return new EngineError(STATUS.badRequest, `invalid filter ${jsonLine(what)}`);
}
