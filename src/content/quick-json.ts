import { foldKey } from '../model/json.js';

/** Longer texts are not parsed in one piece: this much takes some ten milliseconds. */
const MAX_TEXT = 1024 * 1024;

/**
 * Parses a text by `JSON.parse`, several times as fast as by tokens. Undefined if it is not certain that the text is
 * strict: then the tokenizer decides, and names the fault. `known` has the keys that no other key may resemble.
 */
export function parseQuickly(
  text: string,
  maxDepth: number,
  known: ReadonlyMap<string, string>,
): { readonly value: unknown } | undefined {
  if (text.length > MAX_TEXT) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    // Of a key that stands twice only the last is in the value, and its colon is in the text twice.
    return countKeys(value, maxDepth, known) === countColons(text) ? { value } : undefined;
  } catch {
    return undefined;
  }
}

/** How many keys all objects in the value have. NaN if it is too deep, or a key resembles a known one. */
function countKeys(value: unknown, maxDepth: number, known: ReadonlyMap<string, string>): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (maxDepth === 0) return Number.NaN;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + countKeys(item, maxDepth - 1, known), 0);
  const keys = Object.keys(value);
  let count = keys.length;
  for (const key of keys) {
    const meant = known.get(key) ?? known.get(foldKey(key));
    if (meant !== undefined && meant !== key) return Number.NaN;
    count += countKeys((value as Record<string, unknown>)[key], maxDepth - 1, known);
  }
  return count;
}

const COLON = 0x3a;
const BACKSLASH = 0x5c;

/** How many colons stand outside of strings, in a text that is JSON. */
function countColons(text: string): number {
  let colons = 0;
  for (let at = 0; at < text.length;) {
    const quote = text.indexOf('"', at);
    const end = quote < 0 ? text.length : quote;
    for (; at < end; at += 1) if (text.charCodeAt(at) === COLON) colons += 1;
    if (quote >= 0) at = endOfString(text, quote);
  }
  return colons;
}

/** Where the string ends that begins with the quote there. */
function endOfString(text: string, start: number): number {
  let end = text.indexOf('"', start + 1);
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end + 1;
}

function isEscaped(text: string, at: number): boolean {
  let before = at;
  while (text.charCodeAt(before - 1) === BACKSLASH) before -= 1;
  return (at - before) % 2 === 1;
}
