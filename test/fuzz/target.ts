import assert from 'node:assert/strict';
import { LadingError, type ErrorCode } from '../../src/model/errors.js';
import type { SeededRandom } from '../fixtures/seeded.js';
import { isHiddenBug } from '../sweeps/outcome.js';
import { Mutator } from './mutator.js';

/** A part of the code that reads untrusted bytes. */
export interface FuzzTarget {
  readonly name: string;
  /** Makes one input. The same random source makes the same input. */
  readonly make: (random: SeededRandom) => Buffer | Promise<Buffer>;
  /** Throws an error if a rule is broken. `random` chooses samples for costly checks. */
  readonly check: (input: Buffer, random: SeededRandom) => void | Promise<void>;
}

/** Makes inputs from valid ones and the words of their format. */
export function mutationsOf(seeds: readonly (Buffer | string)[], dictionary: readonly string[]): FuzzTarget['make'] {
  const all = seeds.map((seed) => Buffer.from(seed as Buffer));
  return (random) => new Mutator(random, dictionary).mutate(random.pick(all), random.pick(all));
}

/** The result of a function, or the code of the LadingError that it throws. Throws any other error on. */
export async function resultOf<T>(
  attempt: () => T | Promise<T>,
): Promise<{ readonly value: T } | { readonly code: ErrorCode }> {
  try {
    return { value: await attempt() };
  } catch (error) {
    return { code: codeOf(error) };
  }
}

/** The code of a LadingError. Throws anything else on, also an exception that a LadingError wraps. */
export function codeOf(error: unknown): ErrorCode {
  if (!(error instanceof LadingError) || isHiddenBug(error)) throw error;
  return error.code;
}

/** Throws an error if an object has another prototype, or the prototype has something new. */
export function assertUnpolluted(): void {
  assert.deepEqual(Object.keys(Object.prototype), []);
  assert.deepEqual(Object.keys(Array.prototype), []);
}
