/** Bytes of V8's objects on 64 bits: heads, and what each member takes, with room for tables that are half full. */
const STRING = 24;
const NUMBER = 16;
const ARRAY = 32;
const OBJECT = 56;
const MEMBER = 8;
const FIELD = 32;
/** An object of many fields is a table with a text for each of them. */
const MANY_FIELDS = 64;
const TABLE_FIELD = 72;
const TABLE = 128;
const ENTRY = 64;

/**
 * About how many bytes of memory a value takes with all that it leads to: texts, numbers, lists, objects, maps and
 * sets. What it leads to twice counts once. It gives up at `most` bytes, so that a huge value costs no more time.
 */
export function memoryOf(value: unknown, most = Number.POSITIVE_INFINITY): number {
  const open: unknown[] = [value];
  const seen = new Set<object>();
  let bytes = 0;
  for (let item = open.pop(); bytes < most; item = open.pop()) {
    if (typeof item === 'string') bytes += STRING + item.length;
    else if (typeof item === 'number') bytes += NUMBER;
    else if (typeof item === 'object' && item !== null && !seen.has(item)) {
      seen.add(item);
      bytes += takeApart(item, open);
    }
    if (open.length === 0) break;
  }
  return bytes;
}

/** Adds the members to those that are still to be counted. Returns the bytes of the object itself. */
function takeApart(item: object, open: unknown[]): number {
  if (Array.isArray(item)) {
    for (const member of item) open.push(member);
    return ARRAY + item.length * MEMBER;
  }
  if (item instanceof Map || item instanceof Set) {
    for (const [key, member] of item.entries()) open.push(key, member);
    return TABLE + item.size * ENTRY;
  }
  const keys = Object.keys(item);
  for (const key of keys) open.push((item as Readonly<Record<string, unknown>>)[key]);
  const field = keys.length > MANY_FIELDS ? TABLE_FIELD : FIELD;
  return OBJECT + keys.reduce((sum, key) => sum + field + key.length, 0);
}
