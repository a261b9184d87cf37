/** What decides how long to wait, and whether to try again. Clock and random number come from the caller. */
export interface RetryRules {
  /** Tries of one request, the first included; counted anew after progress. */
  readonly attempts: number;
  /** The longest wait that a registry may ask for, in milliseconds. */
  readonly maxWaitMs: number;
  /** The wait after the first failure, in milliseconds; each further one is twice as long. */
  readonly firstWaitMs: number;
  readonly now: () => number;
  /** A number from 0 to 1. */
  readonly random: () => number;
}

/** Answers that may be others a moment later. */
const RETRIED: ReadonlySet<number> = new Set([408, 425, 429, 499, 500, 502, 503, 504, 520, 521, 522, 523, 524]);

const LONGEST_MS = 30_000;

/** Whether an answer may be another one a moment later. */
export function isTemporary(status: number): boolean {
  return RETRIED.has(status);
}

/**
 * Milliseconds to wait before the next try; undefined if there is none: no attempts are left, or the registry asks for
 * a longer wait than allowed. `failed` counts the tries so far.
 */
export function waitBefore(failed: number, retryAfter: string | undefined, rules: RetryRules): number | undefined {
  if (failed >= rules.attempts) return undefined;
  const asked = askedWait(retryAfter, rules.now());
  if (asked !== undefined && asked > rules.maxWaitMs) return undefined;
  const own = Math.min(LONGEST_MS, rules.firstWaitMs * 2 ** (failed - 1)) * (0.5 + rules.random() / 2);
  return Math.max(asked ?? 0, asked === undefined ? own : Math.min(own, rules.firstWaitMs));
}

/** The wait that `Retry-After` asks for, in milliseconds: seconds, or a date (RFC 9110, 10.2.3). */
export function askedWait(retryAfter: string | undefined, now: number): number | undefined {
  if (retryAfter === undefined) return undefined;
  if (/^\d+$/.test(retryAfter)) return Number(retryAfter) * 1000;
  const date = Date.parse(retryAfter);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
