import { parseReference } from '../index.js';
import type { Filters } from './filters.js';
import { Glob } from './glob.js';
import type { Pace } from './pace.js';
import { familiarRepository } from './shapes/image-summary.js';

/**
 * Returns a function: which of an image's full names pass the reference filter? Undefined if none passes, and then
 * neither does the image. Each pattern is compiled once. Throws an EngineError for a malformed one.
 */
export function nameFilter(
  filters: Filters,
  pace: Pace,
): (names: readonly string[]) => Promise<readonly string[] | undefined> {
  const globs = [...new Set(filters.get('reference'))].map((pattern) => new Glob(pattern));
  if (globs.length === 0) return async (names) => names;
  return async (names) => {
    const matching: string[] = [];
    for (const name of names) if (await isMatched(name, globs, pace)) matching.push(name);
    return matching.length === 0 ? undefined : matching;
  };
}

async function isMatched(name: string, globs: readonly Glob[], pace: Pace): Promise<boolean> {
  const texts = textsOf(name);
  for (const glob of globs) {
    for (const text of texts) {
      await pace.take(glob.stepsFor(text));
      if (glob.matches(text)) return true;
    }
  }
  return false;
}

/** What a pattern may mean by a name: as Docker prints it or in full, each with and without its tag. */
function textsOf(name: string): readonly string[] {
  const forms = [parseReference(name).familiar(), name];
  return [...new Set(forms.flatMap((form) => [form, familiarRepository(form)]))];
}
