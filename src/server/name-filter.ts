import { Glob, textsOfName } from '../model/glob.js';
import { invalid, type Filters } from './filters.js';
import type { Pace } from './pace.js';

/**
 * Returns a function: which of an image's full names pass the reference filter? Undefined if none passes, and then
 * neither does the image. Each pattern is compiled once. Throws an EngineError for a malformed one.
 */
export function nameFilter(
  filters: Filters,
  pace: Pace,
): (names: readonly string[]) => Promise<readonly string[] | undefined> {
  const globs = [...new Set(filters.get('reference'))].map(globOf);
  if (globs.length === 0) return async (names) => names;
  return async (names) => {
    const matching: string[] = [];
    for (const name of names) if (await isMatched(name, globs, pace)) matching.push(name);
    return matching.length === 0 ? undefined : matching;
  };
}

async function isMatched(name: string, globs: readonly Glob[], pace: Pace): Promise<boolean> {
  const texts = textsOfName(name);
  for (const glob of globs) {
    for (const text of texts) {
      await pace.take(glob.stepsFor(text));
      if (glob.matches(text)) return true;
    }
  }
  return false;
}

function globOf(pattern: string): Glob {
  const glob = Glob.parse(pattern);
  if (glob === undefined) throw invalid(`reference=${pattern}`);
  return glob;
}
