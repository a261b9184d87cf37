import { nanosecondsOf, type FileTime } from '../../model/file-time.js';

/** The times that ext4 can hold, in seconds: 1901 to 2446. */
const MIN_SECONDS = -(2 ** 31);
const MAX_SECONDS = 15_032_385_535;

/** A time for calls of Node.js, which takes a negative number for "now", and a text for what it says. It has microseconds. */
export function systemTime(time: FileTime): number | string {
  const seconds = typeof time === 'number' ? time : Number(nanosecondsOf(time)) / 1e9;
  const clamped = Math.min(Math.max(seconds, MIN_SECONDS), MAX_SECONDS);
  return clamped < 0 ? String(clamped) : clamped;
}
