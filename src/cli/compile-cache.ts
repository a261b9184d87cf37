import { existsSync, mkdirSync, statSync } from 'node:fs';
import nodeModule from 'node:module';
import { homedir } from 'node:os';
import path from 'node:path';

/** What Node.js 22.8 and later can do. Its types are newer than ours. */
interface WithCompileCache {
  readonly enableCompileCache?: (folder: string) => unknown;
}

/**
 * Lets Node.js keep what it has compiled, where it can: the next start is faster. It goes into the user's own folder for
 * such things; whoever can write there could run code as this user. So nothing is kept if that folder is of another
 * user, or if others may write to it. `NODE_DISABLE_COMPILE_CACHE=1` in the environment turns it off.
 */
export function keepCompiled(): void {
  const { enableCompileCache } = nodeModule as WithCompileCache;
  if (enableCompileCache === undefined || process.env['NODE_DISABLE_COMPILE_CACHE'] !== undefined) return;
  try {
    const base = process.env['XDG_CACHE_HOME'] || path.join(homedir(), '.cache');
    if (!path.isAbsolute(base) || !isOwn(path.dirname(base))) return;
    const own = path.join(base, 'lading');
    const folder = path.join(own, 'compiled');
    // One by one: to make all at once takes Node.js for ever where a file system answers as /proc does.
    for (const each of [base, own, folder]) if (!existsSync(each)) mkdirSync(each, { mode: 0o700 });
    if ([base, own, folder].every(isOwn)) enableCompileCache(folder);
  } catch {
    // No home, or one that cannot be written to: then every start compiles.
  }
}

/** Whether the folder belongs to this user, and nobody else may write to it. */
function isOwn(folder: string): boolean {
  const { uid, mode } = statSync(folder);
  return uid === process.geteuid?.() && (mode & 0o022) === 0;
}
