/** A value as one line of JSON that is safe to print: characters that a terminal would obey are escaped. */
export function jsonLine(value: string | object): string {
  // JSON.stringify leaves DEL, the C1 controls and the formatting characters alone; a terminal obeys them.
  return ((JSON.stringify(value) as string | undefined) ?? 'null').replaceAll(
    /[\p{Cc}\p{Cf}\u2028\u2029]/gu,
    escapeUnits,
  );
}

/** JSON knows escapes of UTF-16 units only: a character beyond U+FFFF has two. */
function escapeUnits(character: string): string {
  return Array.from(
    { length: character.length },
    (_, at) => `\\u${character.charCodeAt(at).toString(16).padStart(4, '0')}`,
  ).join('');
}
