import { jsonLine } from '../index.js';
import { EngineError, STATUS } from './statuses.js';

const UNITS_MS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h))+$/;

/**
 * A time parameter of the Engine in milliseconds since 1970: seconds since 1970 (`1764000000.5`), RFC 3339, or a Go
 * duration (`1h30m`) before `now`. Throws an EngineError.
 */
export function parseTime(text: string, now: number): number {
  if (/^\d+(?:\.\d+)?$/.test(text)) return Number(text) * 1000;
  if (DURATION.test(text)) return now - durationMs(text);
  const time = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(time)) throw new EngineError(STATUS.badRequest, `invalid time ${jsonLine(text)}`);
  return time;
}

function durationMs(text: string): number {
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g);
  return [...parts].reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS_MS[unit] ?? 0), 0);
}

/** An RFC 3339 text as seconds since 1970; 0 if it is absent or not a time. */
export function unixSeconds(text: string | undefined): number {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}
