import { posix } from 'node:path';
import { badEntry } from './entry-name.js';
import { LadingError, quote } from './errors.js';

/** The largest number of links that one name may pass. */
const MAX_LINKS = 16;

/** The links of an archive, and the names that occur in it more than once. */
export interface ArchiveLinks {
  /** From the name of each link to the name of its target. */
  readonly links: ReadonlyMap<string, string>;
  readonly repeated?: ReadonlySet<string>;
}

/**
 * The name of the file that a name leads to. Folders in the name may be links too. Throws ERR_ARCHIVE_FORMAT for a
 * circle of links, and ERR_TAR_ENTRY if a name on the way occurs twice.
 */
export function followLinks(name: string, archive: ArchiveLinks): string {
  let followed = posix.normalize(name);
  for (let steps = 0; steps <= MAX_LINKS; steps += 1) {
    const next = firstStep(followed, archive);
    if (next === undefined) {
      refuseRepeated(followed, archive);
      return followed;
    }
    followed = next;
  }
  throw new LadingError('ERR_ARCHIVE_FORMAT', `${quote(name)} leads through more than ${MAX_LINKS} links`);
}

/** The name with its first link, from the left, replaced by the target; undefined if it contains no link. */
function firstStep(name: string, archive: ArchiveLinks): string | undefined {
  const parts = name.split('/');
  for (let end = 1; end <= parts.length; end += 1) {
    const link = parts.slice(0, end).join('/');
    const target = archive.links.get(link);
    if (target === undefined) continue;
    refuseRepeated(link, archive);
    return posix.join(target, ...parts.slice(end));
  }
  return undefined;
}

function refuseRepeated(name: string, { repeated }: ArchiveLinks): void {
  if (repeated?.has(name)) throw badEntry(name, 'occurs twice, with other bytes');
}
