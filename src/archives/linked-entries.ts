import { digestOfEntry } from '../model/archive-layout.js';
import { followLinks } from '../model/archive-links.js';
import { isMetadataEntry } from '../model/entry-ledger.js';
import { linkTarget } from '../model/entry-name.js';

/** An entry as far as links need it. */
interface Entry {
  readonly name: string;
  readonly type: 'file' | 'symlink' | 'link' | 'directory';
  readonly linkname?: string;
}

/**
 * The entries of an archive with the documents and blobs of a layout that are links, or lie in linked folders, as the
 * files behind these links. A link to nothing counts as absent; one beside a file of its name stays, to be refused.
 */
export function withoutLayoutLinks<E extends Entry>(entries: readonly E[]): readonly E[] {
  const links = new Map(entries.flatMap((entry) => targetOf(entry)));
  if (links.size === 0) return entries;
  const files = new Map(entries.filter(({ type }) => type === 'file').map((entry) => [entry.name, entry]));
  const followed = entries.flatMap((entry) => filesBehind(entry, links, files));
  return [...followed, ...[...links.keys()].flatMap((folder) => filesIn(folder, links, files))];
}

function targetOf({ name, type, linkname }: Entry): [string, string][] {
  return (type === 'symlink' || type === 'link') && linkname !== undefined
    ? [[name, linkTarget(name, type, linkname)]]
    : [];
}

function filesBehind<E extends Entry>(
  entry: E,
  links: ReadonlyMap<string, string>,
  files: ReadonlyMap<string, E>,
): readonly E[] {
  if (!links.has(entry.name) || files.has(entry.name) || !isOfLayout(entry.name)) return [entry];
  const target = files.get(followLinks(entry.name, { links }));
  return target === undefined ? [] : [{ ...target, name: entry.name }];
}

/** The files of a linked folder, by the names that they have through the link. */
function filesIn<E extends Entry>(
  folder: string,
  links: ReadonlyMap<string, string>,
  files: ReadonlyMap<string, E>,
): readonly E[] {
  if (!/^blobs(?:\/sha(?:256|384|512))?$/.test(folder)) return [];
  const target = `${followLinks(folder, { links })}/`;
  return [...files].flatMap(([name, file]) => {
    const through = name.startsWith(target) ? `${folder}/${name.slice(target.length)}` : '';
    return isOfLayout(through) && !files.has(through) ? [{ ...file, name: through }] : [];
  });
}

function isOfLayout(name: string): boolean {
  return isMetadataEntry(name) || digestOfEntry(name) !== undefined;
}
