import { compatibleWith, formatPlatform, parsePlatform, type Platform } from '../src/index.js';

/** The texts of the platforms that an arm/v7 machine can run, the best one first. */
export function runnableOnArm(candidates: readonly Platform[]): readonly string[] {
  const machine = compatibleWith(parsePlatform('linux/arm/v7'));
  return candidates
    .filter((platform) => machine.matches(platform))
    .toSorted((a, b) => machine.compare(a, b))
    .map(formatPlatform);
}
