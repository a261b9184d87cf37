import { MAX_LINKS, type FileTree, type Walker } from './file-tree.js';
import { Directory, pathOf } from './nodes.js';
import { badTreeEntry } from './tree-error.js';

/** The regular files at these paths, with links followed inside the root. Throws ERR_TAR_ENTRY, ERR_LIMIT_DEPTH. */
export function filesAt(tree: FileTree, paths: readonly string[]): ReadonlyMap<string, number> {
  return new Map(
    paths.flatMap((path) => {
      const file = fileAt(tree, path);
      return file === undefined ? [] : [[path, file] as const];
    }),
  );
}

function fileAt(tree: FileTree, path: string): number | undefined {
  const walker: Walker = { makes: false, entry: path, isOwn: () => false, onLink: () => {} };
  let at = path;
  for (let links = 0; links <= MAX_LINKS; links += 1) {
    const slash = at.lastIndexOf('/');
    const [parent, name] = [at.slice(0, Math.max(slash, 0)), at.slice(slash + 1)];
    const directory = tree.walk(parent, walker);
    const node = directory?.children?.get(name);
    if (typeof node === 'number') return node;
    if (directory === undefined || node === undefined || node instanceof Directory) return undefined;
    if (node.kind !== 'symlink') return undefined;
    at = node.target.startsWith('/') ? node.target : `${pathOf(directory)}/${node.target}`;
  }
  throw badTreeEntry(path, `leads through more than ${MAX_LINKS} links`);
}
