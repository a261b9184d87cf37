import { COMPANION_SUFFIXES } from '../model/companion-tag.js';
import { LadingError } from '../model/errors.js';

/** What registries answer that let images be pulled, and tags not be listed. */
const UNLISTED: readonly string[] = [
  'ERR_REGISTRY_AUTH',
  'ERR_REGISTRY_DENIED',
  'ERR_REGISTRY_REFUSED',
  'ERR_REGISTRY_PROTOCOL',
];

/**
 * The tags of signatures and the like that may be there: those that are listed, or all that are possible where a registry
 * lists no tags. `stems`: the tags of the subjects, without the ending.
 */
export async function companionTags(
  stems: readonly string[],
  list: () => Promise<readonly string[]>,
): Promise<readonly string[]> {
  const possible = stems.flatMap((stem) => COMPANION_SUFFIXES.map((suffix) => `${stem}${suffix}`));
  try {
    const listed = new Set(await list());
    return possible.filter((tag) => listed.has(tag));
  } catch (error) {
    if (error instanceof LadingError && UNLISTED.includes(error.code)) return possible;
    throw error;
  }
}
