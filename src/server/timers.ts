import { setTimeout as delay } from 'node:timers/promises';

/** The longest time of setTimeout; it takes a longer one for 1 ms. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The last time that a Date can have (ECMA-262, "Time Values"). */
const MAX_TIME_MS = 8.64e15;

/** A clock that always has a time: that of the caller, or the real one where it has none. */
export function clockOf(now: () => number = Date.now): () => number {
  return () => {
    const ms = now();
    return Math.abs(ms) <= MAX_TIME_MS ? ms : Date.now();
  };
}

/** A time that setTimeout can wait. */
export function timerOf(ms: number): number {
  return Math.min(ms, MAX_TIMER_MS);
}

/** Whether the work ends within the time; it goes on in any case. */
export async function isWithin(work: Promise<unknown>, ms: number): Promise<boolean> {
  const waiting = new AbortController();
  const late = delay(timerOf(ms), false, { signal: waiting.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    waiting.abort();
  }
}
