import assert from 'node:assert/strict';
import type { SeededRandom } from '../fixtures/seeded.js';
import { LadingError, type ErrorCode } from '../../src/model/errors.js';
import { isHiddenBug } from '../sweeps/outcome.js';
import { Mutator } from './mutator.js';

/** Something that takes bytes from strangers. */
export interface FuzzTarget {
  readonly name: string;
  /** One input. The same random source, the same input. */
  readonly make: (random: SeededRandom) => Buffer | Promise<Buffer>;
  /** Throws when a rule is broken; `random` decides what is worth only a sample. */
  readonly check: (input: Buffer, random: SeededRandom) => void | Promise<void>;
}

/** Makes inputs out of good ones and the words of their format. */
export function mutationsOf(seeds: readonly (Buffer | string)[], dictionary: readonly string[]): FuzzTarget['make'] {
  const all = seeds.map((seed) => Buffer.from(seed as Buffer));
  return (random) => new Mutator(random, dictionary).mutate(random.pick(all), random.pick(all));
}

/** What a function gives, or the code of the LadingError that it throws. Any other error is thrown on. */
export async function resultOf<T>(
  attempt: () => T | Promise<T>,
): Promise<{ readonly value: T } | { readonly code: ErrorCode }> {
  try {
    return { value: await attempt() };
  } catch (error) {
    return { code: codeOf(error) };
  }
}

/** The code of a LadingError. Throws anything else on, and exceptions that were put into a LadingError. */
export function codeOf(error: unknown): ErrorCode {
  if (!(error instanceof LadingError) || isHiddenBug(error)) throw error;
  return error.code;
}

/** Fails unless every object still has the prototype that it should have, and that has nothing new. */
export function assertUnpolluted(): void {
  assert.deepEqual(Object.keys(Object.prototype), []);
  assert.deepEqual(Object.keys(Array.prototype), []);
}
