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

const RFC_3339 = /^(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2})(?:\.(\d{1,9})\d*)?(Z|[+-]\d{2}:\d{2})$/;

/** An RFC 3339 text as Go writes it: a fraction without zeros at its end, `Z` for UTC. Other texts stay as they are. */
export function engineTime(text: string): string {
  const [, time, digits = '', zone = ''] = RFC_3339.exec(text) ?? [];
  if (time === undefined) return text;
  const fraction = digits.replace(/0+$/, '');
  return `${time}${fraction === '' ? '' : `.${fraction}`}${/^[+-]00:00$/.test(zone) ? 'Z' : zone}`;
}

/** An RFC 3339 text as seconds since 1970; 0 if it is absent or not a time. */
export function unixSeconds(text: string | undefined): number {
  const time = Date.parse(text ?? '');
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}
