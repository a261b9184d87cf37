/* How texts and sizes are shown to people, on a terminal and in a page. */

/** Replaces the characters that a terminal or a page would obey, since a text may be a stranger's. */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, '\u{fffd}');
}

/** A text on one line: what stands on several lines, such as an instruction, is joined by spaces. */
export function oneLine(text: string): string {
  return printable(text.replaceAll(/[\t\n\v\f\r ]+/g, ' ').trim());
}

/** Twelve hex characters of a digest, as docker shows an id. */
export function shortId(digest: string): string {
  return digest.slice(digest.indexOf(':') + 1).slice(0, 12);
}

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** Bytes as people read them: in units of 1000, with three digits, `1.50 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const unit of UNITS) {
    const text = unit === 'B' ? String(value) : threeDigits(value);
    // Rounded before the unit is chosen: 999 950 bytes are 1.00 MB, not 1000 kB.
    if (text.length <= '9.99'.length && !/^\d{4}/.test(text)) return `${text} ${unit}`;
    value /= 1000;
  }
  return `${Math.round(value * 1000)} PB`;
}

function threeDigits(value: number): string {
  const digits = [2, 1, 0].find((count) => value.toFixed(count).replace('.', '').length <= 3);
  return value.toFixed(digits ?? 0);
}
