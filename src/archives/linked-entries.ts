import { digestOfEntry } from '../model/archive-layout.js';
import { followLinks, type ArchiveLinks } from '../model/archive-links.js';
import { isMetadataEntry } from '../model/entry-ledger.js';
import { linkTarget } from '../model/entry-name.js';
import { groupBy } from '../model/group-by.js';

/** An entry as far as links need it. */
interface Entry {
  readonly name: string;
  readonly type: 'file' | 'symlink' | 'link' | 'directory';
  readonly linkname?: string;
}

/**
 * The entries of an archive with the documents and blobs of a layout that are links, or lie in linked folders, as the
 * files behind these links. A link to nothing counts as absent; one beside a file of its name stays, to be refused. A
 * file that stands twice stands twice behind its link, too. Throws what `followLinks` throws.
 */
export function withoutLayoutLinks<E extends Entry>(
  entries: readonly E[],
  archive: ArchiveLinks = linksOf(entries),
): readonly E[] {
  if (archive.links.size === 0) return entries;
  const files = groupBy(
    entries.filter(({ type }) => type === 'file'),
    ({ name }) => name,
  );
  const followed = entries.flatMap((entry) => filesBehind(entry, archive, files));
  return [...followed, ...[...archive.links.keys()].flatMap((folder) => filesIn(folder, archive, files))];
}

/** Whether it is the name of a document or blob of a layout. */
export function isOfLayout(name: string): boolean {
  return isMetadataEntry(name) || digestOfEntry(name) !== undefined;
}

/** Whether it is the name of a folder of blobs. */
export function isBlobFolder(name: string): boolean {
  return /^blobs(?:\/sha(?:256|384|512))?$/.test(name);
}

/** The links among entries whose bytes were not read. */
function linksOf(entries: readonly Entry[]): ArchiveLinks {
  const links = new Map<string, string>();
  const repeated = new Set<string>();
  for (const { name, type, linkname } of entries) {
    if ((type !== 'symlink' && type !== 'link') || linkname === undefined) continue;
    // Only a docker-archive may have such a name: SelectEntries refuses it in a layout, so it must get there.
    if (linkname.startsWith('/')) continue;
    const target = linkTarget(name, type, linkname);
    if ((links.get(name) ?? target) !== target) repeated.add(name);
    links.set(name, target);
  }
  return { links, repeated };
}

type Files<E> = ReadonlyMap<string, readonly E[]>;

function filesBehind<E extends Entry>(entry: E, archive: ArchiveLinks, files: Files<E>): readonly E[] {
  const { name } = entry;
  if (!archive.links.has(name) || files.has(name) || !isOfLayout(name)) return [entry];
  return (files.get(followLinks(name, archive)) ?? []).map((target) => ({ ...target, name }));
}

/** The files of a linked folder, by the names that they have through the link. */
function filesIn<E extends Entry>(folder: string, archive: ArchiveLinks, files: Files<E>): readonly E[] {
  if (!isBlobFolder(folder)) return [];
  const target = `${followLinks(folder, archive)}/`;
  return [...files].flatMap(([name, found]) => {
    const through = name.startsWith(target) ? `${folder}/${name.slice(target.length)}` : '';
    return isOfLayout(through) && !files.has(through) ? found.map((file) => ({ ...file, name: through })) : [];
  });
}
