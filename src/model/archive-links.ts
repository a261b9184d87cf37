import { posix } from 'node:path';
import { LadingError, quote } from './errors.js';
import { badEntry } from './entry-name.js';

/** How many links one name may lead through. */
const MAX_LINKS = 16;

/** Links by name with the entry that each one means, and the names that stand in the archive more than once. */
export interface ArchiveLinks {
  readonly links: ReadonlyMap<string, string>;
  readonly repeated?: ReadonlySet<string>;
}

/**
 * The file that a name means after its links, which may lead through folders that are links. Throws ERR_ARCHIVE_FORMAT for a
 * circle, and ERR_TAR_ENTRY where the way leads through a name that stands twice.
 */
export function followLinks(name: string, archive: ArchiveLinks): string {
  let followed = posix.normalize(name);
  for (let steps = 0; steps <= MAX_LINKS; steps += 1) {
    const next = firstStep(followed, archive);
    if (next === undefined) return once(followed, archive);
    followed = next;
  }
  throw new LadingError('ERR_ARCHIVE_FORMAT', `${quote(name)} is a link that leads nowhere`);
}

/** The name behind its first link, counted from the left as a file system does; undefined where there is none. */
function firstStep(name: string, archive: ArchiveLinks): string | undefined {
  const parts = name.split('/');
  for (let end = 1; end <= parts.length; end += 1) {
    const link = parts.slice(0, end).join('/');
    const target = archive.links.get(link);
    if (target !== undefined && once(link, archive)) return posix.join(target, ...parts.slice(end));
  }
  return undefined;
}

function once(name: string, { repeated }: ArchiveLinks): string {
  if (repeated?.has(name)) throw badEntry(name, 'stands twice');
  return name;
}
