import { LadingError, quote } from './errors.js';

/** A JSON object whose fields are not checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** Whether a parsed value is a JSON object. */
export function isPlainObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The value as a JSON object. Throws ERR_DOCUMENT_INVALID; `where` names the place in the message. */
export function asObject(value: unknown, where: string): JsonObject {
  if (!isPlainObject(value)) throw invalid(where, 'not a JSON object');
  return value;
}

/**
 * The value as an object with these fields, among others. A field that is null is left out: many writers mean an absent
 * one by it. Refuses a key that differs from a field only in case: Go reads it as that field, other readers do not.
 * Throws ERR_DOCUMENT_INVALID.
 */
export function asFields(value: unknown, where: string, fields: readonly string[]): JsonObject {
  const object = asObject(value, where);
  for (const key of Object.keys(object)) {
    if (fields.includes(key)) continue;
    const meant = fields.find((field) => field.length === key.length && field.toLowerCase() === foldKey(key));
    if (meant !== undefined) throw invalid(where, `the key ${quote(key)} must be spelt ${quote(meant)}`);
  }
  if (!fields.some((field) => object[field] === null)) return object;
  return Object.fromEntries(Object.entries(object).filter(([key, item]) => item !== null || !fields.includes(key)));
}

/** A key as Go compares it, with Unicode case folding: the long s equals s, and the Kelvin sign equals k. */
export function foldKey(key: string): string {
  return key.toUpperCase().toLowerCase();
}

/** The list in a required field of the value. Null is an empty list, as Go writes it. Throws ERR_DOCUMENT_INVALID. */
export function listIn(value: unknown, field: string, where: string): readonly unknown[] {
  const list = asObject(value, where)[field];
  return list === null ? [] : asList(list, `${where}.${field}`);
}

/** The value as a list. Throws ERR_DOCUMENT_INVALID. */
export function asList(value: unknown, where: string): readonly unknown[] {
  if (!Array.isArray(value)) throw invalid(where, 'not a list');
  return value;
}

/** The value as a list of texts. Throws ERR_DOCUMENT_INVALID. */
export function asTexts(value: unknown, where: string): readonly string[] {
  return asList(value, where).map((item, at) => asText(item, `${where}[${at}]`));
}

/** The same of an optional list: a null in it is left out, as an optional field would be. Throws ERR_DOCUMENT_INVALID. */
export function asOptionalTexts(value: unknown, where: string): readonly string[] {
  return asTexts(
    asList(value, where).filter((item) => item !== null),
    where,
  );
}

/** The value as a text. Throws ERR_DOCUMENT_INVALID. */
export function asText(value: unknown, where: string): string {
  if (typeof value !== 'string') throw invalid(where, 'not a text');
  return value;
}

/** An ERR_DOCUMENT_INVALID: `where` is the place in the document, `what` the reason. */
export function invalid(where: string, what: string): LadingError {
  return new LadingError('ERR_DOCUMENT_INVALID', `${where}: ${what}`);
}
