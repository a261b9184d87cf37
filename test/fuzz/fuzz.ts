import { LadingError } from '../../src/model/errors.js';
import { fastRandom } from './fast-random.js';
import { assertUnpolluted, type FuzzTarget } from './target.js';

/** The seed, and how long to run. */
export interface FuzzOptions {
  readonly seed: string;
  readonly seconds: number;
  /** The first iteration. The number of a failure repeats it. */
  readonly from?: number;
  /** The largest number of iterations. */
  readonly count?: number;
  /** Iterations that run even if the time is up; 1 by default. */
  readonly atLeast?: number;
}

/** After this time the input is printed, since the runner reports only that the test hangs, not with which input. */
const REPORT_MS = 60_000;

/**
 * Runs a target with one input after the other until the time is up, and with at least `atLeast` inputs. Each input
 * depends only on target, seed and number. Throws the first failure, with the command that repeats it; else returns the
 * number of inputs.
 */
export async function fuzz(
  target: FuzzTarget,
  { seed, seconds, from = 0, count = Infinity, atLeast = 1 }: FuzzOptions,
): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let at = from;
  for (; at < from + count && (at < from + atLeast || performance.now() < end); at += 1) {
    const random = fastRandom(`${target.name} ${seed} ${at}`);
    const input = await target.make(random);
    try {
      await reportIfSlow(`${target.name} ${at}`, async () => await target.check(input, random));
      assertUnpolluted();
    } catch (cause) {
      throw failure(target, seed, at, input, cause);
    }
  }
  return at - from;
}

async function reportIfSlow(input: string, run: () => Promise<void>): Promise<void> {
  const timer = setTimeout(() => console.error(`still not done with input ${input}`), REPORT_MS);
  try {
    await run();
  } finally {
    clearTimeout(timer);
  }
}

function failure(target: FuzzTarget, seed: string, at: number, input: Buffer, cause: unknown): Error {
  const inner = cause instanceof LadingError && cause.cause !== undefined ? cause.cause : cause;
  const lines = [
    `${target.name}: ${inner instanceof Error ? (inner.stack ?? inner.message) : String(inner)}`,
    `again: npm run fuzz -- --target ${target.name} --seed ${seed} --from ${at} --count 1`,
    `input (${input.length} bytes, base64): ${input.toString('base64')}`,
  ];
  return new Error(lines.join('\n'), { cause });
}
