import { SOME_LIMITS } from '../model/limits.js';
import { listOf, OBJECT, oneOf, PLATFORM, SIGNAL, TEXT, textOr } from '../model/rules.js';

/* Rules of options that several functions have. */

export const READING_RULES = { limits: SOME_LIMITS, signal: SIGNAL } as const;
/** What is wrong with a platform itself is ERR_PLATFORM_INVALID. */
export const PLATFORMS = listOf(textOr(OBJECT), 'a list of platforms, such as ["linux/amd64"]');
export const CHOOSING_RULES = {
  ...READING_RULES,
  platforms: PLATFORMS,
  hostPlatform: PLATFORM,
  referrers: oneOf('follow', 'drop'),
  missingPlatforms: oneOf('fail', 'skip'),
} as const;
export const NAMES = listOf(TEXT, 'a list of names');
