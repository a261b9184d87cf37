import { LadingError } from '../../src/model/errors.js';
import { fastRandom } from './fast-random.js';
import { assertUnpolluted, type FuzzTarget } from './target.js';

/** How long, and from which seed. */
export interface FuzzOptions {
  readonly seed: string;
  readonly seconds: number;
  /** The first iteration: a failure is tried again by its number. */
  readonly from?: number;
  /** How many iterations at most. */
  readonly count?: number;
}

/** One input must be done with in this time; what is still not done hangs. */
const MAX_INPUT_MS = 20_000;

/**
 * Gives a target one input after the other until the time is up. Each input depends on target, seed and number alone.
 * Throws the first failure with all that it takes to see it again; else gives the number of inputs.
 */
export async function fuzz(
  target: FuzzTarget,
  { seed, seconds, from = 0, count = Infinity }: FuzzOptions,
): Promise<number> {
  const end = performance.now() + seconds * 1000;
  let at = from;
  for (; at < from + count && performance.now() < end; at += 1) {
    const random = fastRandom(`${target.name} ${seed} ${at}`);
    const input = await target.make(random);
    try {
      await inTime(async () => await target.check(input, random));
      assertUnpolluted();
    } catch (cause) {
      throw failure(target, seed, at, input, cause);
    }
  }
  return at - from;
}

async function inTime(run: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`still not done after ${MAX_INPUT_MS} ms`)), MAX_INPUT_MS);
  });
  try {
    await Promise.race([run(), late]);
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
