/**
 * A time of a file: a number is whole seconds since 1970, a bigint is nanoseconds. Most times are whole seconds, and half
 * a million numbers need less memory.
 */
export type FileTime = number | bigint;

const SECOND = 1_000_000_000n;

/** The time of nanoseconds since 1970. */
export function fileTimeOf(nanoseconds: bigint): FileTime {
  if (nanoseconds % SECOND !== 0n) return nanoseconds;
  const seconds = Number(nanoseconds / SECOND);
  return Number.isSafeInteger(seconds) ? seconds : nanoseconds;
}

/** Nanoseconds since 1970. */
export function nanosecondsOf(time: FileTime): bigint {
  return typeof time === 'bigint' ? time : BigInt(time) * SECOND;
}

/** Seconds as decimal digits, with as many decimals as they need. */
export function secondsText(time: FileTime): string {
  if (typeof time === 'number') return String(time);
  const size = time < 0n ? -time : time;
  const fraction = String(size % SECOND)
    .padStart(9, '0')
    .replace(/0+$/, '');
  return `${time < 0n ? '-' : ''}${size / SECOND}${fraction === '' ? '' : `.${fraction}`}`;
}

/** Whole seconds, rounded towards 1970. May be larger than a safe integer. */
export function wholeSeconds(time: FileTime): number {
  return typeof time === 'number' ? time : Number(time / SECOND);
}
