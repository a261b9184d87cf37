import { LadingError, quote } from '../model/errors.js';

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `15m`, `24h`, `7d` or `0` in milliseconds. Throws ERR_OPTION_INVALID. */
export function parseDuration(text: string): number {
  const match = /^([0-9]{1,6})([smhd]?)$/.exec(text);
  const unit = match?.[2] === '' && Number(match[1]) === 0 ? 0 : UNIT_MS[match?.[2] ?? ''];
  if (match === null || unit === undefined) {
    throw new LadingError('ERR_OPTION_INVALID', `${quote(text)} is not a time such as 0, 90s, 15m, 24h or 7d`);
  }
  return Number(match[1]) * unit;
}

/** Milliseconds as people read them, in the largest unit that fits: `3h`. */
export function formatAge(ms: number): string {
  const fitting = Object.entries(UNIT_MS).findLast(([, unitMs]) => ms >= unitMs);
  const [unit, unitMs] = fitting ?? ['s', 1000];
  return `${Math.max(0, Math.floor(ms / unitMs))}${unit}`;
}

/** Units of `formatAgo`: the name, its seconds, and from how many of it on it is used. */
const AGO_UNITS = [
  ['year', 365 * 86_400, 2],
  ['month', 30 * 86_400, 2],
  ['week', 7 * 86_400, 2],
  ['day', 86_400, 2],
  ['hour', 3600, 1],
  ['minute', 60, 1],
  ['second', 1, 1],
] as const;

/** A time in milliseconds since something about as docker writes it: `3 weeks ago`. */
export function formatAgo(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  for (const [unit, size, least] of AGO_UNITS) {
    const count = Math.floor(seconds / size);
    if (count >= least) return `${count} ${unit}${count === 1 ? '' : 's'} ago`;
  }
  return 'Less than a second ago';
}
