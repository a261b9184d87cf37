import { readdirSync } from 'node:fs';
import { isNotFound, readError } from '../../../files/storage-error.js';
import { QUARANTINE } from './layout-paths.js';

/** The collections that have a folder in the trash. The quarantine beside them has damaged files, no blobs; other files are not ours. */
export function collectionsIn(trash: string): readonly string[] {
  try {
    const found = readdirSync(trash, { withFileTypes: true });
    return found.filter((entry) => entry.isDirectory() && entry.name !== QUARANTINE).map(({ name }) => name);
  } catch (error) {
    if (isNotFound(error)) return [];
    throw readError(error, 'cannot look up a blob');
  }
}
